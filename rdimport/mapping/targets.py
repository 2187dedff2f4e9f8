"""What a mapping fills: one cleaned column for each field, the identifier and each legal basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdimport.destination.rdstation.fields import FIELDS
from rdimport.mapping.checks import Check
from rdimport.mapping.field_source import FieldSource, Source
from rdimport.mapping.vocabulary import Clean, Type, default_cleaners, type_of

if TYPE_CHECKING:
    from rdimport.mapping.model import Mapping


@dataclass(frozen=True, slots=True)
class Target:
    """One column of the cleaned frame.

    `type` is the form that its value takes in the payload; in the frame everything is text, and a
    list is a list of text. A cleaner that does not understand a cell leaves it as it is, and the
    validation says what is wrong with it.
    """

    name: str
    source: Source
    type: Type
    cleaners: tuple[Clean, ...]
    check: Check
    required: bool

    @property
    def how(self) -> FieldSource:
        """The source with the keys that only fields have."""
        source = self.source
        if isinstance(source, FieldSource):
            return source
        return FieldSource.model_validate(source.model_dump(exclude_unset=True))

    @property
    def is_status(self) -> bool:
        """Whether it is the status of a legal basis."""
        return self.name.startswith("legal_bases.")

    @property
    def field(self) -> str:
        """The RD field that people know it by."""
        return "legal_bases" if self.is_status else self.name


def targets(mapping: Mapping) -> tuple[Target, ...]:
    """All targets, in the order in which a payload holds them."""
    order = {name: position for position, name in enumerate(FIELDS)}
    named = sorted(
        mapping.sources(), key=lambda pair: order.get(pair[0].partition(".")[0], len(order))
    )
    return tuple(_target(mapping, name, source) for name, source in named)


def _target(mapping: Mapping, name: str, source: Source) -> Target:
    form = Type.BOOLEAN if name.startswith("legal_bases.") else type_of(name, _given_type(source))
    known = FIELDS.get(name)
    check = mapping.checks.get(name, Check())
    return Target(
        name=name,
        source=source,
        type=form,
        cleaners=source.clean or default_cleaners(name, form),
        check=check,
        required=check.required or name in mapping.identity or bool(known and known.required),
    )


def _given_type(source: Source) -> Type | None:
    return source.type if isinstance(source, FieldSource) else None
