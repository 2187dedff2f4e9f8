"""Cleaners for plain text, and helpers for other cleaners."""

from __future__ import annotations

from typing import Final

import polars as pl
import polars.selectors as cs

from rdimport.prepare.clean.lazily import Cleaner, in_turn, where

_INVISIBLE: Final = r"[[\p{Cf}\p{Cc}]--[\s\x{200D}]]"
"""Invisible characters: zero-width spaces, direction marks, control characters, byte order marks.

Not U+200D, which joins emoji, and not white space, which becomes a space.
"""

_UNTIDY: Final = r"[^\S ]|  |^ | $|[[\p{Cf}\p{Cc}\p{M}]--[\x{200D}]]"


def column(name: str) -> pl.Expr:
    """The column with exactly that name; `pl.col` treats `*` and `^a.*$` as patterns."""
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        return cs.by_name(name).as_expr()
    return pl.col(name)


def text(cell: pl.Expr) -> pl.Expr:
    """Single spaces between words, none around them, no invisible characters; null if empty."""
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
    """Unchanged; null if nothing visible is left, because RD rejects blanks."""
    return pl.when(filled(cell)).then(cell)


def tidied(attempt: Cleaner) -> Cleaner:
    """Apply the attempt to the tidied cell, which stays if that gives nothing. For a last stage."""
    return in_turn(text, lambda tidy: pl.coalesce(attempt(tidy), tidy))


def filled(cell: pl.Expr) -> pl.Expr:
    """Whether a cell has anything but spaces and invisible characters."""
    return cell.str.contains(r"[^\s\p{Cf}\p{Cc}]")


def lower(cell: pl.Expr) -> pl.Expr:
    """Tidied, in lower case."""
    return text(cell).str.to_lowercase()


def bare(cell: pl.Expr) -> pl.Expr:
    """For comparisons: lower case, no accents, full-width letters as normal ones."""
    return where(cell, lambda c: c.str.contains(r"[^\x00-\x7f]"), _plain).str.to_lowercase()


def _plain(cell: pl.Expr) -> pl.Expr:
    return cell.str.normalize("NFKD").str.replace_all(r"\p{M}", "")


_SMALL: Final = "Da Das De Del Della Di Do Dos Du E La Las Los Van Von Y".split()
"""Particles of names in lower case: Portuguese, Spanish, Italian and Dutch."""

_ROMAN: Final = "Ii Iii Iv Vi Vii Viii Ix Xi Xii Xiii Xiv Xv".split()
"""Roman numerals in names; single letters are capitalised anyway."""

_AS_WRITTEN: Final = {
    **{f" {word} ": f" {word.lower()} " for word in _SMALL},
    **{f" {word} ": f" {word.upper()} " for word in _ROMAN},
}


def name(cell: pl.Expr) -> pl.Expr:
    """`JOÃO DA SILVA JR` -> `João da Silva Jr`; mixed case is unchanged."""
    return proper(text(cell))


def proper(cell: pl.Expr) -> pl.Expr:
    """Tidied text in title case, if it was all upper or all lower case."""
    return where(cell, _one_case, _capitalised)


def _one_case(cell: pl.Expr) -> pl.Expr:
    return (cell == cell.str.to_uppercase()) | (cell == cell.str.to_lowercase())


def _capitalised(cell: pl.Expr) -> pl.Expr:
    words = pl.concat_str(cell.str.to_titlecase(), pl.lit(" "))
    # Twice, because two adjacent matches share the space between them.
    written = words.str.replace_many(_AS_WRITTEN).str.replace_many(_AS_WRITTEN)
    return written.str.strip_chars_end(" ")
