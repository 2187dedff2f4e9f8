"""The results of `check` and `run`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from rdimport.core.errors import ExitCode
from rdimport.core.messages.codes import Code
from rdimport.core.row import FAILED, FILE, ROW, Problem, State
from rdimport.core.schemas import PROBLEMS
from rdimport.ledger import (
    Correction,
    Example,
    Input,
    LegalBases,
    Names,
    Outcome,
    Store,
    Unrecognised,
    WrongColumn,
    of_filled,
    wrong_column,
)
from rdimport.plan.invalid import Invalid
from rdimport.plan.planner import Plan
from rdimport.plan.spool import Spool
from rdimport.source import Table

if TYPE_CHECKING:
    from rdimport.prepare.preview import Preview
    from rdimport.report.summary import RunSummary

_PROBLEMS = {**PROBLEMS, "state": pl.String}


class CheckTally:
    """Counts and lists the rows of a plan for a check; kept on disk, in constant memory."""

    def __init__(self) -> None:
        self.tally: Counter[State] = Counter()
        self.rows = 0
        self.left_out = 0
        self.filled: Counter[str] = Counter()
        self.corrected: Counter[str] = Counter()
        self._by_code: Counter[str] = Counter()
        self._by_column: Counter[tuple[str, str]] = Counter()
        self._first: dict[str, tuple[int, int, Problem, State]] = {}
        self._spool = Spool()
        self.names: Names | None = None
        self._new: Counter[str] = Counter()
        self._known: Counter[str] = Counter()

    def record_input(self, file: int, table: Input) -> None:
        """Does nothing: no report is written."""

    def record_rows(
        self, rows: int, left_out: int, outcomes: Sequence[Outcome], already: int = 0
    ) -> None:
        """Count rows that were read, and keep the problems of those that cannot be sent."""
        self.rows += rows
        self.left_out += left_out
        self.tally[State.ALREADY_IMPORTED] += already
        if isinstance(outcomes, Invalid):  # there may be many; the frame is sufficient
            self.tally[State.INVALID] += len(outcomes)
            state = pl.lit(str(State.INVALID)).alias("state")
            self._keep(outcomes.problems.select(*PROBLEMS, state))
        else:
            self.tally.update(end.state for end in outcomes)
            warnings = (warning for end in outcomes for warning in end.warnings)
            self.corrected.update(w.detail for w in warnings if w.code == Code.ROW_CORRECTED)
            self._keep(problems_of(outcomes))

    def _keep(self, found: pl.DataFrame) -> None:
        """Store a frame of problems, in the order of the rows."""
        if found.is_empty():
            return
        self._spool.put(found)
        ordered = found.sort(FILE, ROW, maintain_order=True)
        cells = found.filter((pl.col("field") != "") & (pl.col("state") == State.INVALID)).unique(
            [FILE, ROW, "field", "column"]
        )
        for field_, column, rows in cells.group_by("field", "column").len().iter_rows():
            self._by_column[field_, column] += rows
        failing = ordered.unique([FILE, ROW, "code"], keep="first", maintain_order=True)
        self._by_code.update(dict(failing["code"].value_counts().iter_rows()))
        first = failing.unique("code", keep="first", maintain_order=True)
        for file, row, *problem, state in first.iter_rows():
            seen = (file, row, Problem(*problem), State(state))
            self._first[seen[2].code] = min(self._first.get(seen[2].code, seen), seen)

    @property
    def by_column(self) -> dict[tuple[str, str], int]:
        """Number of rows invalid in each field, with its source column."""
        return dict(self._by_column)

    def counts(self) -> dict[State, int]:
        """Rows in each state; rows without a result are pending."""
        ended = {state: self.tally[state] for state in State}
        return ended | {State.PENDING: self.rows - sum(ended.values())}

    def count_filled(self, rows_by_field: Mapping[str, int]) -> None:
        """Count how many sendable rows have a value in each field."""
        self.filled.update(rows_by_field)

    def count_suspects(self, cells_by_code: Mapping[str, int]) -> None:
        """Does nothing: the preview counts them."""

    def note_names(self, names: Names) -> None:
        """Count the rows by conversion_identifier."""
        self._new.update(names.new)
        self._known.update(names.known)
        self.names = names._replace(new=self._new, known=self._known)

    def note_corrections(self, corrections: Sequence[Correction]) -> None:
        """Does nothing: a check changes nothing."""

    def adopt(self, payloads: Mapping[bytes, bytes], *, last: bool) -> None:
        """Does nothing: a check changes nothing."""

    def keep_adopted(self) -> None:
        """Does nothing: a check changes nothing."""

    def problems(self) -> pl.DataFrame:
        """All stored problems, in the order of the input."""
        together = pl.concat([pl.DataFrame(schema=_PROBLEMS), *self._spool.frames()])
        return together.sort(FILE, ROW, maintain_order=True)

    def examples(self) -> pl.DataFrame:
        """The first problem of each code, with the columns of `problems`."""
        rows = [(file, row, *problem, state) for file, row, problem, state in self._first.values()]
        return pl.DataFrame(rows, schema=_PROBLEMS, orient="row")

    @property
    def by_code(self) -> dict[str, int]:
        """Number of rows with each code, the most frequent first."""
        return dict(sorted(self._by_code.items(), key=lambda of: (-of[1], of[0])))


def problems_of(outcomes: Sequence[Outcome]) -> pl.DataFrame:
    """The problems of some rows: `schemas.PROBLEMS` and the row's `state`."""
    rows = [(end.file, end.row, *p, end.state) for end in outcomes for p in end.problems]
    return pl.DataFrame(rows, schema=_PROBLEMS, orient="row")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a run would do.

    `counts` add up to the rows that were read; rows that would be sent are pending. `seconds` is
    the duration of sending at the quota, None without a quota. `unrecognised` are conversions that
    a run would not recognise, so that it would send nothing. `book` has the problems, `preview`
    rows before and after and statistics for each field. `advice` has warnings about later
    consequences of the mapping, `notes` describe the suppression lists.
    """

    book: CheckTally = field(repr=False)
    tables: tuple[Table, ...] = field(repr=False)
    to_send: int
    seconds: float | None
    plan: Plan = field(repr=False)
    preview: Preview = field(repr=False)
    advice: tuple[str, ...]
    unrecognised: tuple[Unrecognised, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[State, int]:
        """Rows in each state."""
        return self.book.counts()

    @property
    def rows(self) -> int:
        """Number of data rows read, without those excluded by the mapping."""
        return self.book.rows

    @property
    def left_out(self) -> int:
        """Number of rows excluded by the mapping."""
        return self.book.left_out

    @property
    def exit_code(self) -> ExitCode:
        """2 if a run would send nothing, 1 if rows would fail, otherwise 0."""
        if self.unrecognised:
            return ExitCode.NOTHING_SENT
        failed = any(self.counts[state] for state in FAILED)
        return ExitCode.FAILED_ROWS if failed else ExitCode.DONE

    @property
    def by_code(self) -> dict[str, int]:
        """Number of rows with each code, the most frequent first."""
        return self.book.by_code

    @property
    def wrong_column(self) -> WrongColumn | None:
        """The column that is probably not the intended one."""
        columns = [table.columns for table in self.tables]
        return wrong_column(self.book.by_column, self.rows, columns)

    @property
    def legal_bases(self) -> LegalBases | None:
        """Number of sendable rows with a legal basis `granted`, `declined` or `none`."""
        return of_filled(self.book.filled)

    @property
    def problems(self) -> pl.DataFrame:
        """The problems of rows that would fail: `schemas.PROBLEMS` and a column `state`."""
        return self.book.problems()

    @property
    def suspect(self) -> dict[str, int]:
        """Number of suspect cells in sendable rows, by code."""
        found = Counter[str]()
        for reason in self.preview.reasons:
            found[reason.code] += reason.cells if reason.suspect else 0
        return {code: cells for code, cells in found.items() if cells}

    def payloads(self) -> Iterator[pl.DataFrame]:
        """The payloads that would be sent, batch by batch."""
        yield from self.plan.frames()


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run; its rows are in the ledger.

    `examples` has the first row with a problem of each code, the most frequent code first. `fields`
    are those filled by the mapping. `advice` has warnings about later consequences of the mapping.
    """

    summary: RunSummary
    examples: dict[str, list[Example]] = field(repr=False)
    report_dir: Path
    store: Store = field(repr=False)
    notes: tuple[str, ...]
    fields: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def counts(self) -> dict[State, int]:
        """Rows in each state."""
        return dict(self.summary.counts)

    @property
    def rows(self) -> int:
        """Number of data rows read, without those excluded by the mapping."""
        return sum(self.summary.counts.values())

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command."""
        return ExitCode(self.summary.exit_code or 0)

    @property
    def problems(self) -> pl.DataFrame:
        """The problems of rows that failed: `schemas.PROBLEMS` and a column `state`."""
        with self.store.open() as ledger:
            return problems_of(list(ledger.run(self.summary.run_id).failures()))

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""
        with self.store.open() as ledger:
            return ledger.run(self.summary.run_id).accepted(most)
