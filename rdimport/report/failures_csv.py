"""failures.csv: the rows that need attention, unchanged, each with its problems."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TextIO

from rdimport.core.row import REPORTED
from rdimport.ledger import Input, Run
from rdimport.report.private_files import private
from rdimport.report.reread import Reread
from rdimport.report.rows import Advance, Line, columns, lines, quietly

FILE_NAME: Final = "failures.csv"

_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_BEFORE: Final = ("\t", "\r", "\n")
"""The first characters of a formula, and characters that programs skip before them."""


def write(
    run: Run,
    path: Path,
    lang: str = "en",
    advance: Advance = quietly,
    found: Reread | None = None,
) -> int:
    """Write the failures of a run in the encoding and with the delimiter of its input.

    If the inputs differ, are workbooks, or their encoding lacks a character of the report, it is
    UTF-8 with a byte order mark and `;`, which Excel in Brazil opens correctly. `found` has cells
    that the ledger lacks (`reread`). Returns the number of rows. Raises ReportError if the file
    cannot be written.
    """
    inputs = run.inputs()
    onward = _Onward(advance)
    with private(path) as half:
        encoding, delimiter = _dialect(list(inputs.values()))
        try:
            out = half.open("w", encoding=encoding, newline="")
            return _write(out, delimiter, inputs, lines(run, inputs, lang, found), onward)
        except UnicodeEncodeError:
            out = half.open("w", encoding="utf-8-sig", newline="")
            onward.again()
            return _write(out, delimiter, inputs, lines(run, inputs, lang, found), onward)


class _Onward:
    """Reports progress once per row, even if the rows are written a second time."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._reported = self._at = 0

    def again(self) -> None:
        """Start again with the first row."""
        self._at = 0

    def __call__(self, rows: int) -> None:
        self._at += rows
        if self._at > self._reported:
            self._advance(self._at - self._reported)
            self._reported = self._at


def _write(
    file: TextIO, delimiter: str, inputs: dict[int, Input], rows: Iterable[Line], advance: Advance
) -> int:
    count = 0
    with file:
        # Programs can import quoted cells as text, which keeps leading zeros.
        out = csv.writer(file, delimiter=delimiter, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        out.writerow([*columns(inputs), *REPORTED])
        for line in rows:
            added = map(_as_text, line.cells[-len(REPORTED) :])
            out.writerow([*line.cells[: -len(REPORTED)], *added])
            count += 1
            advance(1)
    return count


def _as_text(cell: str) -> str:
    """A cell of our own columns, which may repeat a value, escaped if it looks like a formula."""
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) or cell[:1] in _BEFORE else cell


def _dialect(inputs: Sequence[Input]) -> tuple[str, str]:
    kinds = {(table.encoding.lower(), table.delimiter) for table in inputs}
    encoding, delimiter = kinds.pop() if len(kinds) == 1 else ("", "")
    if encoding.startswith(("utf-16", "utf_16")):
        return "utf-16", delimiter or ";"
    if encoding in ("", "ascii", "utf-8", "utf8", "utf_8"):
        return "utf-8-sig", delimiter or ";"
    return encoding, delimiter or ";"
