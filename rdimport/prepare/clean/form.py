"""Cleaners for booleans, numbers, dates, web addresses and lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.prepare.clean.answer import answer
from rdimport.prepare.clean.lazily import Cleaner, distinct, in_turn, stages
from rdimport.prepare.clean.text import bare, text, tidied

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBER: Final = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"
INTEGER: Final = r"^(?:0|-?[1-9][0-9]{0,17})$"
DATE: Final = r"^\d{4}-\d{2}-\d{2}$"
URL: Final = r"^https?://[^\s/?#@]+\.[\p{L}-]{2,}(?::\d+)?(?:[/?#]\S*)?$"

_BY_MARK: Final = {
    ",": r"^(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?$",
    ".": r"^(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?$",
}
"""The pattern of a number, by its decimal separator."""

AMBIGUOUS: Final = r"^[1-9][0-9]{0,2}[.,][0-9]{3}$"

_MONTHS: Final = "jan fev mar abr mai jun jul ago set out nov dez".split()
_DATE_FORMATS: Final = ("%d/%m/%Y", "%Y-%m-%d", "%d/%m/%y", "%Y/%m/%d")
"""Day before month, as everywhere but in the United States: 3/4 and 4/3 are ambiguous."""


def boolean(cell: pl.Expr) -> pl.Expr:
    """`Sim`, `Aceito`, `x` -> `true`; `Não`, `Não aceito`, `0` -> `false`; others unchanged."""
    return distinct(text(cell), answer)


def number(cell: pl.Expr, decimal: str | None) -> pl.Expr:
    """`R$ 1.234,50` -> `1234.50`; `1.234` and `1,234` are unchanged unless `decimal` is given.

    The separator is a decimal one in some countries and a thousands one in others, and spreadsheet
    programs write 1.234 for both. A guess could be wrong by a factor of a thousand.
    """

    def plain(cells: pl.Expr) -> pl.Expr:
        return _plain_number(cells, decimal)

    quick = [] if decimal == "." else [_simple_number]
    return stages(cell, *quick, plain, tidied(plain))


def _simple_number(cell: pl.Expr) -> pl.Expr:
    """Digits with or without a decimal comma: the fast path."""
    number = cell.str.replace(",", ".", literal=True).str.replace(r"\.0+$", "")
    simple = cell.str.contains(r"^(?:0|[1-9][0-9]*)(?:,[0-9]{1,2})?$")
    return pl.when(simple).then(number)


def _plain_number(cell: pl.Expr, decimal: str | None) -> pl.Expr:
    signed = cell.str.replace_all(r"(?i)R\$|US\$|\$|€|\s|'", "")
    digits = signed.str.replace_all(r"[()+-]", "")
    comma = digits.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    point = digits.str.replace_all(",", "", literal=True)
    readings = [
        pl.when(digits.str.contains(_BY_MARK[mark])).then(plain)
        for mark, plain in ((",", comma), (".", point))
        if decimal in {None, mark}
    ]
    certain = signed.str.contains(r"^(?:[+-]?[0-9.,]+|[0-9.,]+-|\([0-9.,]+\))$")
    if decimal is None:
        certain = certain & digits.str.contains(AMBIGUOUS).not_()
    short = pl.coalesce(readings).str.replace(r"^0+([0-9])", "$1").str.replace(r"\.0+$", "")
    negative = signed.str.contains(r"^[-(]|-$") & (short.str.contains("[1-9]"))
    sign = pl.when(negative).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.when(certain).then(pl.concat_str(sign, short))


def date(cell: pl.Expr, form: str | None) -> pl.Expr:
    """`31/12/2026`, `31.12.26`, `31 de dezembro de 2026` -> `2026-12-31`; times are dropped."""
    quick = [_usual_day(form)] if form is None or form == "%d/%m/%Y" else []
    given = (
        []
        if form is None
        else [lambda c: text(c).str.to_date(form, strict=False).dt.strftime(form)]
    )
    any_form = in_turn(text, _with_slashes, lambda c: _day(c, form or "%Y-%m-%d"))
    return stages(cell, *quick, *given, any_form, text)


def _usual_day(form: str | None) -> Cleaner:
    """31/12/2026 and 2026-12-31: the fast path."""

    def attempt(cell: pl.Expr) -> pl.Expr:
        days = [
            pl.when(cell.str.contains(shape)).then(cell.str.to_date(known, strict=False))
            for shape, known in (
                (r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$", "%d/%m/%Y"),
                (r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "%Y-%m-%d"),
            )
        ]
        return pl.coalesce(days).dt.strftime(form or "%Y-%m-%d")

    return attempt


def _with_slashes(tidy: pl.Expr) -> pl.Expr:
    """`5 de março de 2024, 10:30` -> `5/03/2024`, and the year first as `2024-3-5`."""
    plain = bare(tidy).str.replace(r"^(\S*\d{2,4})[t ]\d{1,2}[:h]\d{2}.*$", "$1")
    marks = plain.str.replace_all(r"\s*(?:\bde\b|[ ./-])\s*", "/")
    for at, month in enumerate(_MONTHS, 1):
        marks = marks.str.replace(rf"/{month}[a-z]*/", f"/{at:02d}/")
    return marks.str.replace(r"^(\d{4})/(\d{1,2})/(\d{1,2})$", "$1-$2-$3")


def _day(written: pl.Expr, form: str) -> pl.Expr:
    # A two-digit year must not be parsed as the year 26.
    short = written.str.contains(r"/\d{2}$")
    days = [
        pl.when(short if known.endswith("%y") else short.not_()).then(
            written.str.to_date(known, strict=False)
        )
        for known in _DATE_FORMATS
    ]
    return pl.coalesce(days).dt.strftime(form)


def url(cell: pl.Expr) -> pl.Expr:
    """`WWW.Exemplo.com.br/A` -> `https://www.exemplo.com.br/A`; anything else unchanged."""
    return stages(cell, _page, tidied(_page))


def _page(cell: pl.Expr) -> pl.Expr:
    """The address of a web page; null if it does not look like one."""
    whole = (
        pl.when(cell.str.contains(r"(?i)^https?:/*[^\s/]\S*$"))
        .then(cell.str.replace(r"(?i)^(https?):/*", "$1://"))
        .when(cell.str.contains(r"^[^\s@/:]+\.[\p{L}-]{2,}(?:[/:?#]\S*)?$"))
        .then(pl.concat_str(pl.lit("https://"), cell))
    )
    host = whole.str.extract(r"^([^:]+://[^/?#]+)").str.to_lowercase()
    return pl.concat_str(host, whole.str.extract(r"^[^:]+://[^/?#]+(.*)$"))


def social(cell: pl.Expr) -> pl.Expr:
    """`@Ana.Souza ` -> `@ana.souza`; removes tracking parameters from the address of a profile."""
    return stages(cell, _profile, tidied(_profile))


def _profile(cell: pl.Expr) -> pl.Expr:
    is_handle = cell.str.contains(r"^@\s?[A-Za-z0-9._-]+$")
    handle = pl.when(is_handle).then(cell.str.to_lowercase().str.replace(r"^@\s", "@"))
    is_page = cell.str.contains(r"(?i)^(?:https?:|www\.|[a-z.]+\.com/)")
    page = _page(cell).str.replace(r"[?#].*$", "").str.strip_chars_end("/")
    return pl.coalesce(handle, pl.when(is_page).then(page))


_BRACKETED: Final = r"^\s*(?:\[([^\[\]]*)\]|\{([^{}]*)\})\s*$"
_QUOTED: Final = r"""^(?:"([^"]+)"|'([^']+)')$"""


def items(cell: pl.Expr, separator: str | None) -> pl.Expr:
    """Split a cell into items, without the spaces, quotes and brackets around them.

    An empty cell is an empty list.
    """
    if separator is None:
        return pl.when(cell.is_not_null()).then(pl.concat_list(cell)).otherwise(constant([]))
    mark = re.escape(separator)
    bare_list = cell.str.replace(_BRACKETED, "$1$2")
    tight = bare_list.str.replace_all(rf"\s*{mark}(?:\s|{mark})*", separator.replace("$", "$$"))
    inside = tight.str.strip_prefix(separator).str.strip_suffix(separator)
    unquoted = pl.element().str.replace(_QUOTED, "$1$2")
    listed = inside.str.split(separator).list.eval(unquoted)
    return pl.when(inside != "").then(listed).otherwise(constant([]))


def constant(values: Sequence[str]) -> pl.Expr:
    """The same list for every row."""
    return pl.lit(pl.Series([list(values)], dtype=pl.List(pl.String))).first()


def unique(cells: pl.Expr) -> pl.Expr:
    """Distinct items in order of first appearance; null if there are none."""
    once = cells.list.drop_nulls().list.unique(maintain_order=True)
    return pl.when(once.list.len() > 0).then(once)
