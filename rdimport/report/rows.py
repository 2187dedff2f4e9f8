"""The lines of the failure report: what failures.csv and failures.xlsx both hold, cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rdimport.core.messages.reasons import explain
from rdimport.core.row import REPORTED, Problem
from rdimport.ledger import Input, Outcome, Run
from rdimport.report.reread import Reread

Advance = Callable[[int], None]
"""Told how many more rows were written."""

Begin = Callable[[str, int], None]
"""Told what is done now, and with how many rows (see `events.ReportStage`)."""


def quietly(*_: object) -> None:
    """Do nothing."""


class Line(NamedTuple):
    """A row that failed: what became of it, and the report's cells for it."""

    end: Outcome
    cells: list[str]


def columns(inputs: dict[int, Input]) -> tuple[str, ...]:
    """The columns of all inputs in order; without those that an earlier report added."""
    named = (name for table in inputs.values() for name in table.columns)
    return tuple(name for name in dict.fromkeys(named) if name not in REPORTED)


def lines(
    run: Run, inputs: dict[int, Input], lang: str, found: Reread | None = None
) -> Iterator[Line]:
    """The rows that failed, in the order of the input; `found` has cells that the ledger has not.

    The cells are those of `columns` as they were, then those of `row.REPORTED`. Several problems of
    a row are parted by ` | `. A row of a failure report that failed again keeps the file and row
    that the first report named.
    """
    wanted = columns(inputs)
    names = Counter(table.name for table in inputs.values())
    for end in run.failures():
        table = inputs[end.file]
        # Of rows that were on their way when a run was cut off, the ledger has no cells.
        kept = end.cells or (found or {}).get((end.file, end.row), ())
        at = dict(zip(table.columns, kept, strict=False))
        yield Line(
            end,
            [
                *(at.get(name) or "" for name in wanted),
                *_origin(end, table, at, several=names[table.name] > 1),
                end.state,
                *_explanations(end.problems, lang),
            ],
        )


def _origin(
    end: Outcome, table: Input, at: Mapping[str, str | None], *, several: bool
) -> tuple[str, str]:
    """The row's number and its file, with the sheet where `several` of it were read."""
    row, file, *_ = (at.get(name) or "" for name in REPORTED)
    name = f"{table.name} [{table.sheet}]" if several and table.sheet else table.name
    return (row, file) if row.isdecimal() and file else (str(end.row), name)


def _explanations(problems: Sequence[Problem], lang: str) -> Iterator[str]:
    for name in ("field", "column", "value", "code"):
        yield " | ".join(getattr(problem, name) for problem in problems)
    yield " | ".join(explain(problem, lang) for problem in problems)
