"""The same values as other programs write them.

A spreadsheet program turns texts of a CSV file into dates and numbers, drops their zeros, and
writes them in its own way when the list is saved in another format.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import Final

import polars as pl

from rdimport.prepare.clean import form

Way = Callable[[pl.Expr], pl.Expr]
"""Writes those cells in another way that can be; the others are unchanged."""

_DIGITS: Final = 14
"""As many as the longest usual code has, a CNPJ."""

_FORMS: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d/%m/%y", "%m/%d/%Y", "%m/%d/%y")
_DAY: Final = r"^(\d{4})-(\d\d)-(\d\d)(?: (\d\d:\d\d)(?::\d\d)?)?$"
_MOMENT: Final = r"^(\d{1,2}/\d{1,2}/\d{4}) (\d{1,2}:\d\d)(?::\d\d)?$"
_TIME: Final = r"^\d\d:\d\d$"
_TIMES: Final = r"^\d\d:\d\d:\d\d$"


def _days(cell: pl.Expr) -> pl.Expr:
    """`1/2/2026 09:30` -> `2026-02-01 09:30:00`, `09:30` -> `09:30:00`."""
    moment = cell.str.extract(_MOMENT, 1) + " " + cell.str.extract(_MOMENT, 2).str.zfill(5)
    return pl.coalesce(
        moment.str.to_datetime("%d/%m/%Y %H:%M", strict=False).dt.strftime("%Y-%m-%d %H:%M:%S"),
        cell.str.to_date("%d/%m/%Y", strict=False).dt.strftime("%Y-%m-%d"),
        pl.when(cell.str.contains(_TIME)).then(cell + ":00"),
        cell,
    )


def _typed(cell: pl.Expr) -> pl.Expr:
    """Also `1.234,50` -> `1234.5` and `007` -> `7`."""
    number = form.number(cell, ",")
    plain = number.str.replace(r"^0+(\d)", "$1").str.replace(r"(\.\d*?)0+$", "$1")
    plain = plain.str.strip_suffix(".")
    return pl.when(number.str.contains(r"^-?\d+(\.\d+)?$")).then(plain).otherwise(_days(cell))


def _text(cell: pl.Expr, digits: int = 1) -> pl.Expr:
    """`2026-02-01` -> `01/02/2026`, `1234.5` -> `1234,5`, `7` -> `007`."""
    day = cell.str.replace(_DAY, "$3/$2/$1 $4").str.strip_chars_end()
    usual = day.str.replace(r"^(\d\d:\d\d):00$", "$1").str.replace(r"^(-?\d+)\.(\d+)$", "$1,$2")
    return pl.when(cell.str.contains(r"^\d+$")).then(cell.str.zfill(digits)).otherwise(usual)


def _cents(cell: pl.Expr, mark: str) -> pl.Expr:
    """`1234.5` -> `1234,50`."""
    some = pl.when(cell.str.contains(r"^-?\d+\.\d$")).then(cell + "0").otherwise(cell)
    return some.str.replace(".", mark, literal=True) if mark != "." else some


def _as_people_write(cell: pl.Expr) -> pl.Expr:
    """`2026-02-01` -> `1/2/2026`, `1234.5` -> `1.234,50`."""
    days = _text(cell).str.replace_all(r"\b0(\d)/", "$1/")
    amounts = _cents(cell, ",").str.replace(r"^(-?\d{1,3})(\d{3}),", "$1.$2,")
    return pl.when(cell.str.contains(_DAY)).then(days).otherwise(amounts)


def _whole(cell: pl.Expr, mark: str) -> pl.Expr:
    """Also `2000` -> `2000,00`."""
    whole = cell.str.contains(r"^-?\d+$")
    return pl.when(whole).then(cell + f"{mark}00").otherwise(_cents(cell, mark))


def _as_amounts(cell: pl.Expr) -> pl.Expr:
    """`2000` -> `2.000,00`, `1234.5` -> `1.234,50`."""
    return _whole(cell, ",").str.replace(r"^(-?\d{1,3})(\d{3}),(\d\d)$", "$1.$2,$3")


def _without_zeros(cell: pl.Expr) -> pl.Expr:
    """`01/02/2026` -> `1/2/2026`."""
    return cell.str.replace(r"^0?(\d{1,2})/0?(\d{1,2})/(\d{4})$", "$1/$2/$3")


def _day(cell: pl.Expr, read: str, written: str) -> pl.Expr:
    """A day in another order, or with a short year."""
    return cell.str.to_date(read, strict=False).dt.strftime(written).fill_null(cell)


WAYS: Final[tuple[Way, ...]] = (
    _days,
    _typed,
    _text,
    partial(_cents, mark=","),
    partial(_cents, mark="."),
    _as_people_write,
    partial(_whole, mark=","),
    partial(_whole, mark="."),
    _as_amounts,
    _without_zeros,
    partial(_day, read="%d/%m/%Y", written="%d/%m/%Y"),
    *(
        partial(_day, read=read, written=written)
        for read, written in permutations(_FORMS, 2)
        if sorted(read) != sorted(written)  # 2/3/2026 and 3/2/2026 may be two days
    ),
    *(partial(_text, digits=digits) for digits in range(2, _DIGITS + 1)),
)
"""Each is applied to all values of a row. Those that are likelier come first."""


def _by_kind(cell: pl.Expr, day: Way, amount: Way, code: Way) -> pl.Expr:
    is_day = cell.str.contains(_DAY) | cell.str.contains(_TIMES)
    other = pl.when(cell.str.contains(r"^\d+$")).then(code(cell)).otherwise(amount(cell))
    return pl.when(is_day).then(day(cell)).otherwise(other)


_WAYS_OF_DAYS: Final[tuple[Way, ...]] = (
    _text,
    _as_people_write,
    partial(_day, read="%Y-%m-%d", written="%d/%m/%y"),
)
_WAYS_OF_AMOUNTS: Final[tuple[Way, ...]] = (
    _text,
    partial(_cents, mark=","),
    _as_people_write,
    partial(_cents, mark="."),
)
_WAYS_OF_CODES: Final[tuple[Way, ...]] = (
    partial(_whole, mark=","),
    partial(_whole, mark="."),
    _as_amounts,
    *(partial(_text, digits=digits) for digits in range(1, _DIGITS + 1)),
)

BY_KIND: Final[tuple[Way, ...]] = tuple(
    partial(_by_kind, day=day, amount=amount, code=code)
    for day in _WAYS_OF_DAYS
    for amount in _WAYS_OF_AMOUNTS
    for code in _WAYS_OF_CODES
)
"""Dates, amounts and codes of a row each in their own way, as in a text that people wrote: a
program writes all of them in one of `WAYS`.
"""
