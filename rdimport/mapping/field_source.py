"""The parts of a mapping that say where a value comes from, and how it is formatted."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from datetime import date
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from polars.exceptions import PolarsError
from pydantic import AfterValidator, Field, model_validator

from rdimport.core.document_errors import AREA, COUNTRY
from rdimport.core.messages import _
from rdimport.destination.rdstation.fields import LEGAL_CATEGORIES, LEGAL_STATUSES, LEGAL_TYPES
from rdimport.mapping import sql
from rdimport.mapping.vocabulary import (
    MOST,
    Cleaners,
    Otherwise,
    Section,
    Several,
    Text,
    Texts,
    Type,
    wrong,
)


def _sql(text: str) -> str:
    """Validate an SQL expression over one row."""
    try:
        sql.parse(text)
    except ValueError as error:
        raise wrong(str(error)) from None
    return text


def _date_format(text: str) -> str:
    """Validate a pattern that can both format and parse a date."""
    day = pl.Series([date(2026, 12, 31)])
    try:
        back = day.dt.strftime(text).str.to_date(text, strict=False)
    except PolarsError:
        back = pl.Series([None])
    if back[0] != day[0]:
        raise wrong(_("expected day, month and year, as in `%d/%m/%Y`"))
    return text


DateFormat = Annotated[Text, AfterValidator(_date_format)]
Sql = Annotated[Text, AfterValidator(_sql)]


Category = Literal[LEGAL_CATEGORIES]  # type: ignore[valid-type]  # the destination's table
Basis = Literal[LEGAL_TYPES]  # type: ignore[valid-type]


class SourceHints(Section):
    """Properties of the files given by the user; the others are detected."""

    member: Text | None = Field(default=None, examples=["subscribed*.csv"])
    """The list in an archive that contains several: its name, or a pattern with `*` and `?`."""
    sheet: Text | None = Field(default=None, examples=["Leads"])
    """The sheet of a workbook."""
    sheets: Text | None = Field(default=None, examples=["all", "Leads *"])
    """Several sheets of a workbook, one after the other: `all` that have the mapping's columns, or
    those whose name matches a pattern with `*` and `?`. `sheet` takes precedence."""
    header_row: Annotated[int, Field(ge=1, le=MOST)] | None = Field(default=None, examples=[3])
    """The row with the column names, counted from 1."""
    delimiter: Text | None = Field(default=None, examples=[";"])
    """The character between two cells of a text file."""
    encoding: Text | None = Field(default=None, examples=["windows-1252"])
    """How a text file encodes its letters."""
    repair: bool = Field(default=True, examples=[False])
    """Whether text garbled by an earlier program (`SÃ£o Paulo`) is repaired."""


class Source(Section):
    """Where a value comes from: one of `column`, `value` and `expr`."""

    origins: ClassVar[tuple[str, ...]] = ("column", "value", "expr")

    column: Texts | None = Field(default=None, examples=["E-mail", ["Celular", "WhatsApp"]])
    """A column of the spreadsheet, or several: the first one that is not empty."""
    value: Text | None = Field(default=None, examples=["feira"])
    """The same text for every row."""
    expr: Sql | None = Field(default=None, examples=["concat_ws(' ', Nome, Sobrenome)"])
    """An SQL expression over the row's columns, with the functions that docs/mapping.md lists;
    names that contain anything but letters go in ""."""
    values: Annotated[dict[Text, Text], Field(min_length=1)] | None = Field(
        default=None, examples=[{"1": "Franquia", "2": "Loja própria"}]
    )
    """What is in the cell: what it becomes. Case, accents and spaces do not matter."""
    otherwise: Otherwise = Field(default=Otherwise.INVALID, examples=["empty"])
    """What happens to a cell that `values` does not list: `invalid`, `empty`, or `keep` it."""
    default: Text | None = Field(default=None, examples=["Brasil"])
    """What an empty cell becomes."""
    clean: Cleaners | None = Field(default=None, examples=["name", ["text", "lower"]])
    """Cleaners, in this order, instead of the field's own."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: object) -> object:
        """`E-mail` and `[Celular, WhatsApp]` are short for `{column: …}`."""
        if data is None:
            raise wrong(cls._nothing())
        return data if isinstance(data, AnyMapping | Source) else {"column": data}

    @classmethod
    def _nothing(cls) -> str:
        return _("expected text, or `{column: …}`, and found nothing")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [key for key in self.origins if getattr(self, key) is not None]
        if len(given) > 1:
            known, several = ", ".join(self.origins), _(" and ").join(given)
            raise wrong(_("use one of {known}, not {given}", known=known, given=several))
        if not given and not self.stands_alone:
            known = ", ".join(self.origins)
            raise wrong(_("say where the value comes from: one of {known}", known=known))
        if self.values is None and "otherwise" in self.model_fields_set:
            raise wrong(_("`otherwise` needs `values`"))
        return self

    @property
    def stands_alone(self) -> bool:
        """Whether the source has a value even if all its columns are empty."""
        return False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that fill it, as spelt in the mapping."""
        return sql.columns(self.expr) if self.expr is not None else self.column or ()


class FieldSource(Source):
    """Where one field of RD comes from, and how it gets its form."""

    origins: ClassVar[tuple[str, ...]] = (*Source.origins, "about")

    about: Literal["file", "sheet", "row", "date"] | None = Field(default=None, examples=["file"])
    """Where the row comes from: the file's name, its sheet, its row, or the day of the import. It
    never counts as a change."""
    type: Type | None = Field(default=None, examples=["boolean"])
    """The type of the custom field in RD: `text`, `boolean`, `integer` or `list`."""
    split: Text | None = Field(default=None, examples=[";"])
    """The character that separates the items of a list in a cell."""
    add: Texts | None = Field(default=None, examples=[["feira-2026"]])
    """Items that every row gets in addition to its own."""
    cut: Annotated[int, Field(ge=1, le=MOST)] | None = Field(default=None, examples=[255])
    """The number of characters after which a longer text is cut, instead of being invalid."""
    several: Several = Field(default=Several.INVALID, examples=["first"])
    """What to do with several e-mail addresses or phone numbers in one cell."""
    correct_typos: bool = Field(default=False, examples=[True])
    """Whether typos in the domains of big e-mail providers (`gmial.com`) are corrected."""
    default_area: Annotated[Text, Field(pattern=AREA)] | None = Field(default=None, examples=["11"])
    """The area code (DDD) of phone numbers that have none."""
    default_country: Annotated[Text, Field(pattern=COUNTRY)] = Field(default="BR", examples=["PT"])
    """The country (ISO 3166, two letters) of phone numbers that have no country code."""
    decimal: Literal[",", "."] | None = Field(default=None, examples=[","])
    """The decimal separator of numbers; without it `1.234` is invalid, because it may be a
    thousand."""
    date_format: DateFormat | None = Field(default=None, examples=["%d/%m/%Y"])
    """How the cleaner `date` writes dates; 2026-12-31 by default."""

    @classmethod
    def _nothing(cls) -> str:
        return _("expected a column name, or `{column: …}`, and found nothing")

    @property
    def stands_alone(self) -> bool:
        """Whether the field has a value without columns: a list may consist of `add` alone."""
        return self.add is not None


class LegalBasis(Section):
    """One legal basis of Brazil's LGPD for communicating with the lead."""

    category: Category = Field(default="communications", examples=["communications"])
    """RD has only one category."""
    type: Basis = Field(examples=["consent"])
    """The basis."""
    status: Source = Field(examples=["granted", {"column": "Opt-in"}])
    """`granted`, `declined`, or a column of yes and no; rows with an empty cell get no basis."""

    @property
    def target(self) -> str:
        """The name of the cleaned column for the status."""
        return f"legal_bases.{self.type}"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: object) -> object:
        """`status: granted` is a value, not a column."""
        status = data.get("status") if isinstance(data, AnyMapping) else None
        if isinstance(status, str) and isinstance(data, AnyMapping):
            if status not in LEGAL_STATUSES:
                raise wrong(
                    _(
                        "status is granted or declined, not `{status}`; for a column write "
                        "{column}",
                        status=status,
                        column=f"{{column: {status}}}",
                    )
                )
            return {**data, "status": {"value": status}}
        return data
