"""The mapping and RD's contract as a pandera schema, and what it finds wrong, cell by cell.

The schema stands over the cleaned frame: one column per target, all text, lists of text. It may be
had alone (`schema`) and used as any `pandera.polars.DataFrameSchema`. Only eager frames: pandera
lets every bad value of a LazyFrame pass without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.cleaning.brazil import STATES
from rdimport.cleaning.email import SYNTAX
from rdimport.cleaning.phone import E164
from rdimport.destination.fields import MAX_LENGTH
from rdimport.mapping import Clean, Mapping, Type
from rdimport.mapping.targets import Target, targets

if TYPE_CHECKING:
    import pandera.polars as pa

MISSING: Final = "value.missing"

FAILURES: Final = {
    "index": pl.UInt32,
    "target": pl.String,
    "code": pl.String,
    "detail": pl.String,
}
"""One line per failing check of one cell: its position in the frame, and what is wrong with it."""

_LOCAL_PART: Final = 64
_ADDRESS: Final = 254
"""Octets of a mailbox's local part and of a whole address (RFC 5321, 4.5.3.1, and erratum 1690)."""

BESIDE_COOKIE: Final = ("traffic_medium", "traffic_campaign", "traffic_value")
"""The fields that must be absent where `traffic_source` holds the cookie `__trf.src`."""

Rule = tuple[str, Callable[[pl.Expr], pl.Expr]]
"""A code, with its detail after a bar, and the expression that is true for a good cell."""


def holds_cookie(traffic_source: pl.Expr) -> pl.Expr:
    """Whether it is the value of the cookie `__trf.src`, which RD writes as `encoded_…`."""
    return traffic_source.str.starts_with("encoded_")


def schema(mapping: Mapping) -> pa.DataFrameSchema:
    """The schema of the cleaned frame. Each check's error is a code of `rdimport.reasons`."""
    import pandera.polars as pa  # noqa: PLC0415  a quarter of a second, for who validates only

    def check(rule: Rule) -> pa.Check:
        error, good = rule
        return pa.Check(lambda data: data.lazyframe.select(good(pl.col(data.key))), error=error)

    has_cookie = "traffic_source" in mapping.fields
    return pa.DataFrameSchema(
        {
            target.name: pa.Column(
                pl.List(pl.String) if target.type is Type.LIST else pl.String,
                checks=[check(rule) for rule in rules(target, has_cookie=has_cookie)],
                nullable=not target.required,
            )
            for target in targets(mapping)
        }
    )


def rules(target: Target, *, has_cookie: bool = False) -> Iterator[Rule]:
    """What a target's cells must keep, from RD's contract and from the cleaners that they had.

    An e-mail, a phone number and a state have their own bound of length in their form.
    """
    if target.type is Type.LIST:
        yield f"text.too_long|{MAX_LENGTH}", _items_fit
        if target.name == "tags":
            yield "tags.capitals", _items_lower
    elif target.type is Type.BOOLEAN:
        yield "boolean.unknown", lambda cell: cell.is_in(["true", "false"])
    elif target.type is Type.INTEGER:
        yield "integer.syntax", lambda cell: cell.str.contains(r"^(?:0|-?[1-9][0-9]{0,17})$")
    elif target.name == "email" or Clean.EMAIL in target.cleaners:
        yield "email.syntax", _is_email
    elif Clean.PHONE in target.cleaners:
        yield "phone.syntax", lambda cell: cell.str.contains(E164)
    elif Clean.UF in target.cleaners:
        yield "uf.unknown", lambda cell: cell.is_in(list(STATES))
    else:
        yield f"text.too_long|{MAX_LENGTH}", lambda cell: cell.str.len_chars() <= MAX_LENGTH
    if has_cookie and target.name in BESIDE_COOKIE:
        yield "traffic.beside_cookie", lambda cell: cell.is_null() | _no_cookie()


def _no_cookie() -> pl.Expr:
    return holds_cookie(pl.col("traffic_source")).not_().fill_null(value=True)


def _items_fit(cell: pl.Expr) -> pl.Expr:
    return cell.list.eval(pl.element().str.len_chars() <= MAX_LENGTH).list.all()


def _items_lower(cell: pl.Expr) -> pl.Expr:
    joined = cell.list.join("\n")
    return joined == joined.str.to_lowercase()


def _is_email(cell: pl.Expr) -> pl.Expr:
    fits = (cell.str.len_bytes() <= _ADDRESS) & (cell.str.find("@", literal=True) <= _LOCAL_PART)
    return cell.str.contains(SYNTAX) & fits


def failures(cleaned: pl.DataFrame, against: pa.DataFrameSchema) -> pl.DataFrame:
    """Every failing cell, in one pass: a frame of `FAILURES` in no particular order.

    Raises RuntimeError for what is no fault of the data (a column of a wrong type): the cleaned
    frame is ours, so that would be a bug.
    """
    from pandera.errors import SchemaErrors  # noqa: PLC0415  as above

    try:
        against.validate(cleaned, lazy=True)
    except SchemaErrors as found:
        cases = found.failure_cases
        if cases["index"].null_count():
            raise RuntimeError(f"the cleaned frame does not have its form: {cases}") from None
        return _coded(cases)
    return pl.DataFrame(schema=FAILURES)


def _coded(cases: pl.DataFrame) -> pl.DataFrame:
    """pandera's failure cases, with codes as precise as the values allow."""
    error = pl.col("check").str.replace("^not_nullable$", MISSING).str.split("|").list
    value = pl.col("failure_case")
    code = pl.col("code")
    precise = (
        pl.when(code == "email.syntax")
        .then(_email_code(value))
        .when(code == "phone.syntax")
        .then(_phone_code(value))
        .otherwise(code)
    )
    return cases.select(
        pl.col("index").cast(pl.UInt32),
        pl.col("column").alias("target"),
        error.get(0).alias("code"),
        error.get(1, null_on_oob=True).fill_null("").alias("detail"),
        value,
    ).select("index", "target", precise.alias("code"), "detail")


def _email_code(value: pl.Expr) -> pl.Expr:
    signs = value.str.count_matches("@", literal=True)
    return (
        pl.when(signs == 0)
        .then(pl.lit("email.no_at"))
        .when(signs > 1)
        .then(pl.lit("email.several"))
        .when(value.str.len_bytes() > _ADDRESS)
        .then(pl.lit("email.too_long"))
        .otherwise(pl.lit("email.syntax"))
    )


def _phone_code(value: pl.Expr) -> pl.Expr:
    digits = value.str.replace_all(r"[^0-9]", "").str.len_chars()
    return (
        pl.when(digits == 0)
        .then(pl.lit("phone.no_digits"))
        .when(digits < 8)
        .then(pl.lit("phone.too_short"))
        .when((digits <= 9) & value.str.contains(r"^\s*\+").not_())
        .then(pl.lit("phone.no_area"))
        .when((digits > 15) | value.str.contains(r"[/;|]|\b(?:ou|e|or)\b"))
        .then(pl.lit("phone.several"))
        .otherwise(pl.lit("phone.syntax"))
    )
