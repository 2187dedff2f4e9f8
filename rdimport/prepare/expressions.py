"""Evaluates SQL expressions over a batch, so that one bad cell does not affect the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl
from polars.exceptions import PanicException, PolarsError

from rdimport.core.messages.codes import Code
from rdimport.prepare.binding import WHERE
from rdimport.prepare.clean.text import column

if TYPE_CHECKING:
    from rdimport.prepare.binding import Bound

FAILED: Final = {
    "index": pl.UInt32,
    "expression": pl.String,
    "code": pl.String,
    "detail": pl.String,
}
"""Rows for which an expression failed: position in the batch, its column, code, detail."""

_CONVERSION: Final = re.compile(r"values: \[(.*)\]")
MOST_RESULT: Final = 32_767
"""Maximum length of an expression's result in characters: that of a cell in Excel."""


def computed(batch: pl.DataFrame, bound: Bound) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The batch with the columns of the mapping's expressions, and a frame of `FAILED`."""
    aliased = batch.with_columns(column(real).alias(name) for name, real in bound.aliases.items())
    failed = []
    columns = []
    for name, expression in bound.computed.items():
        values, wrong = _evaluate(aliased, expression)
        failed += [(index, name, Code.EXPR_FAILED, detail) for index, detail in wrong]
        if name == WHERE:
            columns.append(values.cast(pl.Boolean).alias(name))
            continue
        text, long = _bounded(_as_text(values))
        failed += [(index, name, Code.EXPR_TOO_LONG, str(MOST_RESULT)) for index in long]
        columns.append(text.alias(name))
    return batch.with_columns(columns), pl.DataFrame(failed, schema=FAILED, orient="row")


def _bounded(text: pl.Series) -> tuple[pl.Series, list[int]]:
    """The texts that are short enough, and the positions of the others."""
    long = (text.str.len_chars() > MOST_RESULT).fill_null(value=False)
    if not long.any():
        return text, []
    kept = pl.select(pl.when(~long).then(text)).to_series()
    return kept, long.arg_true().to_list()


def _evaluate(frame: pl.DataFrame, expression: pl.Expr) -> tuple[pl.Series, list[tuple[int, str]]]:
    """Evaluate all values; on failure, bisect the rows to find the bad ones."""
    try:
        return frame.with_columns(expression.alias("__value__"))["__value__"], []
    except (PolarsError, PanicException) as error:
        if frame.height <= 1:
            nothing = pl.Series([None] * frame.height, dtype=pl.Null)
            return nothing, [(0, _what_failed(error))][: frame.height]
    middle = frame.height // 2
    first, wrong_first = _evaluate(frame[:middle], expression)
    second, wrong_second = _evaluate(frame[middle:], expression)
    together = pl.concat([first.to_frame("x"), second.to_frame("x")], how="vertical_relaxed")["x"]
    return together, wrong_first + [(at + middle, reason) for at, reason in wrong_second]


def _what_failed(error: BaseException) -> str:
    """The cell that could not be converted, which polars names at the end of an English sentence:
    details are read in either language.
    """
    said = str(error).splitlines()[0]
    found = _CONVERSION.search(said)
    return found[1] if found else said


def _as_text(values: pl.Series) -> pl.Series:
    """Convert to text: whole numbers without a decimal point, all else as polars formats it."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        text = values.cast(pl.String)
        return pl.select(
            pl.when(values == whole).then(whole.cast(pl.String)).otherwise(text)
        ).to_series()
    return values.cast(pl.String, strict=False)
