"""The targets of a mapping: a cleaned column for each field, identifier and legal basis."""

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

    `type` is the JSON type in the payload. In the frame every column is String or List(String). A
    cell that its cleaner does not understand is kept, and validation reports it.
    """

    name: str
    source: Source
    type: Type
    cleaners: tuple[Clean, ...]
    check: Check
    required: bool

    @property
    def how(self) -> FieldSource:
        """The source as a FieldSource, with the keys that only fields have."""
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
        """The RD field shown to users."""
        return "legal_bases" if self.is_status else self.name


def targets(mapping: Mapping) -> tuple[Target, ...]:
    """All targets, in the order of the payload."""
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
