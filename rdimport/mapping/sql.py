"""SQL expressions over the columns of one row, as polars reads them."""

from __future__ import annotations

from typing import Final

import polars as pl
from polars.exceptions import PolarsError

_PROBE: Final = ("1", "2", "Ana", "2026-12-31", "", None)
"""Cells with which an expression shows whether it looks at other rows than its own."""


def parse(text: str) -> pl.Expr:
    """The expression. Raises ValueError when it is none, or looks at more than its own row.

    An expression that counts, sums or ranks would depend on where a batch begins.
    """
    try:
        expression = pl.sql_expr(text)
        names = _names(expression)
    except PolarsError as error:
        raise ValueError(_told(error)) from None
    probe = pl.DataFrame(dict.fromkeys(names or ("",), _PROBE), strict=False)
    alone, kept = [], []
    told = ""
    for position in range(len(_PROBE)):
        try:
            alone.append(probe[[position]].select(expression.alias("x")))
            kept.append(position)
        except PolarsError as error:
            told = _told(error)
    if not kept:
        raise ValueError(told)
    try:
        together = probe[kept].with_columns(expression.alias("x")).select("x")
        same = together.equals(pl.concat(alone))
    except PolarsError:
        same = False
    if not same:
        raise ValueError("an expression may look at its own row only, not count, sum or rank rows")
    return expression


def columns(text: str) -> tuple[str, ...]:
    """The columns that an expression names, each once, in the order in which they come."""
    return _names(pl.sql_expr(text))


def _names(expression: pl.Expr) -> tuple[str, ...]:
    return tuple(dict.fromkeys(expression.meta.root_names()))


def _told(error: PolarsError) -> str:
    return f"not an SQL expression: {str(error).splitlines()[0]}"
