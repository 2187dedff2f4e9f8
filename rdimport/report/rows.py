"""The rows of the failure report, common to failures.csv and failures.xlsx."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rdimport.core.messages.reasons import explain
from rdimport.core.row import REPORTED_NAMES, Problem, reported_origin
from rdimport.ledger import Input, Outcome, Run
from rdimport.report.reread import Reread

Advance = Callable[[int], None]
"""Called with the number of additional rows written."""

Begin = Callable[[str, int], None]
"""Called with the name of a stage and its number of rows (see `events.ReportStage`)."""


def quietly(*_: object) -> None:
    """Do nothing."""


class Line(NamedTuple):
    """A failed row: its state, and its cells in the report."""

    end: Outcome
    cells: list[str]


def columns(inputs: dict[int, Input]) -> tuple[str, ...]:
    """The columns of all inputs in order, without those that an earlier report added."""
    named = (name for table in inputs.values() for name in table.columns)
    return tuple(name for name in dict.fromkeys(named) if name not in REPORTED_NAMES)


def lines(
    run: Run, inputs: dict[int, Input], lang: str, found: Reread | None = None
) -> Iterator[Line]:
    """The failed rows, in the order of the input; `found` has cells that the ledger lacks.

    The cells are the original ones of `columns`, then those of `row.REPORTED`. Several problems are
    separated by ` | `. A row of a failure report that failed again keeps the file and row number of
    the first report.
    """
    wanted = columns(inputs)
    names = Counter(table.name for table in inputs.values())
    reports = {file for file in inputs if REPORTED_NAMES.intersection(inputs[file].columns)}
    for end in run.failures():
        table = inputs[end.file]
        # For rows in flight when a run was killed, the ledger has no cells.
        kept = end.cells or (found or {}).get((end.file, end.row), ())
        at = dict(zip(table.columns, kept, strict=False))
        reported = _reported(at) if end.file in reports else None
        yield Line(
            end,
            [
                *(at.get(name) or "" for name in wanted),
                *(reported or _origin(end, table, several=names[table.name] > 1)),
                end.state,
                *_explanations(end.problems, lang),
            ],
        )


def _reported(at: Mapping[str, str | None]) -> tuple[str, str] | None:
    """The row and file that a row of a failure report names, if any."""
    row, file = reported_origin(at)
    return (row, file) if row.isdecimal() and file else None


def _origin(end: Outcome, table: Input, *, several: bool) -> tuple[str, str]:
    """The row's number and its file, with the sheet if `several` of it were read."""
    name = f"{table.name} [{table.sheet}]" if several and table.sheet else table.name
    return str(end.row), name


def _explanations(problems: Sequence[Problem], lang: str) -> Iterable[str]:
    each = [(p.field, p.column, p.value, p.code, explain(p, lang)) for p in problems]
    return map(" | ".join, zip(*each, strict=True)) if each else [""] * 5
