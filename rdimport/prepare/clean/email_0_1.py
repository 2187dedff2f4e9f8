"""E-mail addresses as release 0.1.0 cleaned them. Its ledgers know people by those.

It joined words (`Ana Sá ana@x.com` became `anasaana@x.com`) and took accents from domains. Never
used for what is sent: only to recognise what was.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.prepare.clean.email import corrected, is_slip, untidy
from rdimport.prepare.clean.lazily import where
from rdimport.prepare.clean.text import bare

_IN_BRACKETS: Final = r"<\s*([^<>\s]+@[^<>\s]+)\s*>"
_FIRST: Final = r"([^\s;,/|<>()\[\]\"':@]+@[^\s;,/|<>()\[\]\"':@]+)"
_AROUND: Final = " \t'\"<>()[]{}.,;:/\\|"


def email(cell: pl.Expr, *, first: bool, correct: bool) -> pl.Expr:
    """What 0.1.0 made of a cell, with the same options."""

    def address(plain: pl.Expr) -> pl.Expr:
        return where(_folded(plain), untidy, lambda c: _address(c, first))

    def tidy(raw: pl.Expr) -> pl.Expr:
        return where(raw.str.strip_chars().str.to_lowercase(), untidy, address)

    tidied = where(cell, untidy, tidy)
    return where(tidied, is_slip, corrected) if correct else tidied


def _folded(cell: pl.Expr) -> pl.Expr:
    return bare(cell).str.replace_all(r"[\p{Cf}\p{Cc}]", " ").str.strip_chars()


def _address(cell: pl.Expr, first: bool) -> pl.Expr:
    several = cell.str.count_matches("@", literal=True) > 1
    address = (
        pl.coalesce(cell.str.extract(_IN_BRACKETS), cell)
        .str.replace(r"^\s*(?:mailto|e-?mail)\s*:\s*", "")
        .str.replace_all(r"\s+", "")
        .str.strip_chars(_AROUND)
    )
    of_several = cell.str.extract(_FIRST).str.strip_chars(_AROUND) if first else pl.lit(None)
    cleaned = (
        pl.when(several)
        .then(pl.coalesce(of_several, cell))
        .when(cell.str.contains("@", literal=True).not_())
        .then(cell)
        .when(address != "")
        .then(address)
        .otherwise(cell)
    )
    return pl.when(cleaned != "").then(cleaned)
