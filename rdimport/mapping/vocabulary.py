"""The vocabulary of the mapping language: the values of its keys, and how text is read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from rdimport.destination.rdstation.fields import FIELDS, Kind

MOST: Final = 1_000_000_000
"""The largest number of characters, items or rows that a mapping may specify."""


class Clean(StrEnum):
    """The cleaners that `clean:` may name; `rdimport.prepare.clean` says what each does."""

    NONE = "none"
    TEXT = "text"
    LOWER = "lower"
    NAME = "name"
    EMAIL = "email"
    PHONE = "phone"
    UF = "uf"
    CITY = "city"
    TAGS = "tags"
    BOOLEAN = "boolean"
    NUMBER = "number"
    DATE = "date"
    CPF = "cpf"
    CNPJ = "cnpj"
    CEP = "cep"
    URL = "url"
    SOCIAL = "social"


class Type(StrEnum):
    """What a custom field takes in RD; RD's own fields have their type already."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    LIST = "list"


class Otherwise(StrEnum):
    """What becomes of a cell that `values:` does not list."""

    INVALID = "invalid"
    EMPTY = "empty"
    KEEP = "keep"


class Several(StrEnum):
    """What becomes of a cell that holds several addresses or numbers."""

    INVALID = "invalid"
    FIRST = "first"


class Severity(StrEnum):
    """Whether a finding keeps the row from being sent."""

    INVALID = "invalid"
    SUSPECT = "suspect"


class Format(StrEnum):
    """The forms that `checks:` can ask of a field; the cleaner of the same name writes them."""

    EMAIL = "email"
    PHONE = "phone"
    UF = "uf"
    NUMBER = "number"
    INTEGER = "integer"
    DATE = "date"
    CPF = "cpf"
    CNPJ = "cnpj"
    CEP = "cep"
    URL = "url"


BY_FIELD: Final = {
    "email": (Clean.EMAIL,),
    "personal_phone": (Clean.PHONE,),
    "mobile_phone": (Clean.PHONE,),
    "state": (Clean.UF,),
    "tags": (Clean.TAGS,),
}
"""Default cleaners of RD fields; for other fields, the type decides."""

BY_TYPE: Final = {
    Type.BOOLEAN: (Clean.BOOLEAN,),
    Type.TEXT: (Clean.TEXT,),
    Type.INTEGER: (Clean.NUMBER,),
    Type.LIST: (Clean.TEXT,),
}


def type_of(name: str, given: Type | None) -> Type:
    """The type of a field: fixed for RD's own fields, given by the mapping for custom ones."""
    known = FIELDS.get(name)
    if known is None:
        return given or Type.TEXT
    return {Kind.STRINGS: Type.LIST, Kind.BOOLEAN: Type.BOOLEAN}.get(known.kind, Type.TEXT)


def default_cleaners(name: str, form: Type) -> tuple[Clean, ...]:
    """The cleaners of a field if the mapping does not specify any."""
    return BY_FIELD.get(name) or BY_TYPE[form]


def wrong(message: str) -> PydanticCustomError:
    """An error whose text is shown to the user unchanged."""
    return PydanticCustomError("mapping", "{message}", {"message": message})


def _as_text(value: object) -> object:
    """Convert scalars given from Python to the text that YAML would contain."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def as_tuple(value: object) -> object:
    """Wrap a single value in a tuple."""
    return value if isinstance(value, list | tuple) else (value,)


Text = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Cleaners = Annotated[tuple[Clean, ...], BeforeValidator(as_tuple), Field(min_length=1)]


class Section(BaseModel):
    """Base class of all parts: unknown keys are errors, and instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)
