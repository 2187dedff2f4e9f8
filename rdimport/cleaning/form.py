"""Cleaners that give a cell the form of a JSON type: booleans, lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.cleaning.text import bare, text

if TYPE_CHECKING:
    from collections.abc import Sequence

YES: Final = (
    "1 s si sim y yes t true v verdadeiro verdadera x ok on aceito aceita concordo granted".split()
)
NO: Final = "0 n na nao no f false falso falsa off recuso recusa discordo declined".split()

_ANSWERS: Final = {**dict.fromkeys(YES, "true"), **dict.fromkeys(NO, "false")}


def boolean(cell: pl.Expr) -> pl.Expr:
    """`Sim`, `S`, `x` to `true`, `Não`, `N`, `0` to `false`; anything else stays as it is."""
    tidy = text(cell)
    word = bare(tidy).str.strip_chars(".!")
    found = word.replace_strict(_ANSWERS, default=None, return_dtype=pl.String)
    return pl.coalesce(found, tidy)


def items(cell: pl.Expr, separator: str | None) -> pl.Expr:
    """A cell as a list of its items, without spaces around them; an empty cell is an empty list."""
    if separator is None:
        return pl.when(cell.is_not_null()).then(pl.concat_list(cell)).otherwise(constant([]))
    mark = re.escape(separator)
    tight = cell.str.replace_all(rf"\s*{mark}(?:\s|{mark})*", separator.replace("$", "$$"))
    cut = tight.str.strip_prefix(separator).str.strip_suffix(separator).str.split(separator)
    return pl.when(cell.is_not_null()).then(cut).otherwise(constant([]))


def constant(values: Sequence[str]) -> pl.Expr:
    """The same list for every row."""
    return pl.lit(pl.Series([list(values)], dtype=pl.List(pl.String))).first()


def unique(cells: pl.Expr) -> pl.Expr:
    """Every item once, in the order in which they first came; no items are null."""
    once = cells.list.drop_nulls().list.unique(maintain_order=True)
    return pl.when(once.list.len() > 0).then(once)
