"""Describes a table for users without a mapping: columns, examples, guesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.messages import _, ngettext, untranslated
from rdimport.core.messages.codes import Code
from rdimport.core.row import DEFECT
from rdimport.mapping import Clean, FieldSource
from rdimport.prepare.clean import brazil, clean, phone
from rdimport.prepare.clean.address import SYNTAX
from rdimport.prepare.clean.text import filled
from rdimport.prepare.validate import FORMS
from rdimport.proposal.understand import understand
from rdimport.proposal.vocabulary import NAMES, PHONES, Holds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdimport.source.port import Table

EXAMPLES: Final = 3
_ENOUGH: Final = 0.6
"""Share of a column's values that must have a format to describe the column by it."""

_FORMS: Final = {
    "email": r"^\s*[^@\s;,]+@[^@\s;,]+\.[a-zA-Z]{2,}\s*$",
    "cnpj": r"^\s*\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}\s*$",
    "cpf": r"^\s*(?:\d{3}\.\d{3}\.\d{3}-\d{2}|\d{3}\.?\d{3}\.?\d{3}-\d{2})\s*$",
    "postcode": r"^\s*\d{5}-\d{3}\s*$",
    "phone": r"^\s*(?:\+?55)?[\s().-]*(?:\d[\s().-]*){10,11}$",
    "state": rf"^\s*(?i:{'|'.join(brazil.STATES)})\s*$",
    "date": r"^\s*(?:\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{2,4})"
    r"(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?\s*$",
    "yes/no": r"^\s*(?i:sim|s|n[aã]o|n|yes|y|no|true|false|verdadeiro|falso|0|1|x)\s*$",
    "url": r"^\s*(?:https?://|www\.)\S+\s*$",
    "number": r"^\s*(?:R\$\s*)?[+-]?[\d.,]*\d\s*%?\s*$",
}
"""Formats of values, the more specific ones first."""

_DEFECTS: Final[dict[str, str]] = {
    Code.ROW_TOO_LONG: untranslated(
        "The row has more cells than the table has columns; the last column contains the rest."
    ),
    Code.ROW_TOO_SHORT: untranslated(
        "The row has fewer cells than the table has columns; it is not known which are missing."
    ),
    Code.ROW_STRAY_QUOTE: untranslated(
        "A quotation mark is opened and never closed, so the row's cells are a guess."
    ),
}
"""The possible values of `row.DEFECT`, each with its sentence."""

_LABELS: Final = {
    Holds.EMAIL: "email",
    **dict.fromkeys(NAMES, "name"),
    **dict.fromkeys(PHONES, "phone"),
    **dict.fromkeys((Holds.CITY, Holds.CITY_STATE), "city"),
    Holds.STATE: "state",
    Holds.COUNTRY: "country",
    Holds.COMPANY: "company",
    Holds.JOB: "job title",
    **dict.fromkeys((Holds.WEBSITE, Holds.SITE_OF_COMPANY, Holds.LINKEDIN), "url"),
    Holds.TAGS: "tags",
    Holds.CONSENT: "yes/no",
}
"""Labels of guessed columns."""


_MENDS: Final[dict[str, tuple[Clean, Callable[[pl.Expr], pl.Expr]]]] = {
    "email": (Clean.EMAIL, lambda cell: cell.str.contains(SYNTAX)),
    "phone": (Clean.PHONE, phone.is_number),
    "url": (Clean.URL, FORMS[Clean.URL][1]),
    "yes/no": (Clean.BOOLEAN, FORMS[Clean.BOOLEAN][1]),
    "state": (Clean.UF, lambda cell: cell.is_in(list(brazil.STATES))),
}
"""Formats that cleaning produces, with a test for each."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, up to three distinct values, how full it is, what it seems to contain.

    `filled` is a share from 0 to 1. `guess` is one of `email`, `phone`, `name`, `text`, ...; `odd`
    is the number of values that differ from that format even after cleaning.
    """

    name: str
    examples: tuple[str, ...]
    filled: float
    guess: str
    odd: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """The description of a table: rows, columns, malformed rows by code, and warnings."""

    rows: int
    columns: tuple[Column, ...]
    defects: dict[str, int]
    warnings: tuple[str, ...]


class _Tally:
    """The statistics of one column, accumulated over batches."""

    def __init__(self, name: str, guess: str) -> None:
        self.name = name
        self.guess = guess
        self.filled = 0
        self.examples: list[str] = []
        self.forms = dict.fromkeys(_FORMS, 0)
        self.mended = dict.fromkeys(_FORMS, 0)

    def add(self, cells: pl.Series) -> None:
        """Count the values of a batch."""
        cells = cells.to_frame("cell").filter(filled(pl.col("cell")))["cell"]
        self.filled += len(cells)
        if len(self.examples) < EXAMPLES:
            fresh = [
                cell
                for cell in cells.head(1000).unique(maintain_order=True).to_list()
                if cell not in self.examples
            ]
            self.examples += fresh[: EXAMPLES - len(self.examples)]
        for form, pattern in _FORMS.items():
            fits = cells.str.contains(pattern)
            count = int(fits.sum())
            self.forms[form] += count
            if form == self.guess or count >= _ENOUGH * len(cells):
                self.mended[form] += _mended(cells.filter(~fits), form)

    def column(self, rows: int) -> Column:
        """The description of the column after `rows` rows."""
        form = next(
            (
                f
                for f, count in self.forms.items()
                if self.filled and count >= self.filled * _ENOUGH
            ),
            "",
        )
        guess = self.guess or form or "text"
        odd = self.filled - self.forms[guess] - self.mended[guess] if guess in self.forms else 0
        share = self.filled / rows if rows else 0.0
        return Column(self.name, tuple(self.examples), share, guess, odd)


def _mended(cells: pl.Series, form: str) -> int:
    """How many of some unexpected values have the format after cleaning."""
    if form not in _MENDS or cells.is_empty():
        return 0
    cleaner, is_right = _MENDS[form]
    mended = clean(pl.col("cell"), (cleaner,), FieldSource(column=("cell",)))
    frame = cells.to_frame("cell").with_columns(mended.alias("cell"))
    return int(frame.select(is_right(pl.col("cell")).fill_null(value=False)).to_series().sum())


def survey(table: Table) -> Survey:
    """Read the whole table once and describe it. Raises SourceError if it cannot be read."""
    tallies: list[_Tally] = []
    defects: dict[str, int] = {}
    rows = 0
    for batch in table.batches():
        tallies = tallies or _tallies(table.columns, batch)
        rows += batch.height
        for tally in tallies:
            tally.add(batch[tally.name])
        for code, count in batch[DEFECT].drop_nulls().value_counts().iter_rows():
            defects[code] = defects.get(code, 0) + count
    tallies = tallies or [_Tally(name, "") for name in table.columns]
    columns = tuple(tally.column(rows) for tally in tallies)
    return Survey(rows, columns, defects, tuple(_warnings(columns, defects)) + table.notes)


def _tallies(columns: Sequence[str], sample: pl.DataFrame) -> list[_Tally]:
    """A tally for each column, with the same guesses as `init`."""
    guesses = understand(columns, sample).guesses
    labels = {name: _LABELS.get(one.holds, "") for name, one in guesses.items()}
    return [_Tally(name, labels.get(name, "")) for name in columns]


_LONGEST: Final = 40
"""Characters of a heading that are shown in a row with others."""


def _warnings(columns: Sequence[Column], defects: dict[str, int]) -> list[str]:
    found = [
        ngettext("{number} row: {what}", "{number} rows: {what}", count, what=_(_DEFECTS[code]))
        for code, count in sorted(defects.items())
    ]
    if not any(column.guess == "email" for column in columns):
        found.append(_("No column seems to contain e-mail addresses, which every contact needs."))
    if empty := ", ".join(f"“{_short(column.name)}”" for column in columns if not column.filled):
        found.append(_("Columns that are empty: {names}.", names=empty))
    odd = (
        ngettext(
            "Column “{name}”: {number} value is not a valid {guess}.",
            "Column “{name}”: {number} values are not a valid {guess}.",
            column.odd,
            name=column.name,
            guess=in_words(column.guess),
        )
        for column in columns
        if column.odd
    )
    return [*found, *odd]


def in_words(guess: str) -> str:
    """What a column seems to hold, in the reader's language."""
    texts = {
        "email": _("e-mail"),
        "postcode": _("postcode"),
        "phone": _("phone"),
        "state": _("state"),
        "city": _("city"),
        "country": _("country"),
        "company": _("company"),
        "job title": _("job title"),
        "date": _("date"),
        "yes/no": _("yes/no"),
        "number": _("number"),
        "name": _("name"),
        "text": _("text"),
    }
    return texts.get(guess, guess)


def _short(heading: str) -> str:
    return heading if len(heading) <= _LONGEST else f"{heading[: _LONGEST - 1]}…"
