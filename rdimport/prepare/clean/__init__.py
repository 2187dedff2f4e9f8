"""Cleaners: functions over polars expressions, text in, text out.

A cleaner leaves a cell that it does not understand unchanged, so that validation can report what is
wrong with it. All cleaners are idempotent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.mapping import Clean, FieldSource, Several, Type
from rdimport.mapping.vocabulary import Otherwise
from rdimport.prepare.clean import brazil, email, form, older, phone, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rdimport.mapping.targets import Target


class Cleaner(NamedTuple):
    """A cleaner with a sentence and examples for the reference page; the examples are tests."""

    apply: Callable[[pl.Expr, FieldSource], pl.Expr]
    sentence: str
    examples: tuple[tuple[str, str], ...]


def _simple(clean: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr, FieldSource], pl.Expr]:
    """A cleaner that does not depend on the field's keys."""
    return lambda cell, _: clean(cell)


def _email(cell: pl.Expr, how: FieldSource) -> pl.Expr:
    return email.email(cell, first=how.several is Several.FIRST, correct=how.correct_typos)


def _older_email(cell: pl.Expr, how: FieldSource) -> pl.Expr:
    return older.email(cell, first=how.several is Several.FIRST, correct=how.correct_typos)


def _phone(cell: pl.Expr, how: FieldSource) -> pl.Expr:
    first = how.several is Several.FIRST
    return phone.phone(cell, first=first, area=how.default_area, country=how.default_country)


CLEANERS: Final[dict[Clean, Cleaner]] = {
    Clean.NONE: Cleaner(
        _simple(text.none),
        "leaves the cell as it is; only a cell that shows nothing counts as empty",
        (("  as it is ", "  as it is "),),
    ),
    Clean.TEXT: Cleaner(
        _simple(text.text),
        "one space between words, none around them, no invisible characters",
        (("  Ana \u00a0 Souza\u200b ", "Ana Souza"),),
    ),
    Clean.LOWER: Cleaner(
        _simple(text.lower),
        "as `text`, in lowercase",
        (("HTTPS://EXEMPLO.COM.BR ", "https://exemplo.com.br"),),
    ),
    Clean.NAME: Cleaner(
        _simple(text.name),
        "names all in uppercase or all in lowercase are capitalised as names usually are",
        (("JOÃO DA SILVA JR", "João da Silva Jr"), ("dom pedro ii", "Dom Pedro II")),
    ),
    Clean.EMAIL: Cleaner(
        _email,
        "lowercase, without blanks around its symbols, `mailto:`, a name around it or "
        "punctuation at its end; accents before the @ and words around it are removed with "
        "a warning",
        (
            (" ANA@Exemplo.com.br,", "ana@exemplo.com.br"),
            ("Ana Souza <mailto:ana@exemplo.com.br>", "ana@exemplo.com.br"),
            ("joão @ exemplo.com.br", "joao@exemplo.com.br"),
            ("ana@exemplo.com.br (trabalho)", "ana@exemplo.com.br"),
        ),
    ),
    Clean.PHONE: Cleaner(
        _phone,
        "in the international format E.164; numbers without a country code count as Brazilian",
        (
            ("(0xx11) 98765-4321", "+5511987654321"),
            ("11 8765-4321", "+5511987654321"),
            ("+55 (11) 3456-7890 ramal 12", "+551134567890"),
            ("+351 912 345 678", "+351912345678"),
        ),
    ),
    Clean.UF: Cleaner(
        _simple(brazil.uf),
        "Brazilian states as their two letters",
        (
            ("são paulo", "SP"),
            ("Estado do Parana", "PR"),
            ("Campinas/SP", "SP"),
            ("SP - São Paulo", "SP"),
        ),
    ),
    Clean.CITY: Cleaner(
        _simple(brazil.city),
        "without the state after it, and not all in uppercase",
        (("SÃO PAULO / SP", "São Paulo"), ("Niterói (RJ)", "Niterói")),
    ),
    Clean.TAGS: Cleaner(
        _simple(text.lower),
        "tidied and in lowercase, as RD requires of tags",
        ((" Feira 2026", "feira 2026"),),
    ),
    Clean.BOOLEAN: Cleaner(
        _simple(form.boolean),
        "yes and no in Portuguese, English and Spanish, also as forms write it, 1 and 0, S "
        "and N, x: `true` or `false`; a sentence that is not understood stays",
        (("Sim", "true"), ("N", "false"), ("x", "true"), ("Não autorizo", "false")),
    ),
    Clean.NUMBER: Cleaner(
        lambda cell, how: form.number(cell, how.decimal),
        "a number with only a decimal point; the key `decimal` decides what `1.234` means",
        (("R$ 1.234,50", "1234.50"), ("1,234.56", "1234.56"), ("(10)", "-10")),
    ),
    Clean.DATE: Cleaner(
        lambda cell, how: form.date(cell, how.date_format),
        "a day as 2026-12-31, or as `date_format` says; the day comes before the month",
        (("31/12/2026 09:30", "2026-12-31"), ("5 de março de 2024", "2024-03-05")),
    ),
    Clean.CPF: Cleaner(
        _simple(brazil.cpf),
        "with its dots and dash; leading zeros removed by a spreadsheet program are restored",
        (("39053344705", "390.533.447-05"), ("012 345 678 90", "012.345.678-90")),
    ),
    Clean.CNPJ: Cleaner(
        _simple(brazil.cnpj),
        "with its dots, slash and dash; also with letters, as issued since 2026",
        (("11222333000181", "11.222.333/0001-81"), ("12abc34501de35", "12.ABC.345/01DE-35")),
    ),
    Clean.CEP: Cleaner(
        _simple(brazil.cep),
        "with its dash; leading zeros removed by a spreadsheet program are restored",
        (("1310100", "01310-100"),),
    ),
    Clean.URL: Cleaner(
        _simple(form.url),
        "with `https://` in front if there is no scheme; the host in lowercase",
        (("WWW.Exemplo.com.br/Loja", "https://www.exemplo.com.br/Loja"),),
    ),
    Clean.SOCIAL: Cleaner(
        _simple(form.social),
        "a handle in lowercase, a profile's address without tracking parameters",
        (("@Ana.Souza ", "@ana.souza"), ("exemplo.com/ana/?utm=1", "https://exemplo.com/ana")),
    ),
}
"""Every cleaner of the mapping language."""

_WHOLE_CELL: Final = frozenset({Clean.NONE, Clean.TEXT, Clean.LOWER, Clean.TAGS})
"""Cleaners that give the same result before and after a cell is split, several times as fast."""


class Release(NamedTuple):
    """The cleaners of one release, and how it split a cell into items."""

    apply: Mapping[Clean, Callable[[pl.Expr, FieldSource], pl.Expr]]
    items: Callable[[pl.Expr, str | None], pl.Expr]


NOW: Final = Release({name: cleaner.apply for name, cleaner in CLEANERS.items()}, form.items)
BEFORE: Final = Release({**NOW.apply, Clean.EMAIL: _older_email}, older.items)
"""Release 0.1.0."""


def was_cleaned_otherwise(target: Target) -> bool:
    """Whether `BEFORE` may have produced a different value for the target."""
    return target.type is Type.LIST or Clean.EMAIL in target.cleaners


def cleaned(raw: pl.Expr, target: Target, by: Release = NOW) -> pl.Expr:
    """The target's column: String, or List(String) for a list; null where nothing is left."""
    value = _items if target.type is Type.LIST else _one
    return value(raw, target, by).alias(target.name)


def clean(cell: pl.Expr, cleaners: Sequence[Clean], how: FieldSource, by: Release = NOW) -> pl.Expr:
    """Apply several cleaners in order."""
    for name in cleaners:
        cell = by.apply[name](cell, how)
    return cell


def _one(raw: pl.Expr, target: Target, by: Release) -> pl.Expr:
    how = target.how
    value = clean(_listed(raw, how), target.cleaners, how, by)
    for given in _constants(() if how.default is None else (how.default,), target):
        value = value.fill_null(pl.lit(given))
    if how.cut is not None:
        value = value.str.head(how.cut).str.strip_chars_end()
    return value


def _listed(cell: pl.Expr, how: FieldSource) -> pl.Expr:
    """Replace a cell according to `values`; case, accents and spaces are ignored."""
    if how.values is None:
        return cell
    table = {_key(key): value for key, value in how.values.items()}
    tidy = text.text(cell)
    found = text.bare(tidy).replace_strict(table, default=None, return_dtype=pl.String)
    return found if how.otherwise is Otherwise.EMPTY else pl.coalesce(found, tidy)


def _key(value: str) -> str:
    """A cell as `_listed` compares it."""
    return str(pl.select(text.bare(text.text(pl.lit(value)))).item() or "")


def _items(raw: pl.Expr, target: Target, by: Release) -> pl.Expr:
    how = target.how
    if _WHOLE_CELL.issuperset(target.cleaners) and how.values is None:
        listed = by.items(clean(raw, target.cleaners, how, by), how.split)
    else:
        each = clean(_listed(pl.element(), how), target.cleaners, how, by)
        listed = by.items(text.text(raw), how.split).list.eval(each)
    if how.default is not None:
        empty = listed.list.drop_nulls().list.len() == 0
        given = form.constant(_constants([how.default], target))
        listed = pl.when(empty).then(given).otherwise(listed)
    added = form.constant(_constants(how.add or (), target))
    return form.unique(pl.concat_list(listed, added) if how.add else listed)


def _constants(values: Sequence[str], target: Target) -> list[str]:
    """Constants of the mapping, cleaned like cells."""
    cells = pl.DataFrame({"cell": values}, schema={"cell": pl.String})
    done = cells.select(clean(pl.col("cell"), target.cleaners, target.how)).to_series()
    return [str(value) for value in done.drop_nulls()]


def results(target: Target) -> list[str] | None:
    """The possible results of `values` and `default`; None if any value may result."""
    how = target.how
    if how.values is None or how.otherwise is Otherwise.KEEP:
        return None
    given = [*how.values.values(), *([how.default] if how.default is not None else [])]
    return _constants(given, target)
