"""SQL expressions over a batch, where one bad cell must not stop the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars.exceptions import PolarsError

from rdimport.prepare.binding import WHERE
from rdimport.prepare.clean.text import column

if TYPE_CHECKING:
    from rdimport.prepare.binding import Bound

FAILED: Final = {"index": pl.UInt32, "expression": pl.String, "detail": pl.String}
"""Rows for which an expression gave no value: position in the batch, its column, polars' words."""


def computed(batch: pl.DataFrame, bound: Bound) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The batch with the columns that the mapping's expressions add, and a frame of `FAILED`."""
    aliased = batch.with_columns(column(real).alias(name) for name, real in bound.aliases.items())
    failed = []
    columns = []
    for name, expression in bound.computed.items():
        values, wrong = _evaluate(aliased, expression)
        shaped = values.cast(pl.Boolean) if name == WHERE else _as_text(values)
        columns.append(shaped.alias(name))
        failed += [(index, name, detail) for index, detail in wrong]
    return batch.with_columns(columns), pl.DataFrame(failed, schema=FAILED, orient="row")


def _evaluate(frame: pl.DataFrame, expression: pl.Expr) -> tuple[pl.Series, list[tuple[int, str]]]:
    """All values; where the whole fails, each half for itself, down to the rows that are bad."""
    try:
        return frame.with_columns(expression.alias("__value__"))["__value__"], []
    except PolarsError as error:
        if frame.height <= 1:
            nothing = pl.Series([None] * frame.height, dtype=pl.Null)
            return nothing, [(0, str(error).splitlines()[0])][: frame.height]
    middle = frame.height // 2
    first, wrong_first = _evaluate(frame[:middle], expression)
    second, wrong_second = _evaluate(frame[middle:], expression)
    together = pl.concat([first.to_frame("x"), second.to_frame("x")], how="vertical_relaxed")["x"]
    return together, wrong_first + [(at + middle, told) for at, told in wrong_second]


def _as_text(values: pl.Series) -> pl.Series:
    """Whole numbers without a point, all else as polars writes it."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        text = values.cast(pl.String)
        return pl.select(
            pl.when(values == whole).then(whole.cast(pl.String)).otherwise(text)
        ).to_series()
    return values.cast(pl.String, strict=False)
