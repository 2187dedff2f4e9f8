"""Phone numbers as Brazilians write them, to E.164.

Sources: ANATEL's numbering plan (area codes; mobile numbers have nine digits and begin with 9 since
Resolution 553 was carried out, landlines eight and begin with 2 to 5; long-distance calls put 0 and
a two-digit operator code before the area code).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.cleaning.settle import fast
from rdimport.cleaning.text import text

AREAS: Final = (
    "11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 "
    "51 53 54 55 61 62 63 64 65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 "
    "91 92 93 94 95 96 97 98 99"
).split()
"""Brazil's area codes (DDD)."""

_AREA: Final = f"(?:{'|'.join(AREAS)})"
_PREFIX: Final = r"^(?:(?:00)?55)?(?:0(?:[0-9][0-9])?)?"
"""Country code and long-distance prefix, with or without an operator's code."""

_MOBILE: Final = rf"{_PREFIX}{_AREA}9[0-9]{{8}}$"
_LANDLINE: Final = rf"{_PREFIX}{_AREA}[2-5][0-9]{{7}}$"
_EIGHT_DIGIT_MOBILE: Final = rf"{_PREFIX}{_AREA}[6-9][0-9]{{7}}$"

_PUNCTUATION: Final = [" ", "(", ")", "-", "+", ".", "/", "x", "X", "\u00a0"]

E164: Final = r"^\+[1-9]\d{7,14}$"
"""ITU-T E.164: a country code and at most fifteen digits in all."""

_FOREIGN: Final = r"^\s*(?:\+|00)\s*(?:[1-46-9]|5[0-46-9])"
"""An international prefix that is not Brazil's."""


def phone(cell: pl.Expr) -> pl.Expr:
    """`(0xx11) 98765-4321` to `+5511987654321`; what is no phone number stays as it is."""
    return fast(cell, _usual, _unusual)


def _usual(cell: pl.Expr) -> pl.Expr:
    """Numbers of Brazil among the usual punctuation; null for all others."""
    return _local(cell, cell.str.replace_many(_PUNCTUATION, [""]))


def _unusual(cell: pl.Expr) -> pl.Expr:
    digits = cell.str.replace_all(r"[^0-9]", "")
    ninth = pl.concat_str(digits.str.tail(10).str.head(2), pl.lit("9"), digits.str.tail(8))
    eight = pl.when(digits.str.contains(_EIGHT_DIGIT_MOBILE)).then(ninth)
    return pl.coalesce(_local(cell, digits), _local(cell, eight), text(cell))


def _local(cell: pl.Expr, digits: pl.Expr) -> pl.Expr:
    brazilian = cell.str.contains(_FOREIGN).not_()
    number = (
        pl.when(digits.str.contains(_MOBILE))
        .then(digits.str.tail(11))
        .when(digits.str.contains(_LANDLINE))
        .then(digits.str.tail(10))
    )
    return pl.when(brazilian).then(pl.concat_str(pl.lit("+55"), number))
