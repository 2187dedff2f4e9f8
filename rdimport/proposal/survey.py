"""What a table holds, for people who have no mapping yet: columns, examples, guesses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.names import fold
from rdimport.core.row import DEFECT
from rdimport.mapping import Clean, FieldSource
from rdimport.prepare.clean import brazil, clean, phone
from rdimport.prepare.clean.address import SYNTAX
from rdimport.prepare.clean.text import filled
from rdimport.source.defects import DEFECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdimport.source.port import Table

EXAMPLES: Final = 3
_ENOUGH: Final = 0.6
"""The share of a column's values that must have a form before the column is said to hold it."""

_FORMS: Final = {
    "email": r"^\s*[^@\s;,]+@[^@\s;,]+\.[a-zA-Z]{2,}\s*$",
    "cnpj": r"^\s*\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}\s*$",
    "cpf": r"^\s*(?:\d{3}\.\d{3}\.\d{3}-\d{2}|\d{3}\.?\d{3}\.?\d{3}-\d{2})\s*$",
    "postcode": r"^\s*\d{5}-\d{3}\s*$",
    "phone": r"^\s*(?:\+?55)?[\s().-]*(?:\d[\s().-]*){10,11}$",
    "state": r"^\s*(?i:AC|AL|AP|AM|BA|CE|DF|ES|GO|MA|MT|MS|MG|PA|PB|PR|PE|PI|RJ|RN|RS|RO|RR|SC|SP"
    r"|SE|TO)\s*$",
    "date": r"^\s*(?:\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{2,4})"
    r"(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?\s*$",
    "yes/no": r"^\s*(?i:sim|s|n[aã]o|n|yes|y|no|true|false|verdadeiro|falso|0|1|x)\s*$",
    "url": r"^\s*(?:https?://|www\.)\S+\s*$",
    "number": r"^\s*(?:R\$\s*)?[+-]?[\d.,]*\d\s*%?\s*$",
}
"""What a value may look like, the more special forms first."""

_NAMES: Final = (
    ("email", r"\be-?mail\b|\bcorreio\b"),
    ("cpf", r"\bcpf\b"),
    ("cnpj", r"\bcnpj\b"),
    ("postcode", r"\bcep\b|\bpostal\b|\bzip\b"),
    ("phone", r"celular|whats|telefone|\bfone\b|\btel\b|phone|mobile"),
    ("state", r"^uf$|\bestado\b|^state$"),
    ("city", r"cidade|municipio|^city$"),
    ("country", r"\bpais\b|^country$"),
    ("company", r"empresa|razao social|fantasia|company"),
    ("job title", r"cargo|funcao|profissao|job"),
    ("date", r"\bdata\b|nascimento|\bdate\b|criado em"),
    ("url", r"\bsite\b|website|\burl\b|linkedin|facebook|twitter"),
    ("tags", r"\btags?\b|etiqueta|marcador"),
    ("name", r"nome|\bname\b|contato|cliente"),
)
"""What a column's folded name says, the first that fits."""


_MENDS: Final[dict[str, tuple[Clean, Callable[[pl.Expr], pl.Expr]]]] = {
    "email": (Clean.EMAIL, lambda cell: cell.str.contains(SYNTAX)),
    "phone": (Clean.PHONE, phone.is_number),
    "state": (Clean.UF, lambda cell: cell.is_in(list(brazil.STATES))),
}
"""Forms that an import brings values into by itself, and how to know that it did."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, up to three different values, how full it is, what it seems to hold.

    `filled` is a share from 0 to 1. `guess` is one of `email`, `phone`, `name`, `text` …; `odd`
    counts the values that do not have the form which the others have, not even after cleaning.
    """

    name: str
    examples: tuple[str, ...]
    filled: float
    guess: str
    odd: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """A table as it was found: rows, columns, unsound rows per code, and what looks wrong."""

    rows: int
    columns: tuple[Column, ...]
    defects: dict[str, int]
    warnings: tuple[str, ...]


class _Tally:
    """What is counted of one column, batch by batch."""

    def __init__(self, name: str) -> None:
        self.name = name
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
            if form == guess_by_name(self.name) or count >= _ENOUGH * len(cells):
                self.mended[form] += _mended(cells.filter(~fits), form)

    def column(self, rows: int) -> Column:
        """The verdict on the column after `rows` rows."""
        by_name = guess_by_name(self.name)
        form = self._form(by_name)
        # A name is a promise (`Aceita e-mail`) that values with another form can break.
        if by_name in self.forms and form != by_name and self.forms[by_name] * 5 < self.filled:
            by_name = ""
        guess = by_name or form or "text"
        odd = self.filled - self.forms[guess] - self.mended[guess] if form == guess else 0
        share = self.filled / rows if rows else 0.0
        return Column(self.name, tuple(self.examples), share, guess, odd)

    def _form(self, by_name: str) -> str:
        """The form of most values: the one that the name says if it fits, else the first."""
        fits = [
            f for f, count in self.forms.items() if self.filled and count >= self.filled * _ENOUGH
        ]
        return by_name if by_name in fits else next(iter(fits), "")


def _mended(cells: pl.Series, form: str) -> int:
    """How many of some odd values have the form once they are cleaned."""
    if form not in _MENDS or cells.is_empty():
        return 0
    cleaner, is_right = _MENDS[form]
    mended = clean(pl.col("cell"), (cleaner,), FieldSource(column=("cell",)))
    frame = cells.to_frame("cell").with_columns(mended.alias("cell"))
    return int(frame.select(is_right(pl.col("cell")).fill_null(value=False)).to_series().sum())


def guess_by_name(name: str) -> str:
    """What a column of this name holds, or an empty string.

    >>> guess_by_name("Telefone Celular"), guess_by_name("E-mail"), guess_by_name("Coluna 3")
    ('phone', 'email', '')
    """
    folded = fold(name)
    return next((guess for guess, pattern in _NAMES if re.search(pattern, folded)), "")


def survey(table: Table) -> Survey:
    """Read the whole table once and say what is in it. Raises SourceError as reading does."""
    tallies = [_Tally(name) for name in table.columns]
    defects: dict[str, int] = {}
    rows = 0
    for batch in table.batches():
        rows += batch.height
        for tally in tallies:
            tally.add(batch[tally.name])
        for code, count in batch[DEFECT].drop_nulls().value_counts().iter_rows():
            defects[code] = defects.get(code, 0) + count
    columns = tuple(tally.column(rows) for tally in tallies)
    return Survey(rows, columns, defects, tuple(_warnings(columns, defects)) + table.notes)


def _warnings(columns: Sequence[Column], defects: dict[str, int]) -> list[str]:
    found = [f"{count} row(s): {DEFECTS[code]}" for code, count in sorted(defects.items())]
    if not any(column.guess == "email" for column in columns):
        found.append("No column seems to hold e-mail addresses, which every contact needs.")
    for column in columns:
        if column.filled == 0:
            found.append(f"Column {column.name!r} is empty.")
        elif column.odd:
            found.append(f"Column {column.name!r}: {column.odd} value(s) are no {column.guess}.")
    return found
