"""Rules for function arguments: which must be constants, and within which limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from rdimport.core.messages import _
from rdimport.mapping.sql.parts import Form, Part

Rule = Callable[[Part], None]
"""Raises ValueError, which is shown with the function's name in front."""

MOST_PATTERN: Final = 200
MOST_WIDTH: Final = 500
MOST_PLACES: Final = 15
DATE_PARTS: Final = (
    "year", "quarter", "month", "week", "day", "dow", "doy", "hour", "minute", "second", "isoyear",
    "isodow",
)  # fmt: skip

_FORM: Final = re.compile(r"(?:[^%\n]|%-?[dmYyHIMSBbAajepTFRD]|%%)+")


def any_value(_: Part) -> None:
    """Any expression."""


def number(part: Part) -> None:
    """A number: for text or dates, some functions make polars abort the process."""
    if part.form is not Form.NUMBER:
        raise ValueError(
            _("takes a number; cells are text, and become numbers with CAST(cell AS DOUBLE)")
        )


def text(part: Part) -> None:
    """A text literal, if the length of the result depends on it."""
    if not isinstance(part.literal, str):
        raise ValueError(_("needs a text in '' there, not a column"))  # noqa: TRY004  the mapping's


def words(part: Part) -> None:
    """A non-empty text literal."""
    text(part)
    if not part.literal:
        raise ValueError(_("needs a text there that is not empty"))


def plain(part: Part) -> None:
    """The replacement for a match: no references to groups, which could multiply its length."""
    text(part)
    if re.search(r"[\\$]", str(part.literal)):
        raise ValueError(_("accepts no \\ and no $ in the replacement text"))


def pattern(part: Part) -> None:
    """A regular expression that polars can compile, of limited size."""
    text(part)
    if len(str(part.literal)) > MOST_PATTERN:
        raise ValueError(_("accepts a pattern of at most {most} characters", most=MOST_PATTERN))
    try:
        pl.select(pl.lit("").str.contains(str(part.literal)))
    except PolarsError:
        raise ValueError(_("needs a regular expression (syntax of Rust's `regex`)")) from None


def flags(part: Part) -> None:
    """The flags of a pattern."""
    text(part)
    if not re.fullmatch("[gi]{1,2}", str(part.literal)):
        raise ValueError(_("accepts 'g' and 'i' there"))


def mark(part: Part) -> None:
    """A single character."""
    text(part)
    if len(str(part.literal)) != 1:
        raise ValueError(_("needs one character to fill with"))


def width(part: Part) -> None:
    """A length given as a literal."""
    _whole(part, MOST_WIDTH)


def places(part: Part) -> None:
    """A number of decimal places."""
    _whole(part, MOST_PLACES)


def date_form(part: Part) -> None:
    """A date format with short specifiers that polars supports."""
    text(part)
    if len(str(part.literal)) > 50 or not _FORM.fullmatch(str(part.literal)):
        raise ValueError(_("needs a date format there, such as '%d/%m/%Y'"))


def part_of_date(part: Part) -> None:
    """The name of a part of a date."""
    text(part)
    if str(part.literal).lower() not in DATE_PARTS:
        raise ValueError(_("accepts one of {known}", known=", ".join(DATE_PARTS)))


def _whole(part: Part, most: int) -> None:
    if not isinstance(part.literal, int) or not 0 <= part.literal <= most:
        raise ValueError(_("needs a whole number from 0 to {most} there", most=most))
