"""Preparation: splits a batch into rows that can be sent and problems of those that cannot.

Pure: a frame in, frames out. First the mapping is bound to the table's columns, once per table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.errors import Bug
from rdimport.core.messages.codes import Code
from rdimport.core.row import DEFECT, FILE, ROW
from rdimport.destination.rdstation.fields import MAX_BODY
from rdimport.mapping import Clean
from rdimport.prepare import validate
from rdimport.prepare.binding import COMPUTED, WHERE, Bound, Origin, bind
from rdimport.prepare.clean import email
from rdimport.prepare.clean.text import column
from rdimport.prepare.clean.text import filled as holds_something
from rdimport.prepare.dropped import without_invalid
from rdimport.prepare.earlier import Earlier, earlier
from rdimport.prepare.encode import by_status, filled, identity, payload
from rdimport.prepare.expressions import computed
from rdimport.prepare.trace import Cells, defects, in_order, of_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rdimport.mapping.targets import Target
    from rdimport.prepare.rewritten import Way

__all__ = ["IDENTITY", "PAYLOAD", "ROWS", "Bound", "Origin", "Prepared", "bind", "cells", "prepare"]

IDENTITY: Final = "identity"
PAYLOAD: Final = "payload"

ROWS: Final = {FILE: pl.UInt32, ROW: pl.UInt32, IDENTITY: pl.String, PAYLOAD: pl.String}
"""Schema of the rows that can be sent."""

_ENVELOPE: Final = 200
"""Bytes of a request body in addition to the payload, rounded up."""

_PER_BYTE: Final = 6
"""Maximum bytes in JSON of one byte of a cell: `\\u001f`."""

_PER_MEMBER: Final = 100
"""Bytes of a member in addition to its name and value, rounded up: also of a legal basis."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The result of one batch. Each row is in `rows`, in `problems`, or counted in `left_out`.

    `rows` has the schema `ROWS`, in the order of the batch. `problems` and `warnings` have the
    schema `schemas.PROBLEMS`, ordered by row: a row with problems is invalid, one with warnings is
    still sent. `beside` has the warnings of invalid rows.
    """

    rows: pl.DataFrame
    problems: pl.DataFrame
    warnings: pl.DataFrame
    beside: pl.DataFrame
    left_out: int
    cells: Cells = field(repr=False)
    """The well-formed rows selected by `where`, before and after cleaning, for a preview."""
    good: pl.DataFrame = field(repr=False)
    """The cleaned rows without failures."""

    def filled(self, rows: pl.Series) -> dict[str, int]:
        """For each field, how many of `rows` (their `ROW`) have it in their payload; also how many
        have a legal basis granted or declined.
        """
        good = self.good
        if rows.len() < good.height:
            good = good.filter(pl.col(ROW).is_in(rows.implode()))
        wanted = self.cells.bound.targets
        return good.select(**filled(wanted), **by_status(wanted)).row(0, named=True)

    def encoded(self, rows: pl.Series) -> pl.Series:
        """The payloads of some sendable rows, given by their `ROW`."""
        some = pl.DataFrame({ROW: rows}).join(self.good, on=ROW, how="left", maintain_order="left")
        bound = self.cells.bound
        return some.select(payload(bound.targets, bound.mapping).alias(PAYLOAD)).to_series()

    def identified(self, rows: pl.Series, bound: Bound) -> pl.DataFrame:
        """`ROW` and `IDENTITY` of some rows as another mapping, bound to the same table, reads
        them, and what their identifier `was` then.
        """
        sound = self.cells.sound.filter(pl.col(ROW).is_in(rows.implode()))
        if bound.computed:
            sound, _ = computed(sound, bound)
        named = ("conversion_identifier", *bound.mapping.identity)
        wanted = zip(bound.targets, bound.expressions, strict=True)
        frame = sound.select(ROW, *(column for target, column in wanted if target.name in named))
        return frame.select(ROW, *_identified(bound))

    def several_cells(self, fields: Collection[str]) -> bool:
        """Whether these fields are made of more than one column."""
        bound = self.cells.bound
        return len({name for field in fields for name in bound.columns[field]}) > 1

    def rewritten(self, some: pl.DataFrame, fields: Collection[str], way: Way) -> pl.DataFrame:
        """The same of some of the `good` rows, with the values of `fields` written in that way, or
        the cells that an expression or `values` makes them from.
        """
        lists = {name for name in fields if some.schema[name] != pl.String}
        written = some.with_columns(
            pl.col(name).list.eval(way(pl.element())) if name in lists else way(pl.col(name))
            for name in fields
        )
        of_cells = [target for target in self.cells.bound.targets if target.name in fields]
        of_cells = [one for one in of_cells if one.source.expr or one.source.values]
        if of_cells:
            read = self._from_rewritten(some[ROW], of_cells, way)
            written = written.drop(read.columns[1:]).join(read, on=ROW, maintain_order="left")
        return written.select(ROW, *_identified(self.cells.bound))

    def _from_rewritten(self, rows: pl.Series, wanted: list[Target], way: Way) -> pl.DataFrame:
        """`ROW` and some fields of some rows, read from cells that are written in that way."""
        bound = self.cells.bound
        names = {name for target in wanted for name in bound.columns[target.name]}
        sound = self.cells.sound.filter(pl.col(ROW).is_in(rows.implode()))
        sound = sound.with_columns(way(column(name)).alias(name) for name in names)
        ours = {f"{COMPUTED}{target.name}" for target in wanted}
        ours_only = {name: expr for name, expr in bound.computed.items() if name in ours}
        sound, _ = computed(sound, replace(bound, computed=ours_only))
        each = zip(bound.targets, bound.expressions, strict=True)
        return sound.select(ROW, *(field for target, field in each if target in wanted))

    def earlier(self) -> Earlier:
        """The rows whose identity was different in an earlier release."""
        return earlier(self.cells)

    def sent_earlier(self, rows: pl.Series) -> Prepared:
        """A copy with a warning for each of `rows` that an earlier release sent to a different
        address than the one read from it now.
        """
        if rows.is_empty():
            return self
        added = self.earlier().warnings.filter(pl.col(ROW).is_in(rows.implode()))
        warnings = pl.concat([self.warnings, added]).sort(FILE, ROW, maintain_order=True)
        return replace(self, warnings=warnings)

    def without(self, rows: pl.Series) -> Prepared:
        """A copy without these `rows`, whose results are already recorded."""
        other = ~pl.col(ROW).is_in(rows.implode())
        sound, frame = (part.filter(other) for part in (self.cells.sound, self.cells.frame))
        return replace(
            self,
            rows=self.rows.filter(other),
            problems=self.problems.filter(other),
            warnings=self.warnings.filter(other),
            beside=self.beside.filter(other),
            cells=replace(self.cells, sound=sound, frame=frame),
            good=self.good.filter(other),
        )


def prepare(batch: pl.DataFrame, bound: Bound, *, payloads: bool = True) -> Prepared:
    """Clean, validate and encode one batch of the table that the mapping is bound to.

    Without `payloads`, which a check does not keep, only batches that may have a row that is too
    large are encoded; the payloads of others are null.

    `batch` has `schemas.ORIGIN` and the table's columns, all of type String, with nulls for empty
    cells. Raises Bug if a row got lost.
    """
    batch_cells, wanted, unusable = cells(batch, bound)
    frame, warnings = _without_traffic(batch_cells)
    found = validate.failures(frame, bound.schema)
    frame, found, dropped = without_invalid(frame, found, bound)
    bad = pl.concat([found["index"], unusable["index"]]).unique()
    good = frame.filter(~pl.int_range(pl.len(), dtype=pl.UInt32).is_in(bad.implode()))
    rows, large = _encoded(good, bound, payloads=payloads)
    defective = batch.filter(pl.col(DEFECT).is_not_null())
    problems = [
        *defects(defective),
        *batch_cells.traced(unusable),
        *batch_cells.traced(found),
        *of_rows(large, pl.lit(Code.ROW_TOO_LARGE), pl.lit(str(MAX_BODY))),
    ]
    wrong = in_order(problems)
    suspect = in_order([*warnings, *batch_cells.traced(dropped), *_suspicions(batch_cells)])
    failed = pl.col(ROW).is_in(wrong[ROW].implode())
    already = wrong.select(ROW, "field")
    result = Prepared(
        rows=rows,
        problems=wrong,
        warnings=suspect.filter(~failed),
        beside=suspect.filter(failed).join(already, on=[ROW, "field"], how="anti"),
        left_out=batch.height - defective.height - wanted,
        cells=batch_cells,
        good=good,
    )
    _account(result, batch, bound)
    return result


def cells(batch: pl.DataFrame, bound: Bound) -> tuple[Cells, int, pl.DataFrame]:
    """The well-formed rows selected by `where`, before and after cleaning.

    Also returns their number, and the failures (`validate.FAILURES`) of SQL expressions.
    """
    batch = batch.rechunk()  # many small chunks are several times slower
    some = batch[DEFECT].null_count() < batch.height
    sound = batch.filter(pl.col(DEFECT).is_null()) if some else batch
    failed = pl.DataFrame(schema=validate.FAILURES)
    if bound.computed:
        sound, wrong = computed(sound, bound)
        position = pl.int_range(pl.len(), dtype=pl.UInt32)
        wanted = position.is_in(wrong["index"].implode())
        wanted = wanted | (pl.col(WHERE) if WHERE in sound.columns else pl.lit(value=True))
        kept = sound.with_columns(__index__=position).filter(wanted)
        failed = _failed(wrong, kept["__index__"], bound)
        sound = kept.drop("__index__")
    frame = sound.select(FILE, ROW, *bound.expressions)
    return Cells(sound, frame, bound), sound.height, failed


def _identified(bound: Bound) -> tuple[pl.Expr, pl.Expr]:
    text = identity(bound.targets, bound.mapping)
    return text.alias(IDENTITY), pl.col("conversion_identifier").alias("was")


def _encoded(
    good: pl.DataFrame, bound: Bound, *, payloads: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows without failures, encoded, and those of them that are too large to send."""
    if not payloads and _is_small(good, bound):
        identity_text = identity(bound.targets, bound.mapping).alias(IDENTITY)
        rows = good.select(FILE, ROW, identity_text, pl.lit(None, pl.String).alias(PAYLOAD))
        return rows, rows.clear()
    full = {name for name in good.columns if not good[name].null_count()}
    encoded = good.select(
        FILE,
        ROW,
        identity(bound.targets, bound.mapping).alias(IDENTITY),
        payload(bound.targets, bound.mapping, full).alias(PAYLOAD),
    )
    fits = pl.col(PAYLOAD).str.len_bytes() <= MAX_BODY - _ENVELOPE
    large = encoded.filter(~fits)
    return (encoded.filter(fits) if large.height else encoded), large


def _is_small(good: pl.DataFrame, bound: Bound) -> bool:
    """Whether no row can be too large, even if every byte of its cells becomes six bytes in JSON,
    and every item of a list three more.
    """
    texts = pl.col(pl.String).str.len_bytes().max()
    lists = pl.col(pl.List(pl.String)).list.eval(pl.element().str.len_bytes() + 3).list.sum().max()
    names = sum(len(target.field) + _PER_MEMBER for target in bound.targets)
    longest = sum(size or 0 for size in good.select(texts, lists).row(0))
    return names + _PER_BYTE * longest <= MAX_BODY - _ENVELOPE


def _failed(wrong: pl.DataFrame, kept: pl.Series, bound: Bound) -> pl.DataFrame:
    """Failed expressions, with positions counted after `where` was applied."""
    first = bound.targets[0].name
    by_column = {f"{COMPUTED}{target.name}": target.name for target in bound.targets}
    now = pl.DataFrame({"index": kept}).with_row_index("now").cast(pl.UInt32)
    return wrong.join(now, on="index", how="inner").select(
        index="now",
        target=pl.col("expression").replace_strict(by_column, default=first),
        code="code",
        detail="detail",
    )


def _without_traffic(batch: Cells) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Drop the fields that repeat the cookie in `traffic_source`, with a warning for each.

    RD rejects them next to the cookie, which contains the same facts as RD's own page recorded
    them.
    """
    frame, warnings = batch.frame, []
    beside = [name for name in validate.BESIDE_COOKIE if name in frame.columns]
    if not beside or "traffic_source" not in frame.columns:
        return frame, []
    has_cookie = validate.holds_cookie(pl.col("traffic_source")).fill_null(value=False)
    for name in beside:
        covered = frame.select((has_cookie & pl.col(name).is_not_null()).arg_true().alias("index"))
        code, nothing = pl.lit(Code.TRAFFIC_BESIDE_COOKIE), pl.lit("")
        warned = covered.select("index", target=pl.lit(name), code=code, detail=nothing)
        warnings += batch.traced(warned)
    kept = [pl.when(has_cookie.not_()).then(pl.col(name)).alias(name) for name in beside]
    return frame.with_columns(kept), warnings


def _suspicions(batch: Cells) -> list[pl.DataFrame]:
    """Cells that are valid but look wrong."""
    warnings = []
    placed = batch.frame.with_columns(index=pl.int_range(pl.len(), dtype=pl.UInt32))
    for target in batch.bound.targets:
        cell = pl.col(target.name)
        for code, cells_, detail in validate.suspicions(target):
            found = placed.filter(cells_(cell))
            if found.is_empty():
                continue
            problem = {"target": pl.lit(target.name), "code": pl.lit(code), "detail": detail(cell)}
            warnings += batch.traced(found.select("index", **problem))
        for code, changed in _changed(batch, target):
            problem = {"target": pl.lit(target.name), "code": pl.lit(code), "detail": cell}
            warnings += batch.traced(placed[changed].select("index", **problem))
    return warnings


def _changed(batch: Cells, target: Target) -> Iterator[tuple[str, pl.Series]]:
    """Positions of rows whose address lost accents or was found among words, so it may be another
    person's.
    """
    columns = [column(name) for name in batch.bound.columns[target.name]]
    if target.name != "email" or Clean.EMAIL not in target.cleaners or not columns:
        return
    given = [pl.when(holds_something(cell)).then(cell) for cell in columns]
    raw = pl.coalesce(given) if len(columns) > 1 else columns[0]
    cells = batch.sound.select(raw.alias("raw"), index=pl.int_range(pl.len(), dtype=pl.UInt32))
    # A valid address as it was written has lost nothing, and most are.
    others = cells.filter(cells["raw"].ne_missing(batch.frame[target.name]))
    if others.is_empty():
        return
    for code, changed in (
        (Code.EMAIL_ACCENTS, email.has_accents),
        (Code.EMAIL_FROM_TEXT, email.from_text),
    ):
        yield code, others.filter(changed(pl.col("raw")))["index"]


def _account(result: Prepared, batch: pl.DataFrame, bound: Bound) -> None:
    """Check that every row of the batch came out exactly once."""
    invalid = result.problems.select(pl.struct(FILE, ROW).n_unique()).item()
    if result.rows.height + invalid + result.left_out != batch.height:
        raise Bug(
            f"{bound.table}: {batch.height} rows in, but {result.rows.height} valid, {invalid} "
            f"invalid and {result.left_out} left out"
        )
