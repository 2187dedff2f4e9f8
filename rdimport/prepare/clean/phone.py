"""Phone numbers as Brazilians write them, converted to E.164.

Sources: ANATEL's numbering plan (area codes; mobile numbers have nine digits and begin with 9,
landlines eight and begin with 2 to 5; long-distance calls put 0 and a two-digit operator code
before the area code). Brazilian numbers are matched by patterns. The library `phonenumbers` is used
only for numbers with another country code, or if the mapping names another country.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.prepare.clean.lazily import distinct, in_turn, stages
from rdimport.prepare.clean.mangled import unmangled
from rdimport.prepare.clean.text import text

AREAS: Final = (
    "11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 "
    "51 53 54 55 61 62 63 64 65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 "
    "91 92 93 94 95 96 97 98 99"
).split()
"""Brazil's area codes (DDD)."""

_AREA: Final = f"(?:{'|'.join(AREAS)})"
_PREFIX: Final = r"^(?:(?:00)?55)?(?:0(?:[0-9][0-9])?)?"
"""Country code and long-distance prefix, with or without an operator code."""

_MOBILE: Final = rf"{_PREFIX}{_AREA}9[0-9]{{8}}$"
_LANDLINE: Final = rf"{_PREFIX}{_AREA}[2-5][0-9]{{7}}$"
_EIGHT_DIGIT_MOBILE: Final = rf"{_PREFIX}{_AREA}[6-9][0-9]{{7}}$"
_WITHOUT_AREA: Final = r"^(?:9[0-9]{8}|[2-9][0-9]{7})$"

_WITH_MARKS: Final = rf"^\(?{_AREA}\)? ?9[0-9]{{4}}[ -]?[0-9]{{4}}$"
_LEAST_DIGITS: Final = r"(?:[0-9][^0-9]*){8}"

_SERVICE: Final = r"^0(?:800|300|500|900)[0-9]{6,7}$"
"""Toll-free and similar numbers, which have no area code."""

_PUNCTUATION: Final = [" ", "(", ")", "-", "+", ".", "/", "x", "X", "\u00a0"]
_EXTENSION: Final = r"(?i)[,;]?\s*(?:\(?\s*ramal|\br\.|\bext?\.?|\bram\.?)\s*:?\s*\d{1,6}\s*\)?\s*$"
SEVERAL: Final = r"(?i)\d\s*(?:[/;|,]|\bou\b|\be\b|\bor\b)\s*\D{0,3}\d"
"""Two numbers in one cell."""
_BEFORE_SECOND: Final = r"(?i)^(.*?\d)\s*(?:[/;|,]|\bou\b|\be\b|\bor\b)\s*\D{0,3}\d"

E164: Final = r"^\+[1-9]\d{7,14}$"
"""ITU-T E.164: a country code and at most fifteen digits in all."""

_FOREIGN: Final = r"^\s*(?:\+|00)\s*(?:[1-46-9]|5[0-46-9])"
"""An international prefix other than Brazil's."""

LANDLINE: Final = rf"^\+55(?:{_AREA}[2-5][0-9]{{7}}|[3589]00[0-9]{{6,7}})$"
_HERE: Final = rf"^\+55(?:{_AREA}(?:9[0-9]{{8}}|[2-5][0-9]{{7}})|[3589]00[0-9]{{6,7}})$"


def phone(cell: pl.Expr, *, first: bool, area: str | None, country: str) -> pl.Expr:
    """`(0xx11) 98765-4321` -> `+5511987654321`; anything that is not a phone number unchanged.

    `first`: take the first of several numbers. `area`: DDD of numbers without one. `country`: ISO
    3166 code of numbers without a country code.
    """
    if country != "BR":
        return distinct(text(cell), lambda value: _by_library(value, country))
    return stages(
        cell,
        _most_usual,
        _usual,
        lambda c: pl.when(_too_short(c)).then(text(c)),
        in_turn(unmangled, _usual),
        in_turn(text, lambda c: _unusual(c, area, first=first)),
        lambda c: pl.when(c.str.contains(_FOREIGN).not_()).then(text(c)),
        lambda c: distinct(text(c), lambda value: _by_library(value, country)),
    )


def _most_usual(cell: pl.Expr) -> pl.Expr:
    """`(11) 98765-4321`, with or without its punctuation: twice as fast as `_usual`."""
    area, last = cell.str.strip_chars_start("(").str.head(2), cell.str.tail(4)
    middle = cell.str.head(-4).str.strip_chars_end(" -").str.tail(5)
    number = pl.concat_str(pl.lit("+55"), area, middle, last)
    return pl.when(cell.str.contains(_WITH_MARKS)).then(number)


def _too_short(cell: pl.Expr) -> pl.Expr:
    """Whether it has fewer digits than any Brazilian number."""
    few = cell.str.contains(_LEAST_DIGITS).not_()
    return few & cell.str.contains(_FOREIGN).not_()


def _usual(cell: pl.Expr) -> pl.Expr:
    """Brazilian numbers with common punctuation; null for all others."""
    return _local(cell, cell.str.replace_many(_PUNCTUATION, [""]))


def _unusual(cell: pl.Expr, area: str | None, *, first: bool) -> pl.Expr:
    one = cell.str.replace(_EXTENSION, "")
    if first:
        one = (
            pl.when(one.str.contains(SEVERAL)).then(one.str.extract(_BEFORE_SECOND)).otherwise(one)
        )
    several = one.str.contains(SEVERAL)
    digits = pl.when(several.not_()).then(one.str.replace_all(r"[^0-9]", ""))
    service = pl.when(digits.str.contains(_SERVICE)).then(digits.str.strip_prefix("0"))
    numbers = [_local(one, digits), _local(one, _ninth(digits))]
    numbers.append(pl.concat_str(pl.lit("+55"), service))
    if area is not None:
        local = pl.when(digits.str.contains(_WITHOUT_AREA)).then(
            pl.concat_str(pl.lit(area), digits)
        )
        numbers += [_local(one, local), _local(one, _ninth(local))]
    return pl.coalesce(numbers)


def _ninth(digits: pl.Expr) -> pl.Expr:
    """Mobile numbers from before 2016, with the leading 9 added."""
    eight = digits.str.contains(_EIGHT_DIGIT_MOBILE)
    number = pl.concat_str(digits.str.tail(10).str.head(2), pl.lit("9"), digits.str.tail(8))
    return pl.when(eight).then(number)


def _local(cell: pl.Expr, digits: pl.Expr) -> pl.Expr:
    brazilian = cell.str.contains(_FOREIGN).not_()
    number = (
        pl.when(digits.str.contains(_MOBILE))
        .then(digits.str.tail(11))
        .when(digits.str.contains(_LANDLINE))
        .then(digits.str.tail(10))
    )
    return pl.when(brazilian).then(pl.concat_str(pl.lit("+55"), number))


def is_number(cell: pl.Expr) -> pl.Expr:
    """Whether a cleaned cell is an existing number: Brazilian by pattern, others by library.

    The form of E.164 is not sufficient: a cell that was not understood may have it by chance.
    """

    def known(cells: pl.Series) -> pl.Series:
        here = cells.str.contains(_HERE)
        if here.all():
            return here
        others = cells.filter(here.not_())
        abroad = others.filter(others.str.contains(E164)).unique()
        good = [value for value in abroad if _exists(value)]
        return here | cells.is_in(good) if good else here

    return cell.map_batches(known, return_dtype=pl.Boolean, is_elementwise=True)


def _exists(number: str) -> bool:
    import phonenumbers  # noqa: PLC0415  only numbers from abroad need it

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number)))
    except phonenumbers.NumberParseException:
        return False


def _by_library(tidy: str, country: str) -> str:
    """E.164 for numbers that the library accepts; anything else unchanged."""
    import phonenumbers  # noqa: PLC0415  only numbers from abroad need it

    dialled = f"+{tidy[2:]}" if tidy.startswith("00") else tidy
    try:
        number = phonenumbers.parse(dialled, country)
    except phonenumbers.NumberParseException:
        return tidy
    if not phonenumbers.is_valid_number(number):
        return tidy
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def of_kind(number: pl.Expr, kind: str) -> pl.Expr:
    """Mobile or landline numbers only; foreign ones, of unknown kind, count as mobile."""
    if kind == "landline":
        return pl.when(number.str.contains(LANDLINE)).then(number)
    return pl.when(number.str.contains(LANDLINE).not_()).then(number)
