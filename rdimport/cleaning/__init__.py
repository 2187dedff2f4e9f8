"""One cleaner, one function: text in, text out, over polars expressions.

A cleaner leaves a cell that it does not understand as it is, so that the validation can say what
is wrong with it and the report can show it. Cleaning twice changes nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.cleaning import brazil, email, form, phone, text
from rdimport.mapping import Clean, FieldSource, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdimport.mapping.targets import Target


class Cleaner(NamedTuple):
    """What a cleaner does, in one sentence for the reference page, with examples that are tests."""

    apply: Callable[[pl.Expr], pl.Expr]
    sentence: str
    examples: tuple[tuple[str, str], ...]


CLEANERS: Final[dict[Clean, Cleaner]] = {
    Clean.NONE: Cleaner(
        text.none,
        "leaves the cell as it is; only a cell of nothing but spaces counts as empty",
        (("  as it is ", "  as it is "),),
    ),
    Clean.TEXT: Cleaner(
        text.text,
        "one space between words, none around them, no invisible characters",
        (("  Ana \u00a0 Souza\u200b ", "Ana Souza"),),
    ),
    Clean.LOWER: Cleaner(
        text.lower,
        "as `text`, in lower case",
        (("HTTPS://EXEMPLO.COM.BR ", "https://exemplo.com.br"),),
    ),
    Clean.EMAIL: Cleaner(
        email.email,
        "lower case, without spaces, accents, `mailto:`, a name around it or marks at its end",
        (
            (" ANA@Exemplo.com.br,", "ana@exemplo.com.br"),
            ("Ana Souza <mailto:ana@exemplo.com.br>", "ana@exemplo.com.br"),
            ("joão @ exemplo.com.br", "joao@exemplo.com.br"),
        ),
    ),
    Clean.PHONE: Cleaner(
        phone.phone,
        "to the international form of E.164; numbers without a country code are Brazil's",
        (
            ("(0xx11) 98765-4321", "+5511987654321"),
            ("11 8765-4321", "+5511987654321"),
            ("+55 (11) 3456-7890", "+551134567890"),
        ),
    ),
    Clean.UF: Cleaner(
        brazil.uf,
        "Brazil's states to their two letters",
        (("são paulo", "SP"), ("Estado do Parana", "PR"), ("sp ", "SP")),
    ),
    Clean.TAGS: Cleaner(
        text.lower,
        "tidied and in lower case, as RD demands of tags",
        ((" Feira 2026", "feira 2026"),),
    ),
    Clean.BOOLEAN: Cleaner(
        form.boolean,
        "yes and no in Portuguese, English and Spanish, 1 and 0, S and N, x",
        (("Sim", "true"), ("N", "false"), ("x", "true")),
    ),
}
"""Every cleaner of the mapping language."""

_WHOLE_CELL: Final = frozenset({Clean.NONE, Clean.TEXT, Clean.LOWER, Clean.TAGS})
"""Cleaners for which a cell before the cut is as good as its items, and several times as fast."""


def cleaned(raw: pl.Expr, target: Target) -> pl.Expr:
    """The target's column: text, or for a list a list of text; null where nothing is left."""
    value = _items(raw, target) if target.type is Type.LIST else _clean(raw, target.cleaners)
    return value.alias(target.name)


def _clean(cell: pl.Expr, cleaners: Sequence[Clean]) -> pl.Expr:
    for name in cleaners:
        cell = CLEANERS[name].apply(cell)
    return cell


def _items(raw: pl.Expr, target: Target) -> pl.Expr:
    separator = target.source.split if isinstance(target.source, FieldSource) else None
    added = (target.source.add or ()) if isinstance(target.source, FieldSource) else ()
    if _WHOLE_CELL.issuperset(target.cleaners):
        listed = form.items(_clean(raw, target.cleaners), separator)
    else:
        clean_each = _clean(pl.element(), target.cleaners)
        listed = form.items(raw, separator).list.eval(clean_each)
    extra = form.constant([item.lower() if target.name == "tags" else item for item in added])
    return form.unique(pl.concat_list(listed, extra) if added else listed)
