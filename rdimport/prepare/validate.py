"""Validation: RD's contract and the mapping's checks as a pandera schema, applied cell by cell.

The schema describes the cleaned frame: one column per target, of type String or List(String). It
can be used alone (`schema`) like any `pandera.polars.DataFrameSchema`, but only with eager frames:
for a LazyFrame, pandera checks the schema and silently skips the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.core.errors import Bug
from rdimport.core.messages.codes import Code
from rdimport.destination.rdstation.fields import MAX_LENGTH
from rdimport.mapping import Clean, Format, Mapping, Severity, Type
from rdimport.mapping.targets import Target, targets
from rdimport.prepare.clean import brazil, email, form, phone, results
from rdimport.prepare.clean.address import SYNTAX
from rdimport.prepare.clean.mangled import EXPONENT
from rdimport.prepare.clean.phone import SEVERAL

if TYPE_CHECKING:
    import pandera.polars as pa

MISSING: Final = Code.VALUE_MISSING

FAILURES: Final = {
    "index": pl.UInt32,
    "target": pl.String,
    "code": pl.String,
    "detail": pl.String,
}
"""One line per failed check of a cell: its position in the frame, target, code and detail."""

_UUID: Final = r"^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"

_SHOWN: Final = 12
"""Number of allowed values listed in a message."""

_LOCAL_PART: Final = 64
_ADDRESS: Final = 254
"""Octets of a mailbox's local part and of a whole address (RFC 5321, 4.5.3.1, and erratum 1690)."""

LIBRARIES: Final = ("pandera.polars", "pandera.backends.polars.register")
"""The modules that validation loads on first use; a caller may load them while it reads."""

BESIDE_COOKIE: Final = ("traffic_medium", "traffic_campaign", "traffic_value")
"""Fields that must be absent if `traffic_source` contains the cookie `__trf.src`."""

Rule = tuple[str, Callable[[pl.Expr], pl.Expr]]
"""A code, perhaps with `|` and a detail, and an expression that is true for valid cells."""

Options = AnyMapping[str, Sequence[str]]
"""The values that an account allows, by custom field."""


def holds_cookie(traffic_source: pl.Expr) -> pl.Expr:
    """Whether the value is a cookie `__trf.src`, which RD writes as `encoded_...`."""
    return traffic_source.str.starts_with("encoded_")


def schema(mapping: Mapping, options: Options | None = None) -> pa.DataFrameSchema:
    """The schema of the cleaned frame. The error of each check is a code of `core.messages`.

    `options` are the values that the account allows, by custom field.
    """
    import pandera.polars as pa  # noqa: PLC0415  takes 0.25 s, only validation needs it

    def check(rule: Rule) -> pa.Check:
        error, good = rule

        def passed(data: pa.PolarsData) -> bool | pl.LazyFrame:
            cells = data.lazyframe.select(good(pl.col(data.key))).collect()
            return cells.to_series().all() or cells.lazy()  # pandera copies the frame for the rest

        return pa.Check(passed, error=str(error))

    columns = {
        target.name: pa.Column(
            dtype(target), checks=list(map(check, kept)), nullable=not target.required
        )
        for target, kept in _by_target(mapping, options)
    }
    return pa.DataFrameSchema(columns)


def _by_target(
    mapping: Mapping, options: Options | None
) -> Iterator[tuple[Target, Iterator[Rule]]]:
    has_cookie = "traffic_source" in mapping.fields
    for target in targets(mapping):
        allowed = (options or {}).get(target.name)
        yield target, rules(target, has_cookie=has_cookie, allowed=allowed)


def passes(cleaned: pl.DataFrame, mapping: Mapping, options: Options | None = None) -> bool:
    """Whether all filled cells fulfil the rules. For a few cells that hardly ever fail, so that
    pandera need not be loaded for them.
    """
    good = (
        rule(pl.col(t.name)).all() for t, kept in _by_target(mapping, options) for _, rule in kept
    )
    return bool(cleaned.select(pl.all_horizontal(good)).item())


def dtype(target: Target) -> pl.DataType:
    """The type of the target's column in the cleaned frame."""
    return pl.List(pl.String) if target.type is Type.LIST else pl.String()


def rules(
    target: Target, *, has_cookie: bool = False, allowed: Sequence[str] | None = None
) -> Iterator[Rule]:
    """The rules for a target's cells: RD's contract, the field's format, the mapping's checks."""
    yield from _of_type(target)
    if allowed is not None:
        yield _among(Code.OPTION_UNKNOWN, allowed, target)
    if has_cookie and target.name in BESIDE_COOKIE:
        yield Code.TRAFFIC_BESIDE_COOKIE, lambda cell: cell.is_null() | _no_cookie()
    yield from _of_check(target)


def _of_type(target: Target) -> Iterator[Rule]:
    """RD's contract for a type. The rules for e-mail, phone and state include the length."""
    listed = results(target)
    literal = {Type.BOOLEAN: FORMS[Clean.BOOLEAN], Type.INTEGER: INTEGER_FORM}.get(target.type)
    if target.type is Type.LIST:
        yield f"{Code.TEXT_TOO_LONG}|{MAX_LENGTH}", _items_fit
        if target.name == "tags":
            yield Code.TAGS_CAPITALS, _items_lower
        for code, good in (_form(name, target) for name in target.cleaners if name in FORMS):
            yield code, _each(good)
    if listed is not None:
        yield _among(Code.VALUE_NOT_LISTED, listed, target)
        yield from [_if_listed(listed, literal)] if literal else []
    elif literal:
        yield literal
    elif target.type is Type.TEXT:
        forms = [_form(cleaner, target) for cleaner in target.cleaners if cleaner in FORMS]
        if target.name == "email" and FORMS[Clean.EMAIL] not in forms:
            forms.append(FORMS[Clean.EMAIL])
        if target.name == "client_tracking_id":
            forms.append((Code.CLIENT_TRACKING_ID_SYNTAX, lambda cell: cell.str.contains(_UUID)))
        yield from forms
        if not forms:
            yield (
                f"{Code.TEXT_TOO_LONG}|{MAX_LENGTH}",
                lambda cell: cell.str.len_chars() <= MAX_LENGTH,
            )


def _if_listed(listed: Sequence[str], literal: Rule) -> Rule:
    """The rule for listed values alone: they are written to the JSON verbatim, and another value
    fails already.
    """
    code, good = literal
    return code, lambda cell: cell.is_in(listed).not_() | good(cell)


def _form(cleaner: Clean, target: Target) -> Rule:
    """The format that the cleaner produces, according to the keys of the field."""
    if cleaner is Clean.DATE and target.how.date_format is not None:
        return Code.DATE_SYNTAX, _dated(target.how.date_format)
    if cleaner is Clean.NUMBER and target.how.decimal is not None:
        return Code.NUMBER_SYNTAX, lambda cell: cell.str.contains(form.NUMBER)
    return FORMS[cleaner]


def _of_check(target: Target) -> Iterator[Rule]:
    """The mapping's `checks` of one field; a bound becomes the detail of its code."""
    check = target.check
    if check.format is not None and check.format.value not in target.cleaners:
        yield INTEGER_FORM if check.format is Format.INTEGER else FORMS[Clean(check.format.value)]
    if check.one_of is not None:
        yield _among(Code.VALUE_NOT_LISTED, check.one_of, target)
    if check.pattern is not None:
        pattern = check.pattern
        yield f"{Code.TEXT_PATTERN}|{pattern}", lambda cell: cell.str.contains(pattern)
    bounded = check.min is not None or check.max is not None
    if bounded and target.type is not Type.INTEGER and Clean.NUMBER not in target.cleaners:
        yield FORMS[Clean.NUMBER]
    if check.min is not None:
        yield f"{Code.NUMBER_TOO_SMALL}|{check.min:g}", lambda cell: _number(cell) >= check.min
    if check.max is not None:
        yield f"{Code.NUMBER_TOO_LARGE}|{check.max:g}", lambda cell: _number(cell) <= check.max
    yield from _of_length(target)
    if check.role is Severity.INVALID:
        yield Code.EMAIL_ROLE, lambda cell: email.is_role(cell).not_()
    if check.throwaway is Severity.INVALID:
        yield Code.EMAIL_THROWAWAY, lambda cell: email.is_throwaway(cell).not_()


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
    """Only these values are allowed, or for a list, only these items."""
    values = list(allowed)
    shown = ", ".join(values[:_SHOWN]) + (", …" if len(values) > _SHOWN else "")
    if target.type is Type.LIST:
        return f"{code}|{shown}", lambda cell: cell.list.set_difference(values).list.len() == 0
    return f"{code}|{shown}", lambda cell: cell.is_in(values)


def _each(good: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    """Apply a rule to every item of a list."""
    return lambda cell: cell.list.eval(good(pl.element())).list.all()


def _number(cell: pl.Expr) -> pl.Expr:
    return cell.cast(pl.Float64, strict=False)


def _dated(date_format: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda cell: cell.is_null() | cell.str.to_date(date_format, strict=False).is_not_null()


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
    Clean.EMAIL: (Code.EMAIL_SYNTAX, _is_email),
    Clean.PHONE: (Code.PHONE_SYNTAX, phone.is_number),
    Clean.UF: (Code.UF_UNKNOWN, lambda cell: cell.is_in(list(brazil.STATES))),
    Clean.BOOLEAN: (Code.BOOLEAN_UNKNOWN, lambda cell: cell.is_in(["true", "false"])),
    Clean.NUMBER: (Code.NUMBER_SYNTAX, _is_number),
    Clean.DATE: (Code.DATE_SYNTAX, _dated("%Y-%m-%d")),
    Clean.CPF: (Code.CPF_SYNTAX, brazil.is_cpf),
    Clean.CNPJ: (Code.CNPJ_SYNTAX, brazil.is_cnpj),
    Clean.CEP: (Code.CEP_SYNTAX, lambda cell: cell.str.contains(brazil.CEP)),
    Clean.URL: (
        Code.URL_SYNTAX,
        lambda cell: cell.str.contains(form.URL) & (cell.str.len_chars() <= MAX_LENGTH),
    ),
}
"""The format that each cleaner produces; a cell without it was not understood by the cleaner."""

INTEGER_FORM: Final[Rule] = (Code.INTEGER_SYNTAX, lambda cell: cell.str.contains(form.INTEGER))


def failures(cleaned: pl.DataFrame, against: pa.DataFrameSchema) -> pl.DataFrame:
    """All failing cells, in one pass: a frame of `FAILURES` in no particular order.

    Raises Bug for anything else than bad data, such as a column of the wrong type: the cleaned
    frame is the program's own.
    """
    from pandera.errors import SchemaErrors  # noqa: PLC0415  a quarter of a second, see `schema`

    try:
        against.validate(cleaned, lazy=True)
    except SchemaErrors as found:
        cases = found.failure_cases
        if cases["index"].null_count():  # a failure of the schema, not of a cell
            raise Bug(f"the cleaned frame does not have its form: {cases}") from None
        return _coded(cases)
    return pl.DataFrame(schema=FAILURES)


class Suspicion(NamedTuple):
    """A check for valid cells that may be wrong and are still sent, and the detail to report."""

    code: str
    cells: Callable[[pl.Expr], pl.Expr]
    detail: Callable[[pl.Expr], pl.Expr]


def suspicions(target: Target) -> Iterator[Suspicion]:
    """The suspicions that apply to a target."""
    if target.name == "email" or Clean.EMAIL in target.cleaners:
        if target.type is Type.TEXT and not target.how.correct_typos:
            yield Suspicion(Code.EMAIL_TYPO, email.is_slip, email.suggestion)
        if target.check.role is Severity.SUSPECT:
            yield Suspicion(Code.EMAIL_ROLE, email.is_role, lambda _: pl.lit(""))
        if target.check.throwaway is Severity.SUSPECT:
            yield Suspicion(Code.EMAIL_THROWAWAY, email.is_throwaway, lambda _: pl.lit(""))


def _coded(cases: pl.DataFrame) -> pl.DataFrame:
    """pandera's failure cases, with codes as specific as the values allow."""
    error = pl.col("check").str.replace("^not_nullable$", MISSING).str.splitn("|", 2).struct
    coded = cases.select(
        pl.col("index").cast(pl.UInt32),
        pl.col("column").alias("target"),
        error[0].alias("code"),
        error[1].fill_null("").alias("detail"),
        pl.col("failure_case").alias("value"),
    )
    # Code by code, because inspecting a value is the slowest part.
    parts = [
        part.with_columns(code=_PRECISE[code](pl.col("value"))) if code in _PRECISE else part
        for (code,), part in coded.partition_by("code", as_dict=True).items()
    ]
    return pl.concat(parts).select(*FAILURES)


def _email_code(value: pl.Expr) -> pl.Expr:
    addresses = value.str.count_matches(r"[^\s@;,/|]+@[^\s@;,/|]+")
    return (
        pl.when(value.str.contains("@", literal=True).not_())
        .then(pl.lit(Code.EMAIL_NO_AT))
        .when(addresses > 1)
        .then(pl.lit(Code.EMAIL_SEVERAL))
        .when(value.str.contains(r"^[^\s@]+@[^\s@]*[^\x00-\x7f]"))
        .then(pl.lit(Code.EMAIL_DOMAIN_ACCENTS))
        .when(value.str.contains(r"\S\s+\S"))
        .then(pl.lit(Code.EMAIL_WORDS))
        .when(value.str.len_bytes() > _ADDRESS)
        .then(pl.lit(Code.EMAIL_TOO_LONG))
        .otherwise(pl.lit(Code.EMAIL_SYNTAX))
    )


def _phone_code(value: pl.Expr) -> pl.Expr:
    digits = value.str.replace_all(r"[^0-9]", "").str.len_chars()
    return (
        pl.when(digits == 0)
        .then(pl.lit(Code.PHONE_NO_DIGITS))
        .when(value.str.contains(EXPONENT))
        .then(pl.lit(Code.PHONE_DIGITS_LOST))
        .when((digits > 15) | value.str.contains(SEVERAL))
        .then(pl.lit(Code.PHONE_SEVERAL))
        .when(digits < 8)
        .then(pl.lit(Code.PHONE_TOO_SHORT))
        .when((digits <= 9) & value.str.contains(r"^\s*\+").not_())
        .then(pl.lit(Code.PHONE_NO_AREA))
        .otherwise(pl.lit(Code.PHONE_SYNTAX))
    )


def _number_code(value: pl.Expr) -> pl.Expr:
    ambiguous = value.str.contains(form.AMBIGUOUS)
    return (
        pl.when(ambiguous).then(pl.lit(Code.NUMBER_AMBIGUOUS)).otherwise(pl.lit(Code.NUMBER_SYNTAX))
    )


_PRECISE: Final = {
    Code.EMAIL_SYNTAX: _email_code,
    Code.PHONE_SYNTAX: _phone_code,
    Code.NUMBER_SYNTAX: _number_code,
}
"""Checks whose failures have several causes, with expressions that distinguish them."""
