"""Cleaners of earlier releases, where their results differ from today's.

A row is identified by its cleaned values, and the ledger has those of the release that sent it. So
when a cleaner is improved, its previous version is kept here.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from rdimport.prepare.clean.email import tidied, untidy
from rdimport.prepare.clean.form import constant
from rdimport.prepare.clean.lazily import where
from rdimport.prepare.clean.text import bare

_IN_BRACKETS: Final = r"<\s*([^<>\s]+@[^<>\s]+)\s*>"
_FIRST: Final = r"([^\s;,/|<>()\[\]\"':@]+@[^\s;,/|<>()\[\]\"':@]+)"
_AROUND: Final = " \t'\"<>()[]{}.,;:/\\|"


def email(cell: pl.Expr, *, first: bool, correct: bool) -> pl.Expr:
    """Release 0.1.0: `Maria Silva maria@x.com` -> `mariasilvamaria@x.com`, no accents anywhere."""

    def address(plain: pl.Expr) -> pl.Expr:
        folded = bare(plain).str.replace_all(r"[\p{Cf}\p{Cc}]", " ").str.strip_chars()
        return where(folded, untidy, lambda c: _joined(c, first=first))

    return tidied(cell, address, correct=correct)


def _joined(cell: pl.Expr, *, first: bool) -> pl.Expr:
    """The cell without the text around an address and the blanks within it."""
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


def items(cell: pl.Expr, separator: str | None) -> pl.Expr:
    """Release 0.1.0: split a cell into items, keeping their quotes and brackets."""
    if separator is None:
        return pl.when(cell.is_not_null()).then(pl.concat_list(cell)).otherwise(constant([]))
    mark = re.escape(separator)
    tight = cell.str.replace_all(rf"\s*{mark}(?:\s|{mark})*", separator.replace("$", "$$"))
    inside = tight.str.strip_prefix(separator).str.strip_suffix(separator)
    return pl.when(inside != "").then(inside.str.split(separator)).otherwise(constant([]))
