"""Spend time only on the cells that need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

_LOOKED_AT: Final = 1_000
"""Cells by which it is judged whether a column repeats itself."""

Cleaner = Callable[[pl.Expr], pl.Expr]


def where(cell: pl.Expr, needs_it: Cleaner, clean: Cleaner) -> pl.Expr:
    """`clean` over the cells that `needs_it` marks; the others stay as they are.

    `pl.when` computes both sides for all rows of a batch as soon as one row needs it, and one row
    nearly always does.
    """

    def only_those(cells: pl.Series) -> pl.Series:
        frame = cells.alias("cell").to_frame()
        at = frame.select(needs_it(pl.col("cell")).arg_true()).to_series()
        if not at.len():
            return cells
        return cells.scatter(at, frame[at].select(clean(pl.col("cell"))).to_series())

    return cell.map_batches(only_those, return_dtype=pl.String, is_elementwise=True)


def stages(cell: pl.Expr, *attempts: Cleaner) -> pl.Expr:
    """The first attempt that gives a value; each sees only the cells that those before left null.

    Put the attempt that settles most cells first, and the dear one last.
    """

    def settle(cells: pl.Series) -> pl.Series:
        frame = cells.alias("cell").to_frame()
        first, *others = attempts
        settled = frame.select(first(pl.col("cell"))).to_series()
        left = pl.col("cell").is_not_null() & settled.is_null()
        at = frame.select(left.arg_true()).to_series()
        for attempt in others:
            if not at.len():
                break
            tried = frame[at].select(attempt(pl.col("cell"))).to_series()
            settled = settled.scatter(at, tried)
            at = at.filter(tried.is_null())
        return settled

    return cell.map_batches(settle, return_dtype=pl.String, is_elementwise=True)


def distinct(cell: pl.Expr, clean: Callable[[str], str]) -> pl.Expr:
    """A function of Python over each different value once."""

    def each(cells: pl.Series) -> pl.Series:
        known = cells.drop_nulls().unique()
        cleaned = pl.Series([clean(value) for value in known], dtype=pl.String)
        return cells.replace_strict(known, cleaned, default=None, return_dtype=pl.String)

    return cell.map_batches(each, return_dtype=pl.String, is_elementwise=True)


def once_each(cell: pl.Expr, clean: Cleaner, dtype: pl.DataType) -> pl.Expr:
    """`clean` over each different value once, where cells repeat themselves."""

    def by_value(cells: pl.Series) -> pl.Series:
        frame = cells.alias("cell").to_frame()
        if cells.head(_LOOKED_AT).n_unique() * 2 >= min(cells.len(), _LOOKED_AT):
            return frame.select(clean(pl.col("cell"))).to_series()
        known = cells.unique()
        done = known.to_frame("cell").select(clean(pl.col("cell"))).to_series()
        number = pl.int_range(known.len(), dtype=pl.UInt32, eager=True)
        return done.gather(cells.replace_strict(known, number, return_dtype=pl.UInt32))

    return cell.map_batches(by_value, return_dtype=dtype, is_elementwise=True)
