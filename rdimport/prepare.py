"""A batch of a table to the rows that can be sent and the problems of those that cannot.

Pure: a frame in, frames out. The mapping is first bound to the table's columns, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport import names, validation
from rdimport.cleaning import cleaned
from rdimport.cleaning.text import filled
from rdimport.errors import MappingError
from rdimport.mapping.targets import Target, targets
from rdimport.payload import identity, payload
from rdimport.row import DEFECT, FILE, PROBLEMS, ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandera.polars as pa

    from rdimport.mapping import Mapping

IDENTITY: Final = "identity"
PAYLOAD: Final = "payload"

ROWS: Final = {FILE: pl.UInt32, ROW: pl.UInt32, IDENTITY: pl.String, PAYLOAD: pl.String}
"""Schema of the rows that can be sent."""


@dataclass(frozen=True)
class Bound:
    """A mapping that fits one table: which of its columns fill which target."""

    mapping: Mapping
    table: str
    targets: tuple[Target, ...]
    columns: dict[str, tuple[str, ...]]
    """By target, the table's own names of the columns that it is filled from."""
    expressions: tuple[pl.Expr, ...] = field(repr=False)
    """By position of the target, the cleaned column over the table's columns."""
    schema: pa.DataFrameSchema = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of one batch: every row is in `rows`, in `problems` or counted in `left_out`.

    `rows` has the schema `ROWS`, in the order of the batch. `problems` and `warnings` have the
    schema `row.PROBLEMS`, ordered by row; a row of `problems` is invalid, one of `warnings` is sent
    all the same.
    """

    rows: pl.DataFrame
    problems: pl.DataFrame
    warnings: pl.DataFrame
    left_out: int


def bind(mapping: Mapping, columns: Sequence[str], table: str) -> Bound:
    """Find the mapping's columns in a table. Raises MappingError that names every missing one."""
    by_name = {names.fold(column): column for column in reversed(columns)}
    missing = [name for name in mapping.columns() if names.fold(name) not in by_name]
    if missing:
        raise _missing(missing, columns, table)
    wanted = targets(mapping)
    found = {t.name: tuple(by_name[names.fold(c)] for c in t.source.columns) for t in wanted}
    return Bound(
        mapping=mapping,
        table=table,
        targets=wanted,
        columns=found,
        expressions=tuple(_expression(target, found[target.name]) for target in wanted),
        schema=validation.schema(mapping),
    )


def _expression(target: Target, columns: Sequence[str]) -> pl.Expr:
    """The target's cleaned column over the table's own columns; a constant is cleaned only once."""
    if columns:
        return cleaned(_first_filled(columns), target)
    once = pl.select(cleaned(pl.lit(target.source.value, dtype=pl.String), target)).to_series()
    return pl.lit(once).first().alias(target.name)


def _first_filled(columns: Sequence[str]) -> pl.Expr:
    """The first cell that holds more than spaces."""
    if len(columns) == 1:
        return pl.col(columns[0])
    return pl.coalesce(pl.when(filled(pl.col(column))).then(pl.col(column)) for column in columns)


def _missing(missing: Sequence[str], columns: Sequence[str], table: str) -> MappingError:
    lines = []
    for name in missing:
        best = names.did_you_mean(name, columns)
        hint = f"; did you mean “{best}”?" if best else ""
        lines.append(f"{table}: has no column “{name}”{hint}")
    known = ", ".join(f"“{column}”" for column in columns)
    return MappingError(
        "\n".join(lines), f"Correct the column in the mapping. The file's columns are {known}."
    )


def prepare(batch: pl.DataFrame, bound: Bound) -> Prepared:
    """Clean, validate and encode one batch of the table that the mapping is bound to.

    `batch` has `row.ORIGIN` and the table's columns, all text, empty cells null. Raises
    RuntimeError if a row got lost on the way, which would be a bug.
    """
    defective = batch.filter(pl.col(DEFECT).is_not_null())
    sound = batch.filter(pl.col(DEFECT).is_null()) if defective.height else batch
    cells = _Batch(sound, sound.select(FILE, ROW, *bound.expressions), bound)
    frame, warnings = _without_traffic(cells)
    found = validation.failures(frame, bound.schema)
    good = ~pl.int_range(pl.len(), dtype=pl.UInt32).is_in(found["index"].unique().implode())
    result = Prepared(
        rows=frame.filter(good).select(
            FILE,
            ROW,
            identity(bound.targets, bound.mapping).alias(IDENTITY),
            payload(bound.targets, bound.mapping).alias(PAYLOAD),
        ),
        problems=_in_order([*_defects(defective), *cells.traced(found)]),
        warnings=warnings,
        left_out=batch.height - defective.height - sound.height,
    )
    invalid = result.problems.select(pl.struct(FILE, ROW).n_unique()).item()
    if result.rows.height + invalid + result.left_out != batch.height:
        raise RuntimeError(
            f"{bound.table}: {batch.height} rows in, but {result.rows.height} valid, {invalid} "
            f"invalid and {result.left_out} left out"
        )
    return result


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch before and after cleaning: the rows of both stand at the same positions."""

    sound: pl.DataFrame
    frame: pl.DataFrame
    bound: Bound

    def traced(self, failures: pl.DataFrame) -> list[pl.DataFrame]:
        """Failing cells traced back to file, row, column and original value, by target."""
        if not failures.height:
            return []
        by_target = failures.partition_by("target", as_dict=True)
        return [
            self._trace(by_target[target.name,], target, position)
            for position, target in enumerate(self.bound.targets)
            if (target.name,) in by_target
        ]

    def _trace(self, failing: pl.DataFrame, target: Target, position: int) -> pl.DataFrame:
        at = failing["index"]
        cell = self._cells(at, target)
        return self.sound[at].select(
            FILE,
            ROW,
            code=failing["code"],
            field=pl.lit(target.field),
            column=cell["column"],
            value=cell["value"].fill_null(""),
            detail=failing["detail"],
            position=pl.lit(position, dtype=pl.Int32),
        )

    def _cells(self, at: pl.Series, target: Target) -> pl.DataFrame:
        """The column and the value, as they are in the file, that a target was filled from."""
        columns = self.bound.columns[target.name]
        if not columns:
            value = self.frame[at][target.name].cast(pl.String, strict=False)
            return pl.select(column=pl.lit(""), value=value)
        first = pl.struct(column=pl.lit(columns[0]), value=pl.col(columns[0]))
        taken = [
            pl.when(filled(pl.col(name))).then(pl.struct(column=pl.lit(name), value=pl.col(name)))
            for name in columns
        ]
        return self.sound[at].select(pl.coalesce(*taken, first).alias("cell")).unnest("cell")


def _without_traffic(batch: _Batch) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Leave out the fields that the cookie in `traffic_source` speaks for, and warn of each.

    RD wants them absent beside the cookie, which holds the same facts as RD's own page saw them.
    """
    frame, warnings = batch.frame, []
    beside = [name for name in validation.BESIDE_COOKIE if name in frame.columns]
    if not beside or "traffic_source" not in frame.columns:
        return frame, pl.DataFrame(schema=PROBLEMS)
    has_cookie = validation.holds_cookie(pl.col("traffic_source")).fill_null(value=False)
    for name in beside:
        covered = frame.select((has_cookie & pl.col(name).is_not_null()).arg_true().alias("index"))
        warnings += batch.traced(
            covered.select(
                "index",
                target=pl.lit(name),
                code=pl.lit("traffic.beside_cookie"),
                detail=pl.lit(""),
            )
        )
    kept = [pl.when(has_cookie.not_()).then(pl.col(name)).alias(name) for name in beside]
    return frame.with_columns(kept), _in_order(warnings)


def _defects(defective: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows that are no sound records: their defect is their only problem."""
    if not defective.height:
        return []
    empty = {name: pl.lit("") for name in ("field", "column", "value", "detail")}
    code = pl.col(DEFECT).alias("code")
    return [defective.select(FILE, ROW, code, position=pl.lit(-1, dtype=pl.Int32), **empty)]


def _in_order(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """By row, and within a row by the order of the payload's fields."""
    if not parts:
        return pl.DataFrame(schema=PROBLEMS)
    together = pl.concat(parts, how="diagonal")
    return together.sort(FILE, ROW, "position", maintain_order=True).select(*PROBLEMS)
