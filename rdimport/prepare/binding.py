"""Binds a mapping to a table: its columns and expressions, once for all batches."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from polars.exceptions import PanicException, PolarsError

from rdimport.core import names
from rdimport.core.errors import MappingError
from rdimport.core.messages import _, language, ngettext
from rdimport.core.messages.reasons import explain
from rdimport.core.row import ROW, Problem
from rdimport.core.visible import cut, shown_lines
from rdimport.mapping import FieldSource, Otherwise, account_fields, sql
from rdimport.mapping.targets import Target, targets
from rdimport.prepare import validate
from rdimport.prepare.clean import BEFORE, NOW, Release, cleaned, was_cleaned_otherwise
from rdimport.prepare.clean.lazily import once_each, where
from rdimport.prepare.clean.phone import of_kind
from rdimport.prepare.clean.text import column, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandera.polars as pa

    from rdimport.destination.rdstation.custom_fields import CustomFields
    from rdimport.mapping import Mapping

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_CONSENT = re.compile(r"aceit|autoriz|concord|consent|lgpd|\bopt\W?(?:in|out)\b|permi|quer|receb")
"""In names of columns that say whether a person may be written to."""
_BY_POSITION = re.compile(r"Coluna \d+")


@dataclass(frozen=True)
class Bound:
    """A mapping bound to one table.

    `columns` maps each target to the table's columns that fill it. `computed` has the columns that
    SQL expressions add before cleaning, including `where`; `aliases` are the names that the
    expressions use for the table's columns. `expressions` are the cleaned columns, in the order of
    `targets`. `before` has the identity fields as an earlier release cleaned them, if that differs.
    `make_schema` makes the schema of the cleaned columns once, when the first rows are validated.
    """

    mapping: Mapping
    table: str
    targets: tuple[Target, ...]
    columns: AnyMapping[str, tuple[str, ...]]
    aliases: AnyMapping[str, str]
    computed: AnyMapping[str, pl.Expr]
    expressions: tuple[pl.Expr, ...] = field(repr=False)
    before: tuple[pl.Expr, ...] = field(repr=False)
    make_schema: Callable[[], pa.DataFrameSchema] = field(repr=False)

    @property
    def schema(self) -> pa.DataFrameSchema:
        """The schema of the cleaned columns."""
        return self.make_schema()

    def fields(self) -> tuple[str, ...]:
        """The fields that the mapping fills, in the order of the payload."""
        return tuple(dict.fromkeys(target.field for target in self.targets))


class Origin(NamedTuple):
    """The origin of a table's rows: the file name, the sheet and the date of the import."""

    file: str = ""
    sheet: str = ""
    date: str = ""


WHERE = "__rdimport_where__"
COMPUTED = "__rdimport_expr__"


def bind(
    mapping: Mapping,
    columns: Sequence[str],
    table: str,
    account: CustomFields | None = None,
    origin: Origin = Origin(),  # noqa: B008  it never changes
) -> Bound:
    """Find the mapping's columns in a table.

    Raises MappingError listing all missing columns, constants that RD would refuse, and custom
    fields that the `account` does not have.
    """
    if account is None and not mapping.about:
        with suppress(MappingError):  # below, it names the table
            return replace(_shared(_Content(mapping), tuple(columns)), mapping=mapping, table=table)
    return _bound(mapping, columns, table, account, origin)


class _Content:
    """A mapping, equal to any other one with the same content."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self._content = repr(mapping.model_dump())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and other._content == self._content

    def __hash__(self) -> int:
        return hash(self._content)


@lru_cache(maxsize=64)
def _shared(content: _Content, columns: tuple[str, ...]) -> Bound:
    """The binding of tables with equal columns: a worker's hundreds of accounts share it. It has a
    mapping of its own, as the caller may change theirs.
    """
    return _bound(content.mapping.model_copy(deep=True), columns, "", None, Origin())


def _bound(
    mapping: Mapping,
    columns: Sequence[str],
    table: str,
    account: CustomFields | None,
    origin: Origin,
) -> Bound:
    by_name = {names.fold(column): column for column in reversed(columns)}
    missing = [name for name in mapping.columns() if names.fold(name) not in by_name]
    if missing:
        raise _missing(mapping, missing, columns, table)
    if account is not None:
        account_fields.verify(mapping, account)
    wanted = targets(mapping)
    found = {t.name: tuple(by_name[names.fold(c)] for c in t.source.columns) for t in wanted}
    computed = {f"{COMPUTED}{t.name}": t.source.expr for t in wanted if t.source.expr is not None}
    if mapping.where is not None:
        computed[WHERE] = mapping.where
    known_by = [t for t in wanted if _known_by(mapping, t)]
    allowed = account_fields.allowed_values(mapping, account)
    bound = Bound(
        mapping=mapping,
        table=table,
        targets=wanted,
        columns=found,
        aliases=_aliases(list(computed.values()), columns, by_name),
        computed={name: sql.parse(text) for name, text in computed.items()},
        expressions=tuple(
            _about(t, origin) if t.name in mapping.about else _expression(mapping, t, found)
            for t in wanted
        ),
        before=tuple(_expression(mapping, t, found, BEFORE) for t in known_by),
        make_schema=cache(partial(validate.schema, mapping, allowed)),
    )
    _try_expressions(bound, columns)
    _check_constants(bound, allowed)
    return bound


def _aliases(
    expressions: Sequence[str], columns: Sequence[str], by_name: AnyMapping[str, str]
) -> dict[str, str]:
    """Names used by expressions for columns that the table spells differently."""
    called = [name for text in expressions for name in sql.columns(text)]
    return {name: by_name[names.fold(name)] for name in called if name not in columns}


def _about(target: Target, origin: Origin) -> pl.Expr:
    """The column of a target that contains the origin of the row."""
    what = target.how.about
    if what == "row":
        return cleaned(pl.col(ROW).cast(pl.String), target)
    value = getattr(origin, what or "file") or None
    once = pl.select(cleaned(pl.lit(value, dtype=pl.String), target)).to_series()
    return pl.lit(once).first().alias(target.name)


def _known_by(mapping: Mapping, target: Target) -> bool:
    """Whether the target is part of the identity and an earlier release cleaned it differently."""
    of_cells = target.source.value is None and target.name not in mapping.about
    return of_cells and target.name in mapping.identity and was_cleaned_otherwise(target)


def _expression(
    mapping: Mapping,
    target: Target,
    found: AnyMapping[str, tuple[str, ...]],
    by: Release = NOW,
) -> pl.Expr:
    """The target's cleaned column; a constant is cleaned only once."""
    raw = _raw(mapping, target, found[target.name])
    if raw is None:
        once = pl.select(cleaned(pl.lit(target.source.value, dtype=pl.String), target)).to_series()
        return pl.lit(once).first().alias(target.name)

    def clean(cell: pl.Expr) -> pl.Expr:
        given = cell if target.source.expr is not None else _unless_empty(cell, mapping.empty)
        return cleaned(given, target, by)

    column = once_each(raw, clean, validate.dtype(target)).alias(target.name)
    if _shares_column(mapping, found):
        kinds = {"mobile_phone": "mobile", "personal_phone": "landline"}
        if target.name in kinds:
            return of_kind(column, kinds[target.name]).alias(target.name)
    return column


def _raw(mapping: Mapping, target: Target, columns: Sequence[str]) -> pl.Expr | None:
    if target.source.expr is not None:
        return pl.col(f"{COMPUTED}{target.name}")
    if len(columns) == 1:
        return column(columns[0])
    cells = [_unless_empty(column(name), mapping.empty) for name in columns]
    return pl.coalesce(pl.when(filled(cell)).then(cell) for cell in cells) if cells else None


def _shares_column(mapping: Mapping, found: AnyMapping[str, tuple[str, ...]]) -> bool:
    """Whether one column fills both phone fields."""
    mobile, landline = found.get("mobile_phone"), found.get("personal_phone")
    return bool(mobile) and mobile == landline and mapping.fields["mobile_phone"].expr is None


def _unless_empty(cell: pl.Expr, empty: Sequence[str]) -> pl.Expr:
    words = "|".join(re.escape(word.strip()) for word in empty)
    return where(
        cell,
        lambda c: c.str.contains(rf"(?i)^\s*(?:{words})\s*$"),
        lambda _: pl.lit(None, dtype=pl.String),
    )


def _try_expressions(bound: Bound, columns: Sequence[str]) -> None:
    """Raise for an expression that cannot be applied to text columns."""
    nothing = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    frame = nothing.with_columns(column(real).alias(name) for name, real in bound.aliases.items())
    for name, expression in bound.computed.items():
        try:
            result = frame.select(expression.alias("x"))
        except (PolarsError, PanicException) as error:
            from rdimport.mapping.polars_words import why_not_computed  # noqa: PLC0415  few need it

            reason = why_not_computed(error)
            raise MappingError(
                _(
                    "{table}: the expression of {called} cannot be computed: {reason}",
                    table=bound.table,
                    called=_called(bound.mapping, name),
                    reason=reason,
                ),
                _("All columns are text: write CAST(column AS INT) to compare numbers."),
            ) from None
        if name == WHERE and result["x"].dtype != pl.Boolean:
            raise MappingError(
                _(
                    "{called} is not a condition: its result is not yes or no",
                    called=_called(bound.mapping, name),
                ),
                _("Write a comparison: UF = 'SP'."),
            )


def _called(mapping: Mapping, name: str) -> str:
    key = "where" if name == WHERE else name.removeprefix(COMPUTED)
    called = "`where`" if name == WHERE else _("the field `{field}`", field=key)
    place = mapping.expression_place(key)
    return f"{called} ({place})" if place else called


def _check_constants(bound: Bound, allowed: validate.Options) -> None:
    """Raise for constants of the mapping that would make every row invalid."""
    given = [(t, text) for t in bound.targets for text in _texts(t)]
    nothing = pl.DataFrame(schema={t.name: validate.dtype(t) for t in bound.targets})
    columns = [
        pl.DataFrame({"x": _texts(t)}, schema={"x": pl.String}).select(
            cleaned(pl.col("x"), replace(t, source=_plain(t)))
        )
        for t in bound.targets
        if _texts(t)
    ]
    frame = pl.concat([nothing, *columns], how="diagonal")
    if frame.height == sum(map(pl.Series.count, frame)) and validate.passes(
        frame, bound.mapping, allowed
    ):
        return
    constant = list(dict.fromkeys(target.name for target, _text in given))
    found = validate.failures(frame, bound.schema.select_columns(constant))
    lines = [
        f"`{target.field}`: {explain(Problem(code, target.field, '', text, detail), language())}"
        for at, name, code, detail in found.sort("index").iter_rows()
        for target, text in [given[at]]
        if name == target.name
    ]
    if lines:
        raise MappingError(
            shown_lines([_("The mapping sets values that RD would refuse."), *lines]),
            _("Correct the value in the mapping."),
        )


def _texts(target: Target) -> list[str]:
    """Values that come from the mapping and not from a cell."""
    how = target.how
    single = [text for text in (how.value, how.default) if text is not None]
    return [*single, *(how.values or {}).values(), *(how.add or ())]


def _plain(target: Target) -> FieldSource:
    """The target's source without the keys that replace cells."""
    kept = {"values": None, "otherwise": Otherwise.INVALID, "default": None, "add": None}
    return target.how.model_copy(update=kept)


def _missing(
    mapping: Mapping, missing: Sequence[str], columns: Sequence[str], table: str
) -> MappingError:
    lines, headings = [], [one for one in columns if not _ADDRESS.search(one)]
    for name in missing:
        best = names.did_you_mean(name, _of_its_kind(mapping, name, headings))
        hint = _("; did you mean “{name}”?", name=cut(best)) if best else ""
        missed = _("{table}: has no column “{name}”", table=table, name=cut(name))
        lines.append(f"{missed}{_asked_by(mapping, name)}{hint}")
    is_none_there = len(missing) == len(mapping.columns())
    remedy = names.read_as_one(columns) or _remedy(columns, is_none_there=is_none_there)
    return MappingError(shown_lines(lines), remedy)


def _of_its_kind(mapping: Mapping, name: str, headings: Sequence[str]) -> list[str]:
    """The headings that may be meant: “Aceita e-mail” is no other spelling of “E-mail”."""
    asks = [key for key, source in mapping.sources() if name in source.columns]
    is_consent = bool(_CONSENT.search(names.fold(name))) or any(
        key.startswith("legal_bases") for key in asks
    )
    return [
        heading
        for heading in headings
        if bool(_CONSENT.search(names.fold(heading))) == is_consent or names.is_slip(name, heading)
    ]


def _remedy(columns: Sequence[str], *, is_none_there: bool) -> str:
    """What to do about missing columns. Addresses are hidden, as a person's row may have been taken
    for the header.
    """
    known = ", ".join(f"“{cut(_ADDRESS.sub('***', column))}”" for column in columns)
    if is_none_there and any(map(_ADDRESS.search, columns)):
        return _(
            "What is read as the header contains an e-mail address, so it is a person's row. If "
            "the file has no header, write the names of its columns above the first row; if a "
            "delimiter or a header row is given, omit it."
        )
    if all(map(_BY_POSITION.fullmatch, columns)):
        return _(
            "The file has no header: write the names of its columns above the first row, or, in "
            "the mapping, call them as they are called here: {known}.",
            known=known,
        )
    if is_none_there and len(columns) > 1:
        return _(
            "None of the mapping's columns is in the file: check that mapping, sheet and header "
            "row are those of this list. The file's columns are {known}. To have a mapping written "
            "for it, type: rdimport init FILE -o MAPPING",
            known=known,
        )
    return _("Correct the column in the mapping. The file's columns are {known}.", known=known)


def _asked_by(mapping: Mapping, column: str) -> str:
    """The keys of the mapping that name the column."""
    users = [f"`{name}`" for name, source in mapping.sources() if column in source.columns]
    users += ["`where`"] if mapping.where and column in sql.columns(mapping.where) else []
    place = f" ({mapping.place(column)})" if mapping.place(column) else ""
    named = _(" and ").join(users)
    return ngettext(
        ", which {keys} asks for{place}",
        ", which {keys} ask for{place}",
        len(users),
        keys=named,
        place=place,
    )
