"""failures.csv: the rows that need somebody, as they were, and beside them what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rdimport.ledger import Input, Run
from rdimport.reasons import explain
from rdimport.report.files import private
from rdimport.row import REPORTED, Problem

FILE_NAME: Final = "failures.csv"


def write(run: Run, path: Path) -> None:
    """Write the failures of a run in the encoding and with the delimiter of its input.

    Where the inputs differ, or are workbooks, or something in the report does not fit their
    encoding, it is UTF-8 with a mark at its start and `;`, which Excel in Brazil opens rightly.
    Raises ReportError when the disk does not take it.
    """
    inputs = run.inputs()
    with private(path) as half:
        encoding, delimiter = _dialect(list(inputs.values()))
        try:
            _write(run, inputs, half, encoding, delimiter)
        except UnicodeEncodeError:
            _write(run, inputs, half, "utf-8-sig", delimiter)


def _write(run: Run, inputs: dict[int, Input], path: Path, encoding: str, delimiter: str) -> None:
    columns = list(dict.fromkeys(name for table in inputs.values() for name in table.columns))
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
        out.writerow([*(c for c in columns if c not in REPORTED), *REPORTED])
        for line in _lines(run, inputs, columns):
            out.writerow(line)


def _lines(run: Run, inputs: dict[int, Input], columns: Sequence[str]) -> Iterator[list[str]]:
    for end in run.failures():
        table = inputs[end.file]
        at = dict(zip(table.columns, end.cells, strict=False))
        yield [
            *(at.get(name) or "" for name in columns if name not in REPORTED),
            str(end.row),
            table.name,
            end.state,
            *_told(end.problems),
        ]


def _told(problems: Sequence[Problem]) -> Iterator[str]:
    for name in ("field", "column", "value", "code"):
        yield " | ".join(getattr(problem, name) for problem in problems)
    yield " | ".join(explain(problem) for problem in problems)


def _dialect(inputs: Sequence[Input]) -> tuple[str, str]:
    kinds = {(table.encoding.lower(), table.delimiter) for table in inputs}
    encoding, delimiter = kinds.pop() if len(kinds) == 1 else ("", "")
    if encoding.startswith(("utf-16", "utf_16")):
        return "utf-16", delimiter or ";"
    if encoding in ("", "ascii", "utf-8", "utf8", "utf_8"):
        return "utf-8-sig", delimiter or ";"
    return encoding, delimiter or ";"
