"""Rules for the arguments of a function: what must stand in the mapping, within which bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from rdimport.core.messages import _
from rdimport.mapping.sql.parts import Form, Part

Rule = Callable[[Part], None]
"""Raises ValueError; shown with the function's name before it."""

MOST_PATTERN: Final = 200
MOST_WIDTH: Final = 500
MOST_PLACES: Final = 15
DATE_PARTS: Final = (
    "year", "quarter", "month", "week", "day", "dow", "doy", "hour", "minute", "second", "isoyear",
    "isodow",
)  # fmt: skip

_FORM: Final = re.compile(r"(?:[^%\n]|%-?[dmYyHIMSBbAajepTFRD]|%%)+")


def any_value(_: Part) -> None:
    """Whatever an expression can be."""


def number(part: Part) -> None:
    """A number: polars stops the program where some functions get a text or a date."""
    if part.form is not Form.NUMBER:
        raise ValueError(
            _("takes a number; cells are text, and become one with CAST(cell AS DOUBLE)")
        )


def text(part: Part) -> None:
    """A text between '', of which the result's length depends."""
    if not isinstance(part.literal, str):
        raise ValueError(_("needs a text in '' there, and no column"))  # noqa: TRY004  the mapping's


def words(part: Part) -> None:
    """A text that is not empty."""
    text(part)
    if not part.literal:
        raise ValueError(_("needs a text there that is not empty"))


def plain(part: Part) -> None:
    """What replaces a match: no reference to pieces of the match, which could multiply it."""
    text(part)
    if re.search(r"[\\$]", str(part.literal)):
        raise ValueError(_("takes no \\ and no $ in the text that it puts in"))


def pattern(part: Part) -> None:
    """A regular expression that polars can compile, of bounded size."""
    text(part)
    if len(str(part.literal)) > MOST_PATTERN:
        raise ValueError(_("takes a pattern of at most {most} characters", most=MOST_PATTERN))
    try:
        pl.select(pl.lit("").str.contains(str(part.literal)))
    except PolarsError:
        raise ValueError(_("needs a regular expression (syntax of Rust's `regex`)")) from None


def flags(part: Part) -> None:
    """How a pattern is looked for."""
    text(part)
    if not re.fullmatch("[gi]{1,2}", str(part.literal)):
        raise ValueError(_("takes 'g' and 'i' there"))


def mark(part: Part) -> None:
    """One character."""
    text(part)
    if len(str(part.literal)) != 1:
        raise ValueError(_("needs one character to fill up with"))


def width(part: Part) -> None:
    """A length that is given in the mapping."""
    _whole(part, MOST_WIDTH)


def places(part: Part) -> None:
    """Decimal places."""
    _whole(part, MOST_PLACES)


def date_form(part: Part) -> None:
    """The form of a date, made of marks that polars writes with a few characters."""
    text(part)
    if len(str(part.literal)) > 50 or not _FORM.fullmatch(str(part.literal)):
        raise ValueError(_("needs the form of a date there, such as '%d/%m/%Y'"))


def part_of_date(part: Part) -> None:
    """The name of a part."""
    text(part)
    if str(part.literal).lower() not in DATE_PARTS:
        raise ValueError(_("takes one of {known}", known=", ".join(DATE_PARTS)))


def _whole(part: Part, most: int) -> None:
    if not isinstance(part.literal, int) or not 0 <= part.literal <= most:
        raise ValueError(_("needs a whole number from 0 to {most} there", most=most))
