"""Traces failing cells back to the file, row, column and value that the user knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.row import DEFECT, FILE, ROW
from rdimport.core.schemas import PROBLEMS
from rdimport.prepare.clean.text import column, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.mapping.targets import Target
    from rdimport.prepare.binding import Bound

POSITION: Final = "position"
"""The order in which the problems of one row are listed."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One batch before and after cleaning; both frames have the same rows in the same order."""

    sound: pl.DataFrame
    frame: pl.DataFrame
    bound: Bound

    def traced(self, failures: pl.DataFrame) -> list[pl.DataFrame]:
        """A frame of `validate.FAILURES` as problems, one frame per target."""
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
        """The source column and the cell's original text for a target.

        If several columns fill it, the first non-empty one; a constant has no column.
        """
        columns = self.bound.columns[target.name]
        if not columns:
            value = self.frame[at][target.name].cast(pl.String, strict=False)
            return pl.select(column=pl.lit(""), value=value)
        first = pl.struct(column=pl.lit(columns[0]), value=column(columns[0]))
        taken = [
            pl.when(filled(column(name))).then(pl.struct(column=pl.lit(name), value=column(name)))
            for name in columns
        ]
        return self.sound[at].select(pl.coalesce(*taken, first).alias("cell")).unnest("cell")


def of_rows(rows: pl.DataFrame, code: pl.Expr, detail: pl.Expr | None = None) -> list[pl.DataFrame]:
    """Problems that do not concern a single cell."""
    if not rows.height:
        return []
    empty = {name: pl.lit("") for name in ("field", "column", "value")}
    text = pl.lit("") if detail is None else detail
    place = pl.lit(-1, dtype=pl.Int32)
    return [rows.select(FILE, ROW, code=code, detail=text, position=place, **empty)]


def defects(defective: pl.DataFrame) -> list[pl.DataFrame]:
    """Malformed rows, with their defect as the only problem."""
    return of_rows(defective, pl.col(DEFECT))


def in_order(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Sort by row, and within a row by the order of the payload's fields."""
    if not parts:
        return pl.DataFrame(schema=PROBLEMS)
    together = pl.concat(parts, how="diagonal")
    return together.sort(FILE, ROW, POSITION, maintain_order=True).select(*PROBLEMS)
