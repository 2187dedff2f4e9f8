"""Failed rows of a list whose corrected rows were imported from a failure report.

A person corrects the report, not the list, and the list may come again every night. A row of it
that has the same cells as before is then the person who was imported already: it counts as
`already_imported`, also where another mapping or release would send it as it is. A row of which any
cell has changed is another one, and fails as such.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.core.messages import ngettext
from rdimport.core.messages.codes import Code
from rdimport.core.names import is_run
from rdimport.core.row import FILE, REPORTED_NAMES, ROW, Problem, State, reported_origin
from rdimport.core.shell import whole
from rdimport.ledger import Correction, FailedRow, Outcome
from rdimport.plan.duplicates import IDENTITY, UNCHANGED
from rdimport.plan.history import Known, cells_of
from rdimport.plan.invalid import Invalid

if TYPE_CHECKING:
    from rdimport.ledger import Ledger
    from rdimport.mapping import Mapping as RowMapping
    from rdimport.prepare import Prepared

_GENERATIONS: Final = 20
"""Reports on reports that are followed to the first one's list."""

_DIGITS: Final = 10

Cells = Mapping[str, str]
"""Cells by column, stripped, without the empty ones and those that a report adds."""


_Values = Sequence[str | None]
"""The cells of a row, in the order of its columns."""


class _Row(NamedTuple):
    """A row of a failure report: its identity as it is now, and its cells by column."""

    identity: bytes
    cells: Mapping[str, str]


class Corrections:
    """The corrected rows of one destination, for one run."""

    def __init__(self, mapping: RowMapping, ledger: Ledger, destination: int) -> None:
        named = mapping.conversion_identifier
        self._salt = [named.value, named.column, named.expr, list(mapping.identity)]
        self._ledger = ledger
        self._destination = destination
        self._left: dict[bytes, dict[int, str]] | None = None
        self._known: Counter[str] = Counter()
        self._unknown = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what will happen to the original list of a corrected failure report."""
        known = (
            ngettext(
                "{number} row corrects one of {file} that failed: once accepted, it counts "
                "as imported in that list too, as long as the original row stays unchanged.",
                "{number} rows correct rows of {file} that failed: once accepted, they "
                "count as imported in that list too, as long as the original rows stay "
                "unchanged.",
                rows,
                file=PurePath(file).name,
            )
            for file, rows in self._known.items()
        )
        unknown = ngettext(
            "{number} row of a failure report could not be matched in the ledger: correct "
            "it in its list too, or it will be reported again.",
            "{number} rows of a failure report could not be matched in the ledger: correct "
            "them in their list too, or they will be reported again.",
            self._unknown,
        )
        return (*known, *([unknown] if self._unknown else ()))

    def made(self, rows: pl.DataFrame, cells: pl.DataFrame, name: str) -> list[Correction]:
        """The corrections among the sendable rows (`ROW` and `IDENTITY`) of a batch of the file of
        that name: none, unless it is a failure report.
        """
        columns = [column for column in cells.columns if column != ROW]
        if REPORTED_NAMES.isdisjoint(columns) or rows.is_empty():
            return []
        identities = dict(rows.select(ROW, IDENTITY).iter_rows())
        corrected: dict[str, dict[int, _Row]] = defaultdict(dict)
        for number, values in cells_of(rows[ROW], cells).items():
            at = {column: cell or "" for column, cell in zip(columns, values, strict=True)}
            file, row = _origin(at)
            if file:
                corrected[file][row] = _Row(identities[number], at)
        return [one for file in corrected for one in self._of_file(file, corrected[file], name)]

    def _of_file(self, file: str, rows: Mapping[int, _Row], name: str) -> Iterator[Correction]:
        run = self._run_of(file, name)
        failed: dict[int, list[Cells]] = defaultdict(list)
        for line in self._ledger.corrections.failed(file, list(rows), run):
            was = _cells(line.cells)
            if (run or _resembles(rows[line.row].cells, line)) and was not in failed[line.row]:
                failed[line.row].append(was)
        for row, (identity, _) in rows.items():
            if len(failed[row]) != 1:
                self._unknown += 1
            elif failed[row][0]:  # of a row in flight when a run was killed, the cells are unknown
                as_it_was = failed[row][0] == _cells(rows[row].cells)
                (origin,) = self._hashed(failed[row], corrected=not as_it_was)
                self._known[file] += 1
                yield Correction(origin, row, identity)

    def _run_of(self, file: str, name: str) -> str | None:
        """The run that wrote a report, which is its folder's name; None if the report was moved. A
        report on a report refers to the first one's file.
        """
        there = whole(name)
        for _ in range(_GENERATIONS):
            run = PurePath(there).parent.name
            if not is_run(run) or not self._ledger.knows_run(run):
                return None
            found = self._ledger.run(run)
            names = [(one.name, f"{one.name} [{one.sheet}]") for one in found.inputs().values()]
            if any(file in spellings for spellings in names):
                return run
            there = whole(names[0][0] if names else "", found.facts().record.started_in)
        return None

    def set_apart(
        self, prepared: Prepared, known: Known, cells: pl.DataFrame, resend: Collection[State]
    ) -> tuple[Prepared, Known, list[Outcome]]:
        """The batch without the rows whose corrections were accepted, and their results; `resend`
        has the states to send again.
        """
        left = _unsent(known, resend)
        if not (prepared.problems.height or known.ends or left.height) or not self._accepted():
            return prepared, known, []
        columns = [name for name in cells.columns if name != ROW]
        failed = [*Invalid(prepared.problems, cells, prepared.beside), *known.ends]
        failed = [end for end in failed if end.state in (State.INVALID, State.REFUSED)]
        candidates = [(end.file, end.row, end.cells) for end in failed]
        at = cells_of(left[ROW], cells)
        unsent = [(file, row, at[row]) for file, row in left.iter_rows()]
        found = self._imported([*candidates, *unsent], columns)
        # one sent from a report as it was and not failing now was changed by the mapping
        imported = {end.row for end in found}
        candidates = [one for one in candidates if one[1] not in imported]
        found += self._imported(candidates, columns, corrected=False)
        if not found:
            return prepared, known, []
        rows = {end.row for end in found}
        apart = pl.Series(ROW, sorted(rows), pl.UInt32)
        known = known._replace(
            rows=known.rows.filter(~pl.col(ROW).is_in(apart.implode())),
            ends=[end for end in known.ends if end.row not in rows],
            recognised=known.recognised.filter(~known.recognised.is_in(apart.implode())),
            by_earlier=known.by_earlier.filter(~known.by_earlier.is_in(apart.implode())),
        )
        return prepared.without(apart), known, found

    def _imported(
        self,
        rows: Sequence[tuple[int, int, _Values]],
        columns: Sequence[str],
        *,
        corrected: bool = True,
    ) -> list[Outcome]:
        """The results of the rows (file, row and cells) whose corrections were accepted."""
        cells = (_cells(dict(zip(columns, own, strict=True))) for *_, own in rows)
        origins = self._hashed(cells, corrected=corrected)
        return [
            Outcome(file, row, State.ALREADY_IMPORTED, warnings=(_corrected_earlier(run),))
            for (file, row, _), origin in zip(rows, origins, strict=True)
            if (run := self._take(origin, row))
        ]

    def _accepted(self) -> dict[bytes, dict[int, str]]:
        if self._left is None:
            self._left = defaultdict(dict)
            for origin, row, run in self._ledger.corrections.accepted(self._destination):
                self._left[origin][row] = run
        return self._left

    def _take(self, origin: bytes, row: int) -> str:
        """The run that imported the correction of a row with these cells; empty if there is none.

        Of several rows with the same cells, only as many count as were corrected: a row that moved
        in its list is still the same.
        """
        left = self._accepted().get(origin, {})
        return left.pop(row if row in left else next(iter(left), row), "")

    def _hashed(self, rows: Iterable[Cells], *, corrected: bool = True) -> list[bytes]:
        """Hashes under which a correction counts for the conversions of this mapping only; other
        ones for rows that were sent from a report as they were.
        """
        kind = "failed" if corrected else "failed, sent as it was"
        return self._ledger.digests(
            [json.dumps([kind, self._salt, sorted(cells.items())]) for cells in rows]
        )


def _unsent(known: Known, resend: Collection[State]) -> pl.DataFrame:
    """`FILE` and `ROW` of the rows to send, but for those that a person wants to be sent again."""
    rows = known.rows.filter(~pl.col(UNCHANGED))
    if State.ACCEPTED in resend:
        rows = rows.clear()
    if State.UNCERTAIN in resend:
        rows = rows.filter(~pl.col(ROW).is_in(known.recognised.implode()))
    return rows.select(FILE, ROW)


def _corrected_earlier(run: str) -> Problem:
    return Problem(Code.ROW_CORRECTED, detail=run)


def _origin(at: Mapping[str, str]) -> tuple[str, int]:
    """File and number of the row that a row of a report comes from; no file if it names none."""
    row, file = reported_origin(at)
    return (file, int(row)) if row.isdecimal() and len(row) < _DIGITS else ("", 0)


def _cells(at: Mapping[str, str | None]) -> dict[str, str]:
    stripped = ((name, (cell or "").strip()) for name, cell in at.items())
    return {name: cell for name, cell in stripped if cell and name not in REPORTED_NAMES}


def _resembles(now: Mapping[str, str], line: FailedRow) -> bool:
    """Whether a row of a report that was moved is certainly this one: it has the same problems, and
    the cells without a problem are unchanged.
    """
    reported = " ".join(cell for name, cell in now.items() if name in REPORTED_NAMES)
    was, kept = _cells(line.cells), _cells(now)
    right = (was.keys() | kept.keys()) & now.keys() - {problem.column for problem in line.problems}
    same = all(was.get(name) == kept.get(name) for name in right)
    return same and all(p.code in reported and p.value.strip() in reported for p in line.problems)
