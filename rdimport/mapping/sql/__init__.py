"""SQL expressions over the columns of one row: text in, polars expression out.

A mapping is data and may come from a stranger. polars' own SQL can read files, fetch URLs and use
any amount of memory, so it never gets the text of a mapping. `grammar` parses the small language
that `functions` defines and writes it out in a canonical spelling, and only that goes to polars:
any difference in how two parsers read comments, quotes or escapes is gone by then. A parser of our
own, because sqlglot has no dialect for polars, and accepts hundreds of forms that would have to be
found and rejected.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl
from polars.exceptions import PolarsError

from rdimport.core.messages import _

if TYPE_CHECKING:
    from rdimport.mapping.sql.grammar import Checked


@lru_cache(maxsize=512)
def _checked(text: str) -> Checked:
    from rdimport.mapping.sql.grammar import check  # noqa: PLC0415  most mappings have none

    return check(text)


def parse(text: str) -> pl.Expr:
    """Parse an expression. Raises ValueError if it is invalid or exceeds the limits."""
    try:
        return pl.sql_expr(_checked(text).sql)
    except PolarsError as error:
        from rdimport.mapping.polars_words import why_not_computed  # noqa: PLC0415  few need it

        reason = why_not_computed(error)
        raise ValueError(_("not an SQL expression: {reason}", reason=reason)) from None


def columns(text: str) -> tuple[str, ...]:
    """The columns that an expression names, without duplicates, in order."""
    return _checked(text).columns
