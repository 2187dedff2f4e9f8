"""SQL expressions over the columns of one row: in comes text, out comes an expression of polars.

A mapping is data, and may come from a stranger. polars' own SQL reads files, fetches addresses and
takes whatever memory an expression asks for, so it never sees the text of a mapping. `grammar`
reads the small language that `functions` lists and writes it again, in one spelling, and only what
it wrote goes to polars: whatever the two might read differently (comments, quotes, escapes) is gone
by then. A parser of ours in place of a general one: sqlglot knows no dialect of polars, and would
accept hundreds of forms of which all but these would have to be found and refused.
"""

from __future__ import annotations

from functools import lru_cache

import polars as pl
from polars.exceptions import PolarsError

from rdimport.core.messages import _
from rdimport.mapping.sql.functions import FUNCTIONS, OPERATORS, SAMPLE, Function
from rdimport.mapping.sql.grammar import Checked, check

__all__ = ["FUNCTIONS", "OPERATORS", "SAMPLE", "Function", "columns", "parse"]


@lru_cache(maxsize=512)
def _checked(text: str) -> Checked:
    return check(text)


def parse(text: str) -> pl.Expr:
    """The expression. Raises ValueError if it does not parse or exceeds the limits."""
    try:
        return pl.sql_expr(_checked(text).sql)
    except PolarsError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(_("not an SQL expression: {reason}", reason=reason)) from None


def columns(text: str) -> tuple[str, ...]:
    """The columns that an expression names, each once, in the order in which they come."""
    return _checked(text).columns
