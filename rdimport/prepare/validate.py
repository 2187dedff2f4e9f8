"""The mapping and RD's contract as a pandera schema, and what it finds wrong, cell by cell.

The schema stands over the cleaned frame: one column per target, all text, lists of text. It may be
had alone (`schema`) and used as any `pandera.polars.DataFrameSchema`. Only eager frames: pandera
lets every bad value of a LazyFrame pass without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.core.errors import Bug
from rdimport.destination.rdstation.fields import MAX_LENGTH
from rdimport.mapping import Clean, Format, Mapping, Severity, Type
from rdimport.mapping.targets import Target, targets
from rdimport.prepare.clean import brazil, email, form, phone, results
from rdimport.prepare.clean.address import SYNTAX
from rdimport.prepare.clean.mangled import EXPONENT
from rdimport.prepare.clean.phone import SEVERAL

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

_UUID: Final = r"^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"

_SHOWN: Final = 12
"""How many allowed values a message lists."""

_LOCAL_PART: Final = 64
_ADDRESS: Final = 254
"""Octets of a mailbox's local part and of a whole address (RFC 5321, 4.5.3.1, and erratum 1690)."""

BESIDE_COOKIE: Final = ("traffic_medium", "traffic_campaign", "traffic_value")
"""The fields that must be absent where `traffic_source` holds the cookie `__trf.src`."""

Rule = tuple[str, Callable[[pl.Expr], pl.Expr]]
"""A code, with its detail after a bar, and the expression that is true for a good cell."""

Options = AnyMapping[str, Sequence[str]]
"""The values that an account allows, by custom field."""


def holds_cookie(traffic_source: pl.Expr) -> pl.Expr:
    """Whether it is the value of the cookie `__trf.src`, which RD writes as `encoded_…`."""
    return traffic_source.str.starts_with("encoded_")


def schema(mapping: Mapping, options: Options | None = None) -> pa.DataFrameSchema:
    """The schema of the cleaned frame. Each check's error is a code of `core.messages`.

    `options` are the values that the account allows, by custom field.
    """
    import pandera.polars as pa  # noqa: PLC0415  a quarter of a second, for who validates only

    def check(rule: Rule) -> pa.Check:
        error, good = rule
        return pa.Check(lambda data: data.lazyframe.select(good(pl.col(data.key))), error=error)

    has_cookie = "traffic_source" in mapping.fields
    columns = {}
    for target in targets(mapping):
        allowed = (options or {}).get(target.name)
        kept = rules(target, has_cookie=has_cookie, allowed=allowed)
        columns[target.name] = pa.Column(
            dtype(target),
            checks=[check(rule) for rule in kept],
            nullable=not target.required,
        )
    return pa.DataFrameSchema(columns)


def dtype(target: Target) -> pl.DataType:
    """The type of the target's column in the cleaned frame."""
    return pl.List(pl.String) if target.type is Type.LIST else pl.String()


def rules(
    target: Target, *, has_cookie: bool = False, allowed: Sequence[str] | None = None
) -> Iterator[Rule]:
    """What a target's cells must keep: RD's contract, its own form, and the mapping's checks."""
    yield from _of_type(target)
    if allowed is not None:
        yield _among("option.unknown", allowed, target)
    if has_cookie and target.name in BESIDE_COOKIE:
        yield "traffic.beside_cookie", lambda cell: cell.is_null() | _no_cookie()
    yield from _of_check(target)


def _of_type(target: Target) -> Iterator[Rule]:
    """RD's contract. An e-mail, a phone number and a state have their bound of length in it."""
    listed = results(target)
    literal = {Type.BOOLEAN: FORMS[Clean.BOOLEAN], Type.INTEGER: INTEGER_FORM}.get(target.type)
    if target.type is Type.LIST:
        yield f"text.too_long|{MAX_LENGTH}", _items_fit
        if target.name == "tags":
            yield "tags.capitals", _items_lower
        for code, good in (_form(name, target) for name in target.cleaners if name in FORMS):
            yield code, _each(good)
    if listed is not None:
        # These are written into the JSON as they are, so nothing else may pass.
        sound = _keeping(listed, literal[1]) if literal else listed
        yield _among("value.not_listed", sound, target)
    elif literal:
        yield literal
    elif target.type is Type.TEXT:
        forms = [_form(cleaner, target) for cleaner in target.cleaners if cleaner in FORMS]
        if target.name == "email" and FORMS[Clean.EMAIL] not in forms:
            forms.append(FORMS[Clean.EMAIL])
        if target.name == "client_tracking_id":
            forms.append(("client_tracking_id.syntax", lambda cell: cell.str.contains(_UUID)))
        yield from forms
        if not forms:
            yield (
                f"text.too_long|{MAX_LENGTH}",
                lambda cell: cell.str.len_chars() <= MAX_LENGTH,
            )


def _form(cleaner: Clean, target: Target) -> Rule:
    """The form that a cleaner aims at, as the keys of the field would have it."""
    if cleaner is Clean.DATE and target.how.date_format is not None:
        return "date.syntax", _dated(target.how.date_format)
    if cleaner is Clean.NUMBER and target.how.decimal is not None:
        return "number.syntax", lambda cell: cell.str.contains(form.NUMBER)
    return FORMS[cleaner]


def _of_check(target: Target) -> Iterator[Rule]:
    """The mapping's `checks` of one field; a bound travels as the detail of its code."""
    check = target.check
    if check.format is not None and check.format.value not in target.cleaners:
        yield INTEGER_FORM if check.format is Format.INTEGER else FORMS[Clean(check.format.value)]
    if check.one_of is not None:
        yield _among("value.not_listed", check.one_of, target)
    if check.pattern is not None:
        pattern = check.pattern
        yield f"text.pattern|{pattern}", lambda cell: cell.str.contains(pattern)
    bounded = check.min is not None or check.max is not None
    if bounded and target.type is not Type.INTEGER and Clean.NUMBER not in target.cleaners:
        yield FORMS[Clean.NUMBER]
    if check.min is not None:
        yield f"number.too_small|{check.min:g}", lambda cell: _number(cell) >= check.min
    if check.max is not None:
        yield f"number.too_large|{check.max:g}", lambda cell: _number(cell) <= check.max
    yield from _of_length(target)
    if check.role is Severity.INVALID:
        yield "email.role", lambda cell: email.is_role(cell).not_()
    if check.throwaway is Severity.INVALID:
        yield "email.throwaway", lambda cell: email.is_throwaway(cell).not_()


def _of_length(target: Target) -> Iterator[Rule]:
    least, most = target.check.min_length, target.check.max_length
    what = "list" if target.type is Type.LIST else "text"

    def length(cell: pl.Expr) -> pl.Expr:
        return cell.list.len() if target.type is Type.LIST else cell.str.len_chars()

    if least is not None:
        yield f"{what}.too_short|{least}", lambda cell: length(cell) >= least
    if most is not None:
        yield f"{what}.too_long|{most}", lambda cell: length(cell) <= most


def _among(code: str, allowed: Sequence[str], target: Target) -> Rule:
    """Only these values, each item of a list for itself."""
    values = list(allowed)
    shown = ", ".join(values[:_SHOWN]) + (", …" if len(values) > _SHOWN else "")
    if target.type is Type.LIST:
        return f"{code}|{shown}", lambda cell: cell.list.set_difference(values).list.len() == 0
    return f"{code}|{shown}", lambda cell: cell.is_in(values)


def _each(good: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    """What every item of a list must keep."""
    return lambda cell: cell.list.eval(good(pl.element())).list.all()


def _keeping(values: Sequence[str], good: Callable[[pl.Expr], pl.Expr]) -> list[str]:
    cells = pl.DataFrame({"cell": values}, schema={"cell": pl.String})
    return cells.filter(good(pl.col("cell")))["cell"].to_list()


def _number(cell: pl.Expr) -> pl.Expr:
    return cell.cast(pl.Float64, strict=False)


def _dated(date_format: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda cell: cell.str.to_date(date_format, strict=False).is_not_null()


def _no_cookie() -> pl.Expr:
    return holds_cookie(pl.col("traffic_source")).not_().fill_null(value=True)


def _items_fit(cell: pl.Expr) -> pl.Expr:
    return cell.list.eval(pl.element().str.len_chars() <= MAX_LENGTH).list.all()


def _items_lower(cell: pl.Expr) -> pl.Expr:
    item = pl.element()
    return cell.list.eval(item == item.str.to_lowercase()).list.all()


def _is_number(cell: pl.Expr) -> pl.Expr:
    return cell.str.contains(form.NUMBER) & cell.str.contains(form.AMBIGUOUS).not_()


def _is_email(cell: pl.Expr) -> pl.Expr:
    fits = (cell.str.len_bytes() <= _ADDRESS) & (cell.str.find("@", literal=True) <= _LOCAL_PART)
    return cell.str.contains(SYNTAX) & fits


FORMS: Final[dict[Clean, Rule]] = {
    Clean.EMAIL: ("email.syntax", _is_email),
    Clean.PHONE: ("phone.syntax", phone.is_number),
    Clean.UF: ("uf.unknown", lambda cell: cell.is_in(list(brazil.STATES))),
    Clean.BOOLEAN: ("boolean.unknown", lambda cell: cell.is_in(["true", "false"])),
    Clean.NUMBER: ("number.syntax", _is_number),
    Clean.DATE: (
        "date.syntax",
        lambda cell: cell.str.to_date("%Y-%m-%d", strict=False).is_not_null(),
    ),
    Clean.CPF: ("cpf.syntax", brazil.is_cpf),
    Clean.CNPJ: ("cnpj.syntax", brazil.is_cnpj),
    Clean.CEP: ("cep.syntax", lambda cell: cell.str.contains(brazil.CEP)),
    Clean.URL: (
        "url.syntax",
        lambda cell: cell.str.contains(form.URL) & (cell.str.len_chars() <= MAX_LENGTH),
    ),
}
"""The form that a cleaner aims at; a cell that does not have it was not understood."""

INTEGER_FORM: Final[Rule] = ("integer.syntax", lambda cell: cell.str.contains(form.INTEGER))


def failures(cleaned: pl.DataFrame, against: pa.DataFrameSchema) -> pl.DataFrame:
    """Every failing cell, in one pass: a frame of `FAILURES` in no particular order.

    Raises Bug for what is no fault of the data, such as a column of a wrong type: the cleaned frame
    is ours.
    """
    from pandera.errors import SchemaErrors  # noqa: PLC0415  a quarter of a second, see `schema`

    try:
        against.validate(cleaned, lazy=True)
    except SchemaErrors as found:
        cases = found.failure_cases
        if cases["index"].null_count():  # it is not about a cell
            raise Bug(f"the cleaned frame does not have its form: {cases}") from None
        return _coded(cases)
    return pl.DataFrame(schema=FAILURES)


class Suspicion(NamedTuple):
    """What is worth a look, and sent all the same: which cells, and the detail of each."""

    code: str
    cells: Callable[[pl.Expr], pl.Expr]
    detail: Callable[[pl.Expr], pl.Expr]


def suspicions(target: Target) -> Iterator[Suspicion]:
    """The suspicions that a target's valid cells are looked at for."""
    if target.name == "email" or Clean.EMAIL in target.cleaners:
        if target.type is Type.TEXT and not target.how.correct_typos:
            yield Suspicion("email.typo", email.is_slip, email.suggestion)
        if target.check.role is Severity.SUSPECT:
            yield Suspicion("email.role", email.is_role, lambda _: pl.lit(""))
        if target.check.throwaway is Severity.SUSPECT:
            yield Suspicion("email.throwaway", email.is_throwaway, lambda _: pl.lit(""))


def _coded(cases: pl.DataFrame) -> pl.DataFrame:
    """pandera's failure cases, with codes as precise as the values allow."""
    error = pl.col("check").str.replace("^not_nullable$", MISSING).str.splitn("|", 2).struct
    coded = cases.select(
        pl.col("index").cast(pl.UInt32),
        pl.col("column").alias("target"),
        error[0].alias("code"),
        error[1].fill_null("").alias("detail"),
        pl.col("failure_case").alias("value"),
    )
    # Code by code, because to look at a value takes longer than all the rest.
    parts = [
        part.with_columns(code=_PRECISE[code](pl.col("value"))) if code in _PRECISE else part
        for (code,), part in coded.partition_by("code", as_dict=True).items()
    ]
    return pl.concat(parts).select(*FAILURES)


def _email_code(value: pl.Expr) -> pl.Expr:
    addresses = value.str.count_matches(r"[^\s@;,/|]+@[^\s@;,/|]+")
    return (
        pl.when(value.str.contains("@", literal=True).not_())
        .then(pl.lit("email.no_at"))
        .when(addresses > 1)
        .then(pl.lit("email.several"))
        .when(value.str.contains(r"^[^\s@]+@[^\s@]*[^\x00-\x7f]"))
        .then(pl.lit("email.domain_accents"))
        .when(value.str.contains(r"\S\s+\S"))
        .then(pl.lit("email.words"))
        .when(value.str.len_bytes() > _ADDRESS)
        .then(pl.lit("email.too_long"))
        .otherwise(pl.lit("email.syntax"))
    )


def _phone_code(value: pl.Expr) -> pl.Expr:
    digits = value.str.replace_all(r"[^0-9]", "").str.len_chars()
    return (
        pl.when(digits == 0)
        .then(pl.lit("phone.no_digits"))
        .when(value.str.contains(EXPONENT))
        .then(pl.lit("phone.digits_lost"))
        .when((digits > 15) | value.str.contains(SEVERAL))
        .then(pl.lit("phone.several"))
        .when(digits < 8)
        .then(pl.lit("phone.too_short"))
        .when((digits <= 9) & value.str.contains(r"^\s*\+").not_())
        .then(pl.lit("phone.no_area"))
        .otherwise(pl.lit("phone.syntax"))
    )


def _number_code(value: pl.Expr) -> pl.Expr:
    ambiguous = value.str.contains(form.AMBIGUOUS)
    return pl.when(ambiguous).then(pl.lit("number.ambiguous")).otherwise(pl.lit("number.syntax"))


_PRECISE: Final = {
    "email.syntax": _email_code,
    "phone.syntax": _phone_code,
    "number.syntax": _number_code,
}
"""Checks whose failures have several causes, and how to tell them apart."""
