"""failures.csv: the rows that need attention, unchanged, each with what is wrong."""

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
"""With what a cell begins that programs calculate, and with what they pass over before it."""


def write(
    run: Run,
    path: Path,
    lang: str = "en",
    advance: Advance = quietly,
    found: Reread | None = None,
) -> int:
    """Write the failures of a run in the encoding and with the delimiter of its input.

    Where the inputs differ, or are workbooks, or something in the report does not fit their
    encoding, it is UTF-8 with a mark at its start and `;`, which Excel in Brazil opens rightly.
    `found` has cells that the ledger has not (`reread`).
    Returns how many rows it holds. Raises ReportError when the disk does not take it.
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
    """Tells of each row once, also when the rows are written a second time."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._reported = self._at = 0

    def again(self) -> None:
        """The rows begin anew."""
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
        # A quoted cell is text for a program that is asked to take it so, and keeps its zeros.
        out = csv.writer(file, delimiter=delimiter, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        out.writerow([*columns(inputs), *REPORTED])
        for line in rows:
            ours = map(_as_text, line.cells[-len(REPORTED) :])
            out.writerow([*line.cells[: -len(REPORTED)], *ours])
            count += 1
            advance(1)
    return count


def _as_text(cell: str) -> str:
    """A cell of our own columns, which may repeat a value: no program may take it for a formula."""
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) or cell[:1] in _BEFORE else cell


def _dialect(inputs: Sequence[Input]) -> tuple[str, str]:
    kinds = {(table.encoding.lower(), table.delimiter) for table in inputs}
    encoding, delimiter = kinds.pop() if len(kinds) == 1 else ("", "")
    if encoding.startswith(("utf-16", "utf_16")):
        return "utf-16", delimiter or ";"
    if encoding in ("", "ascii", "utf-8", "utf8", "utf_8"):
        return "utf-8-sig", delimiter or ";"
    return encoding, delimiter or ";"
