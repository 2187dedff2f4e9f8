"""The mapping language: one pydantic model, from which parser, JSON schema and page come.

Every key is declared once, with its sentence and an example; the reference page prints both and a
test runs the examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rdimport.destination.fields import (
    FIELDS,
    LEGAL_CATEGORIES,
    LEGAL_STATUSES,
    LEGAL_TYPES,
    field,
)
from rdimport.errors import MappingError
from rdimport.mapping import messages
from rdimport.mapping.document import DocumentError
from rdimport.mapping.document import parse as parse_yaml
from rdimport.mapping.json_schema import json_schema
from rdimport.mapping.rules import contradictions
from rdimport.names import did_you_mean


class Clean(StrEnum):
    """The cleaners that `clean:` may name; `rdimport.cleaning` says what each does."""

    NONE = "none"
    TEXT = "text"
    LOWER = "lower"
    EMAIL = "email"
    PHONE = "phone"
    UF = "uf"
    TAGS = "tags"
    BOOLEAN = "boolean"


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


def wrong(message: str) -> PydanticCustomError:
    """An error of ours, whose text goes to the person as it is."""
    return PydanticCustomError("mapping", "{message}", {"message": message})


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean X` or nothing."""
    best = did_you_mean(name, known)
    return f"; did you mean `{best}`?" if best else ""


def _as_text(value: object) -> object:
    """Scalars given from Python as the text that YAML would hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _as_tuple(value: object) -> object:
    """One value is a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


def _field_name(name: str) -> str:
    if name == "conversion_identifier":
        raise wrong("`conversion_identifier` is a key of its own, beside `fields`")
    if name == "legal_bases":
        raise wrong("`legal_bases` is a key of its own, beside `fields`")
    if field(name) is None:
        if name.startswith("cf_"):
            raise wrong("a custom field is written cf_ and then a-z, 0-9 and _ only")
        hint = suggestion(name, FIELDS)
        raise wrong(f"not a field of RD Station Marketing{hint or '; custom ones begin with cf_'}")
    return name


Text = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
FieldName = Annotated[str, AfterValidator(_field_name)]
Cleaners = Annotated[tuple[Clean, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


class Section(BaseModel):
    """Common to all parts: unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SourceHints(Section):
    """What the person knows about the files; what is left out gets found out."""

    sheet: Text | None = None
    """The sheet of a workbook."""
    header_row: Annotated[int, Field(ge=1)] | None = None
    """The row that holds the column names, counted from 1."""
    delimiter: Text | None = None
    """The character between two cells of a text file."""
    encoding: Text | None = None
    """How a text file encodes its letters: `utf-8`, `windows-1252` …"""


class Source(Section):
    """Where a value comes from: one of `column`, `value` and `expr`."""

    column: Texts | None = None
    """A column of the spreadsheet, or several: the first one that is not empty."""
    value: Text | None = None
    """The same text for every row."""
    clean: Cleaners | None = None
    """Cleaners, in this order, instead of those that the field has by itself."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: object) -> object:
        """`E-mail` and `[Celular, WhatsApp]` are short for `{column: …}`."""
        if data is None:
            raise wrong("expected a column name, or `{column: …}`, and found nothing")
        return data if isinstance(data, AnyMapping | Source) else {"column": data}

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [key for key in self.origins if getattr(self, key) is not None]
        if len(given) > 1:
            raise wrong(f"give one of {', '.join(self.origins)}, not {' and '.join(given)}")
        if not given and not self.stands_alone:
            raise wrong(f"say where the value comes from: one of {', '.join(self.origins)}")
        return self

    @property
    def origins(self) -> tuple[str, ...]:
        """The keys of which one must be given."""
        return ("column", "value")

    @property
    def stands_alone(self) -> bool:
        """Whether the source gives a value without any of them."""
        return False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names, as they are written in the mapping."""
        return self.column or ()


class FieldSource(Source):
    """Where one field of RD comes from, and how it gets its form."""

    split: Text | None = None
    """The character at which a cell is cut into the items of a list."""
    add: Texts | None = None
    """Items that every row gets beside its own."""
    type: Type | None = None
    """What a custom field takes in RD: `text`, `boolean`, `integer` or `list`."""

    @property
    def stands_alone(self) -> bool:
        """A list may consist of what is added to every row."""
        return self.add is not None


class LegalBasis(Section):
    """One legal basis of Brazil's LGPD for communicating with the lead."""

    category: Literal[LEGAL_CATEGORIES] = "communications"  # type: ignore[valid-type]  # the table is the source
    """RD knows one category."""
    type: Literal[LEGAL_TYPES]  # type: ignore[valid-type]
    """The basis."""
    status: Source
    """`granted`, `declined`, or a column of yes and no; rows with an empty cell get no basis."""

    @property
    def target(self) -> str:
        """The name of the cleaned column that holds the status."""
        return f"legal_bases.{self.type}"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: object) -> object:
        """`status: granted` is a value, not a column."""
        status = data.get("status") if isinstance(data, AnyMapping) else None
        if isinstance(status, str) and isinstance(data, AnyMapping):
            if status not in LEGAL_STATUSES:
                raise wrong(
                    f"status is granted or declined, not `{status}`; "
                    f"for a column write {{column: {status}}}"
                )
            return {**data, "status": {"value": status}}
        return data


class Mapping(Section):
    """One mapping file."""

    version: Annotated[int, Field(ge=1)] = 1
    """The version of the mapping language: 1."""
    conversion_identifier: Source
    """The conversion's name in RD: text, or `{column: …}`."""
    source: SourceHints = SourceHints()
    """What is known about the files; found out when left out."""
    fields: dict[FieldName, FieldSource]
    """RD field: where it comes from."""
    legal_bases: tuple[LegalBasis, ...] = ()
    """Legal bases for communicating with the lead."""
    identity: Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = (
        "email",
    )
    """The fields that, with the conversion_identifier, make two rows the same conversion."""
    on_duplicate: Literal["first", "last"] = "last"
    """Which of several rows of the same conversion is sent."""
    on_change: Literal["skip", "send"] = "skip"
    """Whether a row is sent again because its payload changed since it was accepted."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: object) -> object:
        """`conversion_identifier: Feira` is a value, not a column."""
        if isinstance(data, AnyMapping):
            name = data.get("conversion_identifier")
            if isinstance(name, str | int | float):
                return {**data, "conversion_identifier": {"value": name}}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        broken = list(contradictions(self.model_dump(exclude_defaults=True)))
        if broken:
            told = "; ".join(f"{'.'.join(map(str, path))}: {text}" for path, text in broken)
            raise PydanticCustomError(messages.CONTRADICTION, "{told}", {"told": told})
        return self

    @classmethod
    def load(cls, path: str | Path) -> Mapping:
        """Read a mapping file. Raises MappingError with everything that is wrong with it."""
        try:
            text = Path(path).read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise MappingError(
                f"{path}: cannot be read: {error.strerror}",
                "Check the path, or let `rdimport init FILE -o MAPPING` write a mapping.",
            ) from None
        except UnicodeDecodeError:
            raise MappingError(f"{path}: is not UTF-8 text", "Save the mapping as UTF-8.") from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str = "mapping") -> Mapping:
        """Read a mapping from text; `name` is the file that messages speak of.

        Raises MappingError with everything that is wrong, each with its line and column.
        """
        try:
            document = parse_yaml(text)
        except DocumentError as error:
            raise messages.error(name, [(error.place, (), error.message)]) from None
        if not isinstance(document.data, dict):
            told = "expected keys such as `conversion_identifier` and `fields`"
            raise messages.error(name, [(document.place(()), (), told)])
        problems = messages.from_rules(document, contradictions(document.data))
        problems += [(place, path, "is given twice") for path, place in document.doubled]
        try:
            mapping = cls.model_validate(document.data)
        except ValidationError as refused:
            problems += messages.from_model(document, cls, refused)
        if problems:
            raise messages.error(name, problems)
        return mapping

    @staticmethod
    def schema() -> dict[str, Any]:  # type: ignore[override]  # pydantic's own is deprecated
        """The JSON schema of mapping files, for editors."""
        return json_schema(Mapping)

    def hints(self) -> SourceHints:
        """What the mapping says about the files."""
        return self.source

    def sources(self) -> Iterator[tuple[str, Source]]:
        """Every source of a value with the name of the cleaned column that it fills."""
        yield "conversion_identifier", self.conversion_identifier
        yield from self.fields.items()
        for basis in self.legal_bases:
            yield basis.target, basis.status

    def columns(self) -> tuple[str, ...]:
        """Every column of the spreadsheet that the mapping names, as it is written there."""
        named = (column for _, source in self.sources() for column in source.columns)
        return tuple(dict.fromkeys(named))
