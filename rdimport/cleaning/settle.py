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


def fast(cell: pl.Expr, quick: Cleaner, slow: Cleaner) -> pl.Expr:
    """`quick` over all cells; `slow` over the original of those for which it gives null."""

    def both(cells: pl.Series) -> pl.Series:
        frame = cells.alias("cell").to_frame().with_row_index("at")
        done = frame.select("at", "cell", quick(pl.col("cell")).alias("quick"))
        settled = done["quick"]
        todo = done.filter(pl.col("quick").is_null() & pl.col("cell").is_not_null())
        if not todo.height:
            return settled
        cleaned = todo.select("at", slow(pl.col("cell")).alias("cell"))
        return settled.scatter(cleaned["at"], cleaned["cell"])

    return cell.map_batches(both, return_dtype=pl.String, is_elementwise=True)
