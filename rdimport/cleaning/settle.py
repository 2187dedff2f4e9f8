"""Spend time only on the cells that need it."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

Cleaner = Callable[[pl.Expr], pl.Expr]


def where(cell: pl.Expr, needs_it: Cleaner, clean: Cleaner) -> pl.Expr:
    """`clean` over the cells that `needs_it` marks; the others stay as they are.

    `pl.when` computes both sides for all rows of a batch as soon as one row needs it, and one row
    nearly always does.
    """

    def only_those(cells: pl.Series) -> pl.Series:
        frame = cells.alias("cell").to_frame().with_row_index("at")
        todo = frame.filter(needs_it(pl.col("cell")))
        if not todo.height:
            return cells
        cleaned = todo.select("at", clean(pl.col("cell")).alias("cell"))
        return cells.scatter(cleaned["at"], cleaned["cell"])

    return cell.map_batches(only_those, return_dtype=pl.String, is_elementwise=True)


def stages(cell: pl.Expr, *attempts: Cleaner) -> pl.Expr:
    """The first attempt that gives a value; each sees only the cells that those before left null.

    Put the attempt that settles most cells first, and the dear one last.
    """

    def settle(cells: pl.Series) -> pl.Series:
        todo = cells.alias("cell").to_frame().with_row_index("at").drop_nulls("cell")
        settled = pl.Series("cell", [None], dtype=pl.String).new_from_index(0, cells.len())
        for attempt in attempts:
            tried = todo.select("at", "cell", attempt(pl.col("cell")).alias("new"))
            if tried.height == cells.len():
                settled = tried["new"]
            elif tried.height:
                settled = settled.scatter(tried["at"], tried["new"])
            todo = tried.filter(pl.col("new").is_null()).select("at", "cell")
            if not todo.height:
                break
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
        known = frame.unique()
        if known.height * 2 > frame.height:
            return frame.select(clean(pl.col("cell")).alias("new"))["new"]
        done = known.select("cell", clean(pl.col("cell")).alias("new"))
        joined = frame.join(done, on="cell", how="left", nulls_equal=True, maintain_order="left")
        return joined["new"]

    return cell.map_batches(by_value, return_dtype=dtype, is_elementwise=True)
