"""Cleaners of plain text, and the pieces that the other cleaners build upon."""

from __future__ import annotations

from typing import Final

import polars as pl
import polars.selectors as cs

from rdimport.prepare.clean.lazily import Cleaner, where

_INVISIBLE: Final = r"[[\p{Cf}\p{Cc}]--[\s\x{200D}]]"
"""What nobody typed: zero-width spaces, direction marks, control characters, byte order marks.

Not the joiner U+200D, of which emoji are made, and not white space, which becomes a space.
"""

_UNTIDY: Final = r"[^\S ]|  |^ | $|[[\p{Cf}\p{Cc}\p{M}]--[\x{200D}]]"


def column(name: str) -> pl.Expr:
    """The column of exactly that name: to `pl.col`, `*` is all columns and `^a.*$` a pattern."""
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        return cs.by_name(name).as_expr()
    return pl.col(name)


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


def tidied(attempt: Cleaner) -> Cleaner:
    """The attempt once more on the tidied cell, and else the tidied cell: a last stage."""
    return lambda cell: pl.coalesce(attempt(text(cell)), text(cell))


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


_SMALL: Final = "Da Das De Del Della Di Do Dos Du E La Las Los Van Von Y".split()
"""Words within a name that are not capitalised in Portuguese, Spanish, Italian and Dutch."""

_ROMAN: Final = "Ii Iii Iv Vi Vii Viii Ix Xi Xii Xiii Xiv Xv".split()
"""Numerals of heirs and popes; single letters get their capital anyway."""

_AS_WRITTEN: Final = {
    **{f" {word} ": f" {word.lower()} " for word in _SMALL},
    **{f" {word} ": f" {word.upper()} " for word in _ROMAN},
}


def name(cell: pl.Expr) -> pl.Expr:
    """`JOÃO DA SILVA JR` to `João da Silva Jr`; what has both cases already stays as it is."""
    return proper(text(cell))


def proper(cell: pl.Expr) -> pl.Expr:
    """Tidied text that is all in capitals or all in small letters, as names are written."""
    return where(cell, _one_case, _capitalised)


def _one_case(cell: pl.Expr) -> pl.Expr:
    return (cell == cell.str.to_uppercase()) | (cell == cell.str.to_lowercase())


def _capitalised(cell: pl.Expr) -> pl.Expr:
    words = pl.concat_str(cell.str.to_titlecase(), pl.lit(" "))
    # Twice, because two such words in a row share the space between them.
    written = words.str.replace_many(_AS_WRITTEN).str.replace_many(_AS_WRITTEN)
    return written.str.strip_chars_end(" ")
