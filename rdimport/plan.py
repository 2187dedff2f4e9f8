"""Before the first byte leaves: every row read, cleaned, validated, and its fate known or planned.

A row ends here (invalid, a duplicate, known from an earlier run) or is put away to be sent. `check`
and `run` share this, so that the first tells what the second does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import polars as pl

from rdimport.errors import RdimportError
from rdimport.events import Observer, RowsRead, silent
from rdimport.ledger import Input, Outcome, Outgoing, Parcel, problems_of
from rdimport.prepare import Bound, bind, prepare
from rdimport.row import FILE, ROW, Problem, State

if TYPE_CHECKING:
    from rdimport.mapping import Mapping
    from rdimport.source import Table
    from rdimport.spool import Spool

IDENTITY: Final = "__rdimport_identity__"
PAYLOAD: Final = "__rdimport_payload__"
UNCHANGED: Final = "__rdimport_unchanged__"
_OURS: Final = (FILE, ROW, IDENTITY, PAYLOAD)


class Book(Protocol):
    """Where the end of a row is noted: the ledger for a run, memory for a check."""

    def record_input(self, file: int, table: Input) -> None:
        """Note one table of the input."""

    def record_rows(self, rows: int, left_out: int, outcomes: Sequence[Outcome]) -> None:
        """Note rows that were read, and the end of those that end without being sent."""

    def count(self, state: State, rows: int) -> None:
        """Note rows of which nothing but their number is kept."""


class Memory(NamedTuple):
    """What earlier runs know, by keyed hashes of identities and payloads.

    `known` answers with a line per conversion that was sent before: `identity`, `state`,
    `payload`, `problems`.
    """

    digests: Callable[[Sequence[str], int], list[bytes]]
    known: Callable[[pl.Series], pl.DataFrame]


@dataclass(slots=True)
class Plan:
    """What is to be sent, in order. `fields` tells for each file where a field comes from."""

    spool: Spool
    fields: list[Map[str, tuple[str, ...]]] = field(default_factory=list)
    columns: list[tuple[str, ...]] = field(default_factory=list)
    sends: list[pl.Series] = field(default_factory=list)

    @property
    def to_send(self) -> int:
        """Rows that will be sent."""
        return sum(int(mask.sum()) for mask in self.sends)

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows to send, batch by batch: origin, identity, payload and the source's cells."""
        for frame, mask in zip(self.spool.frames(), self.sends, strict=True):
            yield frame.filter(mask)

    def parcels(self) -> Iterator[Parcel]:
        """The rows to send, one by one."""
        for frame in self.frames():
            for file, row, identity, payload, *cells in frame.iter_rows():
                yield Parcel(Outgoing(identity, file, row, payload), tuple(cells))

    def trace(self, problem: Problem, file: int, cells: Sequence[str | None]) -> Problem:
        """A problem of a field, traced back to the column and the value that it came from."""
        at = dict(zip(self.columns[file], cells, strict=True))
        for column in self.fields[file].get(problem.field, ()):
            if at.get(column):
                return problem._replace(column=column, value=at[column] or "")
        return problem


class Planner:
    """Makes the plan of one run, batch by batch, in memory that does not grow with a batch."""

    def __init__(
        self,
        mapping: Mapping,
        memory: Memory,
        book: Book,
        spool: Spool,
        *,
        resend: frozenset[State] = frozenset(),
        observer: Observer = silent,
        interrupted: Callable[[], bool] = bool,
    ) -> None:
        self._mapping = mapping
        self._memory = memory
        self._book = book
        self._resend = resend
        self._observer = observer
        self._interrupted = interrupted
        self._plan = Plan(spool)
        self._index: list[pl.DataFrame] = []

    def make(self, tables: Sequence[Table]) -> Plan:
        """Read all tables. Raises MappingError or SourceError; then nothing must be sent.

        Where it is interrupted nothing must be sent either: the rest of the input is not known.
        """
        bounds = [bind(self._mapping, table.columns, table.name) for table in tables]
        for number, (table, bound) in enumerate(zip(tables, bounds, strict=True)):
            facts = table.facts
            self._book.record_input(
                number, Input(table.name, table.columns, facts.encoding, facts.delimiter)
            )
            self._plan.columns.append(table.columns)
            self._plan.fields.append({t.field: bound.columns[t.name] for t in bound.targets})
            for batch in table.batches():
                self._read(batch, bound)
                self._observer(RowsRead(table.name, batch.height))
                if self._interrupted():
                    return self._plan
        self._settle_duplicates()
        return self._plan

    def _read(self, batch: pl.DataFrame, bound: Bound) -> None:
        prepared = prepare(batch, bound)
        identities = self._memory.digests(prepared.rows["identity"].to_list(), 16)
        rows = prepared.rows.with_columns(pl.Series(IDENTITY, identities, pl.Binary))
        cells = batch.drop([c for c in batch.columns if c in ("__rdimport_defect__", FILE)])
        ends = list(_invalid(prepared.problems, cells))
        invalid = len(ends)
        rows, settled, already = self._recognise(rows, cells)
        ends += settled
        if batch.height != invalid + len(settled) + already + rows.height + prepared.left_out:
            raise RdimportError(
                f"Of {batch.height} rows not each came to one end: this is a bug in rdimport.",
                "Nothing was sent. Please report it with the mapping file.",
            )
        self._book.record_rows(batch.height - prepared.left_out, prepared.left_out, ends)
        if already:
            self._book.count(State.ALREADY_IMPORTED, already)
        self._put_away(rows, cells)

    def _recognise(
        self, rows: pl.DataFrame, cells: pl.DataFrame
    ) -> tuple[pl.DataFrame, list[Outcome], int]:
        """Part the rows by what earlier runs know: to send, at an end, and already imported."""
        known = self._memory.known(rows[IDENTITY])
        if known.is_empty():
            return rows.with_columns(pl.lit(value=False).alias(UNCHANGED)), [], 0
        seen = rows.join(
            known.select(
                pl.col("identity").alias(IDENTITY), "state", "problems", was=pl.col("payload")
            ),
            on=IDENTITY,
            how="left",
            maintain_order="left",
        )
        seen = seen.with_columns(pl.Series("is", self._payload_digests(seen), pl.Binary))
        same = pl.col("was").eq(pl.col("is")).fill_null(value=False)
        state = pl.col("state")
        asked = state.is_in([str(s) for s in self._resend])
        anew = self._mapping.on_change == "send"
        already = state.eq(State.ACCEPTED) & ~asked & (not anew)
        ended = (state.eq(State.UNCERTAIN) & ~asked) | (state.eq(State.REFUSED) & ~asked & same)
        seen = seen.with_columns(
            already.fill_null(value=False).alias("already"),
            ended.fill_null(value=False).alias("ended"),
            (state.eq(State.ACCEPTED) & ~asked & same).fill_null(value=False).alias(UNCHANGED),
        )
        outcomes = list(_known_outcomes(seen.filter("ended"), cells))
        left = seen.filter(~pl.col("already") & ~pl.col("ended")).select(*rows.columns, UNCHANGED)
        return left, outcomes, int(seen["already"].sum())

    def _payload_digests(self, seen: pl.DataFrame) -> list[bytes | None]:
        """Hashes of the payloads of those rows that were sent before; only they are compared."""
        payloads = seen["payload"].to_list()
        sent = [i for i, state in enumerate(seen["state"]) if state is not None]
        found: list[bytes | None] = [None] * len(payloads)
        for i, digest in zip(
            sent, self._memory.digests([payloads[i] for i in sent], 8), strict=True
        ):
            found[i] = digest
        return found

    def _put_away(self, rows: pl.DataFrame, cells: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        ours = rows.select(FILE, ROW, IDENTITY, pl.col("payload").alias(PAYLOAD))
        whole = ours.join(cells, on=ROW, how="left", maintain_order="left")
        self._plan.spool.put(whole.select(*_OURS, *(c for c in cells.columns if c != ROW)))
        self._index.append(
            rows.select(
                FILE,
                ROW,
                UNCHANGED,
                *(
                    pl.col(IDENTITY)
                    .bin.slice(start, 8)
                    .bin.reinterpret(dtype=pl.UInt64, endianness="little")
                    .alias(name)
                    for start, name in ((0, "low"), (8, "high"))
                ),
            )
        )

    def _settle_duplicates(self) -> None:
        """Choose, among rows of the same conversion, the one that is sent."""
        if not self._index:
            return
        index = pl.concat(self._index).with_row_index("at")
        keep = self._mapping.on_duplicate
        winners = index.unique(["low", "high"], keep=keep, maintain_order=True)
        losers = index.join(winners, on="at", how="anti").join(
            winners.select("low", "high", pl.col(FILE).alias("f"), pl.col(ROW).alias("r")),
            on=["low", "high"],
        )
        self._book.record_rows(
            0,
            0,
            [
                Outcome(file, row, State.DUPLICATE, instead=(f, r))
                for file, row, f, r in losers.select(FILE, ROW, "f", "r").iter_rows()
            ],
        )
        unchanged = winners.filter(UNCHANGED)
        if unchanged.height:
            self._book.count(State.ALREADY_IMPORTED, unchanged.height)
        sent = winners.filter(~pl.col(UNCHANGED)).select("at", pl.lit(value=True).alias("send"))
        mask = index.join(sent, on="at", how="left", maintain_order="left")["send"]
        mask = mask.fill_null(value=False)
        start = 0
        for frame in self._index:
            self._plan.sends.append(mask.slice(start, frame.height))
            start += frame.height


def _cells_of(rows: pl.Series, cells: pl.DataFrame) -> dict[int, tuple[str | None, ...]]:
    """The cells of some rows of a batch by row number."""
    wanted = cells.filter(pl.col(ROW).is_in(rows.implode()))
    return {row[0]: row[1:] for row in wanted.select(ROW, pl.exclude(ROW)).iter_rows()}


def _invalid(problems: pl.DataFrame, cells: pl.DataFrame) -> Iterator[Outcome]:
    """One outcome for each row with problems, in the order of the rows."""
    if problems.is_empty():
        return
    at = _cells_of(problems[ROW], cells)
    ordered = problems.sort(ROW, maintain_order=True).select(FILE, ROW, *Problem._fields)
    for (file, row), group in groupby(ordered.iter_rows(), key=itemgetter(0, 1)):
        found = tuple(Problem(*(value or "" for value in line[2:])) for line in group)
        yield Outcome(file, row, State.INVALID, found, at[row])


def _known_outcomes(seen: pl.DataFrame, cells: pl.DataFrame) -> Iterator[Outcome]:
    """Rows that an earlier run refused or left uncertain, and that are not sent again."""
    at = _cells_of(seen[ROW], cells)
    for file, row, state, problems in seen.select(FILE, ROW, "state", "problems").iter_rows():
        yield Outcome(file, row, State(state), problems_of(problems), at[row])
