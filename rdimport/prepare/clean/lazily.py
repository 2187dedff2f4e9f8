"""Applies expensive expressions only to the cells that need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

_LOOKED_AT: Final = 1_000
"""Number of cells sampled to decide whether a column repeats its values."""

Cleaner = Callable[[pl.Expr], pl.Expr]


def where(cell: pl.Expr, needs_it: Cleaner, clean: Cleaner) -> pl.Expr:
    """Apply `clean` to the cells for which `needs_it` is true; the others are unchanged.

    `pl.when` evaluates both branches for all rows of a batch as soon as one row needs it, and one
    row nearly always does.
    """

    def only_those(cells: pl.Series) -> pl.Series:
        frame = cells.alias("cell").to_frame()
        at = frame.select(needs_it(pl.col("cell")).arg_true()).to_series()
        if not at.len():
            return cells
        return cells.scatter(at, frame[at].select(clean(pl.col("cell"))).to_series())

    return cell.map_batches(only_those, return_dtype=pl.String, is_elementwise=True)


def stages(cell: pl.Expr, *attempts: Cleaner) -> pl.Expr:
    """The first attempt that gives a value; each one sees only the cells still null.

    Put the attempt that settles most cells first, and the most expensive one last.
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


def in_turn(*cleaners: Cleaner) -> Cleaner:
    """Each cleaner applied to what the one before it gives.

    `after(before(cell))` evaluates `before` as often as `after` refers to its cell.
    """

    def one_by_one(cells: pl.Series) -> pl.Series:
        for clean in cleaners:
            cells = cells.alias("cell").to_frame().select(clean(pl.col("cell"))).to_series()
        return cells

    return lambda cell: cell.map_batches(one_by_one, return_dtype=pl.String, is_elementwise=True)


def distinct(cell: pl.Expr, clean: Callable[[str], str]) -> pl.Expr:
    """Apply a Python function once to each distinct value."""

    def each(cells: pl.Series) -> pl.Series:
        known = cells.drop_nulls().unique()
        cleaned = pl.Series([clean(value) for value in known], dtype=pl.String)
        return cells.replace_strict(known, cleaned, default=None, return_dtype=pl.String)

    return cell.map_batches(each, return_dtype=pl.String, is_elementwise=True)


def once_each(cell: pl.Expr, clean: Cleaner, dtype: pl.DataType) -> pl.Expr:
    """Apply `clean` once to each distinct value, if values repeat."""

    def by_value(cells: pl.Series) -> pl.Series:
        frame = cells.alias("cell").to_frame()
        if cells.head(_LOOKED_AT).n_unique() * 2 >= min(cells.len(), _LOOKED_AT):
            return frame.select(clean(pl.col("cell"))).to_series()
        known = cells.unique()
        done = known.to_frame("cell").select(clean(pl.col("cell"))).to_series()
        if done.dtype == known.dtype and done.equals(known):
            return cells
        number = pl.int_range(known.len(), dtype=pl.UInt32, eager=True)
        return done.gather(cells.replace_strict(known, number, return_dtype=pl.UInt32))

    return cell.map_batches(by_value, return_dtype=dtype, is_elementwise=True)
