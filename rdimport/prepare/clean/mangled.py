"""Restores phones, documents and postcodes that a spreadsheet program converted to numbers."""

from __future__ import annotations

from typing import Final

import polars as pl

_DECIMALS: Final = r"^\s*(\d+)[.,]0+\s*$"
_EXPONENT: Final = r"^\s*(\d)[.,](\d+)[eE]\+?(\d{1,2})\s*$"

EXPONENT: Final = r"^\s*\d(?:[.,]\d+)?[eE]\+?\d{1,2}\s*$"
"""A number in scientific notation, complete or not."""

_ALL_BUT_ZEROS: Final = 8
"""Decimals from which no digits are missing: spreadsheets round to five or six, and programs drop
only trailing zeros.
"""


def unmangled(cell: pl.Expr) -> pl.Expr:
    """`1.1987654321E+10` and `11987654321.0` -> `11987654321`; null for all others.

    Also null for `1.19877E+10`, whose last digits are lost.
    """
    first, decimals = cell.str.extract(_EXPONENT, 1), cell.str.extract(_EXPONENT, 2)
    places = cell.str.extract(_EXPONENT, 3).cast(pl.Int64, strict=False)
    known = decimals.str.len_chars().cast(pl.Int64)
    whole = (known >= pl.min_horizontal(places, _ALL_BUT_ZEROS)) & (known <= places)
    digits = pl.concat_str(
        first, decimals, pl.lit("0").repeat_by(pl.max_horizontal(places - known, 0)).list.join("")
    )
    return pl.coalesce(cell.str.extract(_DECIMALS, 1), pl.when(whole).then(digits))
