"""What a mapping fills: one cleaned column for each field, the identifier and each legal basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rdimport.destination.fields import FIELDS, Kind
from rdimport.mapping.model import Clean, FieldSource, Mapping, Source, Type

_BY_FIELD: Final = {
    "email": (Clean.EMAIL,),
    "personal_phone": (Clean.PHONE,),
    "mobile_phone": (Clean.PHONE,),
    "state": (Clean.UF,),
    "tags": (Clean.TAGS,),
}
"""The cleaners that a field of RD has by itself; the others tidy text."""

_BY_TYPE: Final = {
    Type.BOOLEAN: (Clean.BOOLEAN,),
    Type.TEXT: (Clean.TEXT,),
    Type.INTEGER: (Clean.TEXT,),
    Type.LIST: (Clean.TEXT,),
}


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
    required: bool = False

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
    kind = _type(name, source)
    cleaners = source.clean or _BY_FIELD.get(name) or _BY_TYPE[kind]
    known = FIELDS.get(name)
    required = name in mapping.identity or (known is not None and known.required)
    return Target(name, source, kind, cleaners, required)


def _type(name: str, source: Source) -> Type:
    known = FIELDS.get(name)
    if known is not None:
        forms = {Kind.STRINGS: Type.LIST, Kind.BOOLEAN: Type.BOOLEAN}
        return forms.get(known.kind, Type.TEXT)
    if isinstance(source, FieldSource):
        return source.type or Type.TEXT
    return Type.BOOLEAN
