"""The mapping language: one pydantic model for the parser, the JSON schema and the reference page.

Every key is declared once, with its sentence and an example. The reference page prints both, and a
test runs the examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from rdimport.core import document_errors
from rdimport.core.arguments import see
from rdimport.core.errors import MappingError
from rdimport.core.looking import exists, nearest
from rdimport.core.messages import _, language
from rdimport.core.shell import joined
from rdimport.core.small_file import decoded, read_small
from rdimport.core.visible import shown_lines
from rdimport.core.yaml_document import Document, DocumentError, Place, is_spreadsheet
from rdimport.core.yaml_document import Path as DocumentPath
from rdimport.core.yaml_document import parse as parse_yaml
from rdimport.destination.rdstation.fields import FIELDS, field
from rdimport.mapping import sql
from rdimport.mapping.checks import Check
from rdimport.mapping.field_source import FieldSource, LegalBasis, Source, SourceHints, Sql
from rdimport.mapping.rules import contradictions
from rdimport.mapping.vocabulary import Section, Text, Texts, as_tuple, wrong


def _field_name(name: str) -> str:
    if name in {"conversion_identifier", "legal_bases"}:
        raise wrong(_("`{name}` is a key of its own, next to `fields`", name=name))
    if field(name) is None:
        if name.startswith("cf_"):
            raise wrong(_("a custom field is written cf_ followed by a-z, 0-9 and _ only"))
        hint = document_errors.suggestion(name, FIELDS) or _("; custom ones begin with cf_")
        raise wrong(_("not a field of RD Station Marketing") + hint)
    return name


FieldName = Annotated[str, AfterValidator(_field_name)]
DEFAULT_EMPTY: Final = tuple(
    "#N/A #N/D #REF! #VALUE! #VALOR! #NAME? #NOME? #DIV/0! #NULL! #NULO! #NUM! #NÚM!".split()
)
"""Error values of spreadsheet programs, in English and Portuguese."""

Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(min_length=1)]


def _text_of(path: Path) -> str:
    """The file's text. Raises MappingError if it is not text, or is a spreadsheet."""
    try:
        data = read_small(path)
    except OSError as error:
        remedy = _("Check the path, or let `rdimport init FILE -o MAPPING` write a mapping.")
        is_missing = isinstance(error, FileNotFoundError)
        if is_missing and (meant := nearest(path, (".yaml", ".yml").__contains__)):
            remedy = shown_lines([_("Did you mean {name}?", name=meant), remedy])
        if isinstance(error, PermissionError):
            remedy = _(
                "Check its permissions, and close it if another program (Excel) has it open."
            )
        raise MappingError(
            _("{path}: cannot be read: {strerror}", path=path, strerror=error.strerror), remedy
        ) from None
    if is_spreadsheet(path.name, data):
        raise MappingError(
            _(
                "{path}: is a spreadsheet, not a mapping; a mapping is a text file (YAML) "
                "that says what each column is.",
                path=path,
            ),
            _instead_of_a_list(path),
        )
    try:
        return decoded(data)
    except UnicodeDecodeError:
        raise MappingError(
            _("{path}: is not UTF-8 text", path=path), _("Save the mapping as UTF-8.")
        ) from None


def _instead_of_a_list(path: Path) -> str:
    """What to do if a list was named as the mapping; its mapping may be in the same folder."""
    mapping = path.with_suffix(".yaml")
    names = {"path": joined([str(path)]), "output": joined([str(mapping)])}
    if exists(mapping):
        return _(
            "Name the list first, and the mapping after -m: rdimport run {path} -m {output}",
            **names,
        )
    return _(
        "Name the mapping with -m; to have one written, type: rdimport init {path} -o {output}",
        **names,
    )


def _paths(mapping: Mapping) -> Iterator[DocumentPath]:
    """Where each source of the mapping is, in the order of `sources`."""
    yield ("conversion_identifier",)
    yield from (("fields", field) for field in mapping.fields)
    yield from (("legal_bases", at, "status") for at in range(len(mapping.legal_bases)))


def _expressions(document: Document, mapping: Mapping, name: str) -> Iterator[tuple[str, str]]:
    """Where each expression is, as `FILE:LINE:COLUMN`, by its source's name."""
    keys = [key for key, _source in mapping.sources()]
    for key, path in [*zip(keys, _paths(mapping), strict=True), ("where", ("where",))]:
        line, position = document.place((*path, "expr"))
        yield key, f"{name}:{line}:{position}"


def _places(document: Document, mapping: Mapping, name: str) -> Iterator[tuple[str, str]]:
    """Where each column is first named, as `FILE:LINE:COLUMN`."""
    found: dict[str, tuple[int, int]] = {}
    for path, (_field, source) in zip(_paths(mapping), mapping.sources(), strict=True):
        for at, column in enumerate(source.columns):
            spots = [(*path, "column", at), (*path, at), (*path, "column"), (*path, "expr"), path]
            spot = next((spot for spot in spots if spot in document.values), path)
            found.setdefault(column, document.place(spot))
    for column in sql.columns(mapping.where) if mapping.where else ():
        found.setdefault(column, document.place(("where",)))
    for column, (line, position) in found.items():
        yield column, f"{name}:{line}:{position}"


MOST_FIELDS: Final = 1_000
"""Fields of a mapping. RD has a few dozen, and each takes time, which a stranger's mapping could
otherwise use without limit.
"""


class _Explained(type(Section)):  # type: ignore[misc]  # pydantic's metaclass has no public name
    """Reports wrong values of `Mapping(...)` as those of a file. Not by `__init__`: pydantic would
    call that for files, too.
    """

    def __call__(cls, *args: Any, **values: Any) -> Any:
        try:
            return super().__call__(*args, **values)
        except ValidationError as refused:
            wrong = document_errors.of_call(cls, values, refused)
            raise MappingError(wrong, _remedy()) from None


class Mapping(Section, metaclass=_Explained):
    """One mapping file."""

    version: Annotated[int, Field(ge=1)] = Field(default=1, examples=[1])
    """The version of the mapping language."""
    conversion_identifier: Source = Field(examples=["Feira ABF 2026", {"column": "Campanha"}])
    """The conversion's name, which RD shows on the contact's timeline: text, or a column."""
    source: SourceHints = Field(
        default=SourceHints(), examples=[{"sheet": "Leads", "header_row": 3}]
    )
    """What is known about the files; whatever is omitted is detected."""
    fields: dict[FieldName, FieldSource] = Field(
        examples=[{"email": "E-mail", "name": {"column": "Nome", "clean": "name"}}]
    )
    """RD field: where it comes from. `email` must be among them."""
    legal_bases: tuple[LegalBasis, ...] = Field(
        default=(), examples=[[{"type": "consent", "status": {"column": "Opt-in"}}]]
    )
    """Legal bases (LGPD) for communicating with the lead."""
    where: Sql | None = Field(default=None, examples=["UF IN ('SP', 'RJ')"])
    """An SQL condition, written as `expr`: the rows to import. The others are counted, and not
    sent."""
    empty: Texts = Field(default=DEFAULT_EMPTY, examples=[["-", "N/D"]])
    """Texts that count as an empty cell, besides an empty one. Case does not matter."""
    identity: Names = Field(default=("email",), examples=[["email", "cf_pedido"]])
    """The fields that, with the conversion_identifier, make two rows the same conversion."""
    on_duplicate: Literal["first", "last", "merge"] = Field(default="last", examples=["merge"])
    """Which of several rows of the same conversion is sent; `merge`: later values that are not
    empty win, and tags add up."""
    on_change: Literal["skip", "send"] = Field(default="skip", examples=["send"])
    """Whether a row is sent again because its payload changed since it was accepted."""
    catalogue: Text | None = Field(default=None, examples=["campos.json"])
    """A file that lists the custom fields of the account: RD silently drops unknown ones."""
    invalid: dict[str, Literal["row", "drop"]] = Field(
        default={}, examples=[{"mobile_phone": "drop"}]
    )
    """What happens to a row if a cell of a field is not valid: `row` does not send it, `drop` sends
    the person without the cell and reports it. Not for fields that every row needs."""
    checks: dict[str, Check] = Field(
        default={}, examples=[{"cf_cnpj": {"format": "cnpj"}, "city": {"required": True}}]
    )
    """Extra rules for values in addition to RD's own, by field."""

    _places: dict[str, str] = PrivateAttr(default_factory=dict)
    _catalogue_place: str = PrivateAttr(default="catalogue")
    _expressions: dict[str, str] = PrivateAttr(default_factory=dict)

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
            found = "; ".join(f"{'.'.join(map(str, path))}: {text}" for path, text in broken)
            raise PydanticCustomError(document_errors.CONTRADICTION, "{found}", {"found": found})
        return self

    @classmethod
    def load(cls, path: str | Path) -> Mapping:
        """Read a mapping file. Raises MappingError listing every error."""
        see(cls.load.__annotations__, {"path": path})
        return cls.parse(_text_of(Path(path)), str(path))

    @classmethod
    def parse(cls, text: str, name: str = "mapping") -> Mapping:
        """Read a mapping from text; `name` is the file name used in messages.

        Raises MappingError listing every error with its line and column.
        """
        see(cls.parse.__annotations__, {"text": text, "name": name})
        try:
            document = parse_yaml(text)
        except DocumentError as error:
            raise _wrong(name, [(error.place, (), error.message)]) from None
        if not isinstance(document.data, dict):
            expected = _("expected keys such as `conversion_identifier` and `fields`")
            raise _wrong(name, [(document.place(()), (), expected)])
        many = document.data.get("fields")
        if isinstance(many, dict) and len(many) > MOST_FIELDS:
            sentence = _(
                "{number} fields; a mapping takes {most}", number=len(many), most=MOST_FIELDS
            )
            raise _wrong(name, [(document.place(("fields",)), ("fields",), sentence)])
        problems = document_errors.from_rules(document, contradictions(document.data))
        problems += [(place, path, _("is given twice")) for path, place in document.doubled]
        try:
            mapping = cls.model_validate(document.data)
        except ValidationError as refused:
            problems += document_errors.from_model(document, cls, refused)
        if problems:
            raise _wrong(name, problems)
        mapping._places.update(_places(document, mapping, name))  # noqa: SLF001  our own
        line, position = document.place(("catalogue",))
        mapping._catalogue_place = f"{name}:{line}:{position}: catalogue"  # noqa: SLF001  our own
        mapping._expressions.update(_expressions(document, mapping, name))  # noqa: SLF001  our own
        return mapping

    @property
    def catalogue_place(self) -> str:
        """Where the mapping names its list of custom fields, for messages."""
        return self._catalogue_place

    def expression_place(self, key: str) -> str:
        """Where the expression of a source, or of `where`, is written; empty without a file."""
        return self._expressions.get(key, "")

    @staticmethod
    def schema() -> dict[str, Any]:  # type: ignore[override]  # pydantic's own is deprecated
        """The JSON schema of mapping files, for editors."""
        from rdimport.mapping.json_schema import json_schema  # noqa: PLC0415  only editors need it

        return json_schema(Mapping)

    @property
    def about(self) -> frozenset[str]:
        """Fields filled with the origin of a row."""
        return frozenset(name for name, source in self.fields.items() if source.about is not None)

    @property
    def dropped(self) -> frozenset[str]:
        """Fields whose invalid cells are dropped from the payload."""
        return frozenset(name for name, what in self.invalid.items() if what == "drop")

    def hints(self) -> SourceHints:
        """The hints for reading the files."""
        return self.source

    def sources(self) -> Iterator[tuple[str, Source]]:
        """Every source of a value, with the name of the cleaned column that it fills."""
        yield "conversion_identifier", self.conversion_identifier
        yield from self.fields.items()
        for basis in self.legal_bases:
            yield basis.target, basis.status

    def place(self, column: str) -> str:
        """Where the mapping names a column, as `FILE:LINE:COLUMN`; empty without a file."""
        return self._places.get(column, "")

    def columns(self) -> tuple[str, ...]:
        """Every column of the spreadsheet that the mapping names, as spelt there."""
        named = [column for _, source in self.sources() for column in source.columns]
        return tuple(dict.fromkeys([*named, *(sql.columns(self.where) if self.where else ())]))


def loaded_once(path: str | Path) -> Mapping:
    """Like `Mapping.load`, but each text is parsed once per process, as hundreds of accounts may
    share a mapping. The caller must not pass the result to code that changes it.
    """
    return _understood(_text_of(Path(path)), str(path), language())


@lru_cache(maxsize=64)
def _understood(text: str, name: str, _spoken: str) -> Mapping:
    return Mapping.parse(text, name)


def _wrong(name: str, problems: Iterable[tuple[Place, DocumentPath, str]]) -> MappingError:
    return MappingError(document_errors.lines(name, problems), _remedy())


def _remedy() -> str:
    return _("Correct the mapping and try again; docs/mapping.md lists all keys with examples.")
