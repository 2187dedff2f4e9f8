"""E-mail addresses as people type them, to the form in which RD keeps its contacts apart."""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.cleaning.settle import where
from rdimport.cleaning.text import bare

_TIDY: Final = r"^[a-z0-9._%+-]+@[a-z0-9.-]+[a-z]$"
"""Nothing to clean; whether it is an address is for the validation to say."""

_IN_BRACKETS: Final = r"<\s*([^<>\s]+@[^<>\s]+)\s*>"
_FIRST_OF_SEVERAL: Final = r"^[\s;,/|]*([^\s;,/|@]+@[^\s;,/|@]+)[\s;,/|]+\S*@"
_AROUND: Final = " \t'\"<>()[]{}.,;:/\\|"

SYNTAX: Final = (
    r"^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$"
)
"""The dot-atom of RFC 5322 at a host name of RFC 1123, which is what mail providers give out.

Quoted local parts, comments and address literals are legal and belong to nobody's customer.
"""


def email(cell: pl.Expr) -> pl.Expr:
    """`Ana <mailto:ANA@x.com>,` to `ana@x.com`."""
    plain = cell.str.strip_chars().str.to_lowercase()
    return where(plain, lambda c: c.str.contains(_TIDY).not_(), _address)


def first_of_several(cell: pl.Expr) -> pl.Expr:
    """The first address of a cell that holds several."""
    return pl.coalesce(cell.str.extract(_FIRST_OF_SEVERAL), cell)


def _address(cell: pl.Expr) -> pl.Expr:
    """What is left when everything around an address is taken away; never nothing, if there was
    something, so that the report can show it."""
    plain = bare(cell).str.replace_all(r"[\p{Cf}\p{Cc}]", " ").str.strip_chars()
    one = plain.str.count_matches("@") < 2
    address = (
        pl.coalesce(plain.str.extract(_IN_BRACKETS), plain)
        .str.replace(r"^\s*(?:mailto|e-?mail)\s*:\s*", "")
        .str.replace_all(r"\s+", "")
        .str.strip_chars(_AROUND)
    )
    cleaned = pl.when(one & (address != "")).then(address).otherwise(plain)
    return pl.when(cleaned != "").then(cleaned)
