"""Cleaners of plain text, and the pieces that the other cleaners build upon."""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.cleaning.settle import where

_INVISIBLE: Final = r"[[\p{Cf}\p{Cc}]--[\s\x{200D}]]"
"""What nobody typed: zero-width spaces, direction marks, control characters, byte order marks.

Not the joiner U+200D, of which emoji are made, and not white space, which becomes a space.
"""

_UNTIDY: Final = r"[^\S ]|  |^ | $|[[\p{Cf}\p{Cc}\p{M}]--[\x{200D}]]"


def text(cell: pl.Expr) -> pl.Expr:
    """One space between words, none around them, no invisible characters; nothing left is null."""
    return where(cell, lambda c: c.str.contains(_UNTIDY) | (c == ""), _tidied)


def _tidied(cell: pl.Expr) -> pl.Expr:
    tidy = (
        cell.str.replace_all(_INVISIBLE, "")
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .str.normalize("NFC")
    )
    return pl.when(tidy != "").then(tidy)


def none(cell: pl.Expr) -> pl.Expr:
    """As it is; a cell that shows nothing is empty, because RD refuses blanks."""
    return pl.when(filled(cell)).then(cell)


def filled(cell: pl.Expr) -> pl.Expr:
    """Whether a cell holds more than spaces and invisible characters."""
    return cell.str.contains(r"[^\s\p{Cf}\p{Cc}]")


def lower(cell: pl.Expr) -> pl.Expr:
    """Tidied, in lower case."""
    return text(cell).str.to_lowercase()


def bare(cell: pl.Expr) -> pl.Expr:
    """For comparing: lower case, no accents, full-width letters as plain ones."""
    return where(cell, lambda c: c.str.contains(r"[^\x00-\x7f]"), _plain).str.to_lowercase()


def _plain(cell: pl.Expr) -> pl.Expr:
    return cell.str.normalize("NFKD").str.replace_all(r"\p{M}", "")
