"""The planner: reads, cleans and validates every row, and decides what happens to it before
sending.

A row either ends here (invalid, suppressed, a duplicate, known from an earlier run) or is spooled
to be sent. `check` and `run` share this code, so the first shows what the second will do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.errors import Bug
from rdimport.core.events import Observer, RowsRead, ignore_events
from rdimport.core.row import DEFECT, FILE, ROW, Problem, State
from rdimport.ledger import (
    Correction,
    Input,
    Names,
    Outcome,
    PendingRow,
    RowLog,
    SendAttempt,
    text_of,
)
from rdimport.mapping.identity_rule import identity_rule
from rdimport.mapping.targets import targets
from rdimport.plan.corrected import Corrections
from rdimport.plan.duplicates import AT, IDENTITY, UNCHANGED, Index
from rdimport.plan.history import EARLIER, UNORDERED, VERSION, Known, SendHistory
from rdimport.plan.invalid import Invalid, by_row
from rdimport.plan.known_rows import NO_SOURCES, SOURCE, KnownRows
from rdimport.plan.sent_otherwise import SentOtherwise
from rdimport.plan.suppression import NOBODY, Suppression
from rdimport.prepare import Bound, Origin, Prepared, bind, prepare
from rdimport.prepare.earlier import NOTHING
from rdimport.prepare.encode import DECLINED, GRANTED, Merger, compared, in_any_order

if TYPE_CHECKING:
    from rdimport.destination.rdstation.custom_fields import CustomFields
    from rdimport.mapping import Mapping
    from rdimport.plan.spool import Spool
    from rdimport.source import Table

PAYLOAD: Final = "__rdimport_payload__"
WARNINGS: Final = "__rdimport_warnings__"
_NAME: Final = "conversion_identifier"
_FIRST: Final = 1_000
"""Rows at the head of a plan that are stored and loaded separately."""

_OURS: Final = (FILE, ROW, IDENTITY, EARLIER, VERSION, PAYLOAD, SOURCE, WARNINGS)


@dataclass(slots=True)
class Plan:
    """The rows to send, in order: those of `spool` except the positions in `dropped`.

    `fields` maps each file to the source columns of its fields.
    """

    spool: Spool | None
    fields: list[Map[str, tuple[str, ...]]] = field(default_factory=list)
    columns: list[tuple[str, ...]] = field(default_factory=list)
    rows: int = 0
    about: frozenset[str] = frozenset()
    dropped: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={AT: pl.UInt32}))

    @property
    def to_send(self) -> int:
        """Number of rows to send."""
        return self.rows - self.dropped.height

    def at_most(self, limit: int | None) -> int:
        """Number of rows to send if at most `limit` may be."""
        return self.to_send if limit is None else min(limit, self.to_send)

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows to send, batch by batch: origin, identity, earlier identity, `VERSION`, payload,
        `known_rows.SOURCE`, warnings (`ledger.text_of`; null for none) and the source's cells.
        """
        if self.spool is None:
            raise Bug("this plan keeps no rows")
        start = 0
        for frame in self.spool.frames():
            dropped = within(self.dropped, start, frame.height)[AT]
            start += frame.height
            kept = ~pl.int_range(pl.len(), dtype=pl.UInt32).is_in(dropped.implode())
            yield frame.filter(kept) if dropped.len() else frame

    def pending_rows(self) -> Iterator[PendingRow]:
        """The rows to send, one by one."""
        for frame in self.frames():
            for file, row, key, _, version, payload, source, warnings, *cells in frame.iter_rows():
                text = in_any_order(compared(payload, self.about))
                part = text if text != payload else None
                outgoing = SendAttempt(key, file, row, payload, source, part, version)
                yield PendingRow(outgoing, tuple(cells), warnings)

    def trace(self, problem: Problem, file: int, cells: Sequence[str | None]) -> Problem:
        """Add to a problem of a field the column and value that the field came from."""
        at = dict(zip(self.columns[file], cells, strict=True))
        for column in self.fields[file].get(problem.field, ()):
            if at.get(column):
                return problem._replace(column=column, value=at[column] or "")
        return problem


def within(places: pl.DataFrame, start: int, rows: int) -> pl.DataFrame:
    """Those of the sorted positions `AT` that lie in `rows` rows from `start`, relative to
    `start`.
    """
    first, end = (places[AT].search_sorted(at) for at in (start, start + rows))
    return places[first:end].with_columns(pl.col(AT) - start)


def _blind(_: Prepared) -> None:
    """Ignore the batch."""


class Planner:
    """Plans one run, batch by batch, in bounded memory."""

    def __init__(
        self,
        mapping: Mapping,
        history: SendHistory,
        book: RowLog,
        spool: Spool | None,
        index: Index,
        *,
        catalogue: CustomFields | None = None,
        known_rows: KnownRows | None = None,
        suppression: Suppression = NOBODY,
        corrections: Corrections | None = None,
        observer: Observer = ignore_events,
        look: Callable[[Prepared], None] = _blind,
        interrupted: Callable[[], bool] = bool,
        today: str = "",
        payloads: bool = True,
        directory: Path | None = None,
    ) -> None:
        self._today = today
        self._payloads = payloads
        self._mapping = mapping
        self._history = history
        self._book = book
        self._observer = observer
        self._interrupted = interrupted
        self._catalogue = catalogue
        self._known_rows = known_rows
        self._suppression = suppression
        self._corrections = corrections
        self._look = look
        self._plan = Plan(spool, about=mapping.about)
        self._index = index
        self._recalled = 0
        self._sent_otherwise = SentOtherwise(mapping, history, directory)

    def make(
        self,
        tables: Sequence[Table],
        begun: Iterator[pl.DataFrame] | None = None,
        fingerprints: Iterator[str] | None = None,
    ) -> Plan:
        """Read all tables and make the plan; `begun` are the first one's batches, if it is being
        read already. The tables are recorded if their `fingerprints` are given. Raises
        MappingError or SourceError.

        If it raises or is interrupted, nothing may be sent: the rest of the input is unknown.
        """
        first = begun or tables[0].batches()
        bindings = list(map(self._binding, tables))
        bounds = [binding(self._mapping, account=self._catalogue) for binding in bindings]
        try:
            # first, so that `zip` exhausts them and their thread ends
            prints: Iterator[str | None] = fingerprints or repeat(None, len(tables))
            opened = zip(prints, tables, bindings, bounds, strict=True)
            for number, (fingerprint, table, binding, bound) in enumerate(opened):
                self._plan.columns.append(table.columns)
                self._plan.fields.append({t.field: bound.columns[t.name] for t in bound.targets})
                if fingerprint is not None:
                    self._book.record_input(number, self._input(table, fingerprint))
                self._sent_otherwise.begin_table(binding)
                for batch in table.batches() if number else first:
                    self._read(batch, bound)
                    self._observer(RowsRead(table.name, batch.height))
                    if self._interrupted():
                        return self._plan
        finally:
            self._record_recalled()
        self._choose_duplicates()
        self._note_sent_otherwise()
        if self._plan.spool is not None:
            self._plan.spool.written()
        self._book.keep_adopted()
        return self._plan

    def _binding(self, table: Table) -> Callable[..., Bound]:
        origin = Origin(PurePath(table.name).name, table.facts.sheet, self._today)
        return partial(bind, columns=table.columns, table=table.name, origin=origin)

    def _input(self, table: Table, fingerprint: str) -> Input:
        facts = table.facts
        return Input(
            table.name,
            table.columns,
            facts.encoding,
            facts.delimiter,
            facts.sheet,
            facts.header_row,
            self._mapping.source.repair,
            fingerprint,
        )

    def _read(self, batch: pl.DataFrame, bound: Bound) -> None:
        if self._known_rows is None:
            self._plan_batch(batch, bound, NO_SOURCES)
            return
        fresh = self._known_rows.part(batch, bound)
        if fresh.batch.height < batch.height:
            self._recalled += batch.height - fresh.batch.height
            self._sent_otherwise.see_recalled()
        if fresh.batch.height:
            imported = self._plan_batch(fresh.batch, bound, fresh.sources)
            self._known_rows.learn(imported, fresh.sources)

    def _record_recalled(self) -> None:
        """Record the rows known by their cells, at once: a run killed before has sent nothing."""
        if self._recalled:
            self._book.record_rows(self._recalled, 0, [], self._recalled)
            fields = (*chain(*self._plan.fields), GRANTED, DECLINED)
            self._book.count_filled(dict.fromkeys(fields, 0))

    def _plan_batch(self, batch: pl.DataFrame, bound: Bound, sources: pl.DataFrame) -> pl.DataFrame:
        """Record each row's result, or spool it; returns `ROW` and `IDENTITY` of known ones."""
        prepared = prepare(batch, bound, payloads=self._payloads)
        cells = batch.drop(FILE, DEFECT)
        final = self._mapping.on_duplicate != "merge"
        identified = self._identified(prepared)
        known = self._history.part(identified, cells, final=final, encode=prepared.encoded)
        prepared, known, kept = self._suppression.keep_back(prepared, known)
        if self._corrections is not None:
            self._note_corrections(self._corrections.made(identified, cells, bound.table))
            prepared, known, imported = self._corrections.set_apart(
                prepared, known, cells, self._history.resend
            )
            kept = [*kept, *imported]
        prepared = prepared.sent_earlier(known.by_earlier)
        self._look(prepared)
        suspect = by_row(prepared.warnings)
        invalid = Invalid(prepared.problems, cells, prepared.beside)
        ended = len(invalid) + len(known.ends) + len(kept) + known.already.height
        if batch.height != ended + known.rows.height + prepared.left_out:
            raise Bug(
                f"{bound.table}: {batch.height} rows in, but {ended} ended, {known.rows.height} to"
                f" send and {prepared.left_out} left out"
            )
        read = batch.height - prepared.left_out
        seen = (end._replace(warnings=suspect.get(end.row, ())) for end in known.ends)
        ends = [*invalid, *seen, *kept] if known.ends or kept else invalid
        self._book.record_rows(read, prepared.left_out, ends, known.already.height)
        fresh = known.rows.filter(~pl.col(UNCHANGED))[ROW]
        self._book.count_filled(prepared.filled(fresh))
        noted = pl.concat([known.rows[ROW], known.by_earlier]).unique(maintain_order=True)
        self._book.count_suspects(Counter(_codes(suspect, noted)))
        self._adopt(known)
        self._note_names(prepared, known, identified)
        self._put_away(
            known.rows.join(sources, on=ROW, how="left", maintain_order="left"), cells, suspect
        )
        return known.already

    def _identified(self, prepared: Prepared) -> pl.DataFrame:
        """The sendable rows with their current and earlier identities."""
        rows = prepared.rows.with_columns(self._history.identities(prepared.rows["identity"]))
        before = (prepared.earlier() if self._history.of_0_1 else NOTHING).identities
        once = self._history.identities(before["identity"]).alias(EARLIER)
        return rows.join(before.select(ROW, once), on=ROW, how="left", maintain_order="left")

    def _note_corrections(self, made: Sequence[Correction]) -> None:
        if made:
            self._book.note_corrections(made)

    def _note_names(self, prepared: Prepared, known: Known, identified: pl.DataFrame) -> None:
        """Count new and known rows by their conversion_identifier."""
        fresh = known.rows.filter(~pl.col(ROW).is_in(known.recognised.implode()))[ROW]
        if fresh.is_empty() and known.recognised.is_empty():
            return
        named = self._mapping.conversion_identifier.value
        text = str(prepared.good[_NAME][0]) if named else ""
        new, old = (_counted(prepared.good, rows) for rows in (fresh, known.recognised))
        rows = identified.select(ROW, IDENTITY)
        self._sent_otherwise.see(prepared, rows, fresh, known.recognised)
        self._book.note_names(self._names(text, new, old))

    def _note_sent_otherwise(self) -> None:
        counts = self._sent_otherwise.counts()
        if counts:
            self._book.note_names(self._names("", {}, {})._replace(otherwise=counts))

    def _names(self, text: str, new: dict[str, int], known: dict[str, int]) -> Names:
        rule = identity_rule(self._mapping)
        not_tried = frozenset(self._sent_otherwise.not_tried)
        return Names(self._identity(), text, new, known, self._columns(), rule, not_tried)

    def _identity(self) -> tuple[str, ...]:
        return tuple(name for name in dict.fromkeys(self._mapping.identity) if name != _NAME)

    def _columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of the identity fields other than the e-mail: another address is another
        person for RD.
        """
        fields = ((name, self._mapping.fields.get(name)) for name in self._identity())
        read = ((name, source.columns) for name, source in fields if source and name != "email")
        return {name: columns for name, columns in read if columns}

    def _adopt(self, known: Known) -> None:
        if known.adopted.height:
            last = self._mapping.on_duplicate != "first"
            pairs = known.adopted.rows() if last else reversed(known.adopted.rows())
            self._book.adopt(dict(pairs), last=last)

    def _put_away(
        self, rows: pl.DataFrame, cells: pl.DataFrame, suspect: dict[int, tuple[Problem, ...]]
    ) -> None:
        if rows.is_empty():
            return
        if self._plan.spool is not None:
            texts = {row: text_of(warnings) for row, warnings in suspect.items()}
            warned = [texts.get(row) for row in rows[ROW]] if texts else [None] * rows.height
            ours = rows.select(
                FILE, ROW, IDENTITY, EARLIER, VERSION, SOURCE, pl.col("payload").alias(PAYLOAD)
            )
            ours = ours.with_columns(pl.Series(WARNINGS, warned, pl.String))
            whole = ours.join(cells, on=ROW, how="left", maintain_order="left")
            whole = whole.select(*_OURS, *(c for c in cells.columns if c != ROW))
            self._spool(self._plan.spool, whole)
        self._plan.rows += rows.height
        self._index.add(rows)

    def _spool(self, spool: Spool, rows: pl.DataFrame) -> None:
        """Store rows to send. The first ones are stored separately, so that the first POST does not
        wait for the others.
        """
        if not len(spool):
            spool.put(rows.head(_FIRST))
            rows = rows.slice(_FIRST)
        if rows.height:
            spool.put(rows)

    def _choose_duplicates(self) -> None:
        """Choose the row to send among those of the same conversion."""
        keep = self._mapping.on_duplicate
        dropped, groups = [], []
        for choice in self._index.choose("last" if keep == "merge" else keep):
            instead = [
                Outcome(file, row, State.DUPLICATE, instead=(winning_file, winning_row))
                for file, row, winning_file, winning_row in choice.losers.iter_rows()
            ]
            self._book.record_rows(0, 0, instead, choice.unchanged)
            dropped.append(choice.dropped.to_frame(AT))
            groups.append(choice.groups)
        if self._plan.spool is not None and keep == "merge":
            self._merge(self._plan.spool, pl.concat(groups).sort(AT))
        else:
            self._plan.dropped = pl.concat(dropped).sort(AT)

    def _merge(self, spool: Spool, groups: pl.DataFrame) -> None:
        """Merge the payloads of each conversion's rows, and look them up in the history again.

        Only the merged payload shows whether it is the one that an earlier run sent.
        """
        merger = Merger(targets(self._mapping))
        start = 0

        def merged(frame: pl.DataFrame) -> pl.DataFrame:
            nonlocal start
            here = within(groups, start, frame.height)
            start += frame.height
            return self._whole(frame, here, merger)

        self._plan.rows = 0
        spool.change(merged)

    def _whole(self, frame: pl.DataFrame, groups: pl.DataFrame, merger: Merger) -> pl.DataFrame:
        """The rows of one batch to send, with payloads merged with those of their duplicates."""
        payloads = frame[PAYLOAD].to_list()
        unordered: list[str | None] = [None] * len(payloads)
        for at, wins in groups.iter_rows():
            merged = merger.feed(frame[IDENTITY][at], payloads[at], last=wins)
            if merged is not None and merged != payloads[at]:
                unordered[at], merged = merged, merger.in_order(merged)
            payloads[at] = merged
        frame = frame.with_columns(
            pl.Series(PAYLOAD, payloads, pl.String), pl.Series(UNORDERED, unordered, pl.String)
        )
        rows = frame.filter(pl.col(PAYLOAD).is_not_null())
        ids = rows.select(FILE, ROW, IDENTITY, EARLIER, UNORDERED, pl.col(PAYLOAD).alias("payload"))
        rows = rows.drop(UNORDERED)
        known = self._history.part(
            ids,
            rows.drop(name for name in _OURS if name != ROW),
            final=True,
        )
        sent = known.rows.filter(~pl.col(UNCHANGED))[ROW]
        already = known.already.height + known.rows.height - sent.len()
        self._book.record_rows(0, 0, known.ends, already)
        self._adopt(known)
        self._plan.rows += sent.len()
        return rows.filter(pl.col(ROW).is_in(sent.implode()))


def _counted(rows: pl.DataFrame, wanted: pl.Series) -> dict[str, int]:
    """For each conversion_identifier, how many of its rows are `wanted`."""
    if wanted.is_empty():
        return {}
    some = rows.filter(pl.col(ROW).is_in(wanted.implode()))
    return dict(some[_NAME].value_counts().iter_rows())


def _codes(suspect: dict[int, tuple[Problem, ...]], rows: pl.Series) -> Iterator[str]:
    """The codes of all warnings of some rows."""
    if suspect:
        for row in rows:
            yield from (warning.code for warning in suspect.get(row, ()))
