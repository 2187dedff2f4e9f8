"""Statistics of a column's values, as shares of the filled cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from rdimport.mapping import Clean, FieldSource
from rdimport.prepare.clean import brazil, clean, phone
from rdimport.prepare.clean.text import filled
from rdimport.prepare.validate import FORMS

_PLAIN: Final = FieldSource(column=("x",))

_FORMS: Final = (
    Clean.EMAIL,
    Clean.PHONE,
    Clean.UF,
    Clean.BOOLEAN,
    Clean.CPF,
    Clean.CNPJ,
    Clean.CEP,
    Clean.DATE,
    Clean.NUMBER,
    Clean.URL,
)
SEPARATORS: Final = (";", "|", ",")
_ITEMS: Final = 0.1
"""Share of cells that must contain a character for it to be a list separator."""

_CITY_STATE: Final = rf"\p{{L}}\s*[/,(–-]\s*(?i:{'|'.join(brazil.STATES)})\s*\)?$"
_AREA: Final = r"^\s*\(?0?[1-9][0-9]\)?\s*$"
_COUNTRY: Final = r"^\s*\+?[1-9][0-9]{0,2}\s*$"
_LOCAL: Final = r"^[^0-9+]*(?:[0-9][^0-9]*){8,9}$"
_HANDLE: Final = r"^\s*@[A-Za-z0-9._]+\s*$"
_PAGE: Final = r"^\s*(?:(?i:https?://|www\.)|[\w-]+(?:\.[\w-]+)+/)\S+\s*$"


@dataclass(frozen=True, slots=True)
class ColumnEvidence:
    """Statistics of one column: filled cells, an example, and the share of cells in each format.

    `mobile` and `landline` are shares of the phone numbers. `local` is the share of those without
    an area code, `area` and `country` of values that may be an area or country code, `capitals` of
    cells without a lower-case letter, `numbered` of cells with digits and no letter.
    `distinct` counts the different cells. `separator` is the list separator, or empty.
    """

    filled: int = 0
    rows: int = 0
    example: str = ""
    shares: dict[Clean, float] = field(default_factory=dict)
    digits: float = 0.0
    mobile: float = 0.0
    landline: float = 0.0
    local: float = 0.0
    area: float = 0.0
    country: float = 0.0
    city_state: float = 0.0
    page: float = 0.0
    capitals: float = 0.0
    numbered: float = 0.0
    distinct: int = 0
    separator: str = ""

    def share(self, form_of: Clean) -> float:
        """The share of filled cells in the format of a cleaner."""
        return self.shares.get(form_of, 0.0)


def gather(rows: pl.DataFrame) -> dict[str, ColumnEvidence]:
    """Compute the statistics of all columns at once; a thousand rows are enough."""
    long = pl.concat(
        [
            cells.to_frame("cell").select(column=pl.lit(position, dtype=pl.UInt32), cell="cell")
            for position, cells in enumerate(rows)  # one by one: one query would be as wide
        ]
        or [pl.DataFrame(schema={"column": pl.UInt32, "cell": pl.String})]
    ).filter(filled(pl.col("cell")))
    long = long.rechunk()  # polars works chunk by chunk; here each column is one chunk
    shares = _shares(long)
    by_column = {row["column"]: row for row in shares.iter_rows(named=True)}
    return {
        name: _evidence(rows.height, by_column.get(position, {}))
        for position, name in enumerate(rows.columns)
    }


def _shares(long: pl.DataFrame) -> pl.DataFrame:
    cell = pl.col("cell")
    # In two steps: a check refers to its cell many times, and each would be cleaned again.
    cleaned = long.select(
        "column", "cell", *(clean(cell, (name,), _PLAIN).alias(name) for name in _FORMS)
    )
    forms = cleaned.select(
        "column",
        "cell",
        *(FORMS[name][1](pl.col(name)).alias(name) for name in _FORMS),
        dialled=pl.col(Clean.PHONE),
    )
    landline = pl.col("dialled").str.contains(phone.LANDLINE)
    judged = forms.select(
        "column",
        "cell",
        *(pl.col(name).fill_null(value=False) for name in _FORMS),
        digits=cell.str.replace_all(r"[^0-9]", "").str.len_chars() >= 8,
        mobile=landline.not_() & pl.col(Clean.PHONE),
        landline=landline,
        local=cell.str.contains(_LOCAL),
        area=cell.str.contains(_AREA),
        country=cell.str.contains(_COUNTRY),
        city_state=cell.str.contains(_CITY_STATE),
        page=cell.str.contains(_PAGE) | cell.str.contains(_HANDLE),
        numbered=cell.str.contains(r"[0-9]") & cell.str.contains(r"\p{L}").not_(),
        capitals=cell.str.contains(r"\p{Ll}").not_() & cell.str.contains(r"\p{Lu}{3}"),
        **{mark: cell.str.contains(mark, literal=True) for mark in SEPARATORS},
    )
    return judged.group_by("column", maintain_order=True).agg(
        pl.len().alias("filled"),
        cell.first().alias("example"),
        cell.n_unique().alias("distinct"),
        pl.exclude("column", "cell").cast(pl.Float64).mean(),
    )


def _evidence(rows: int, measured: dict[str, Any]) -> ColumnEvidence:
    if not measured:
        return ColumnEvidence(rows=rows)
    return ColumnEvidence(
        filled=measured["filled"],
        rows=rows,
        example=measured["example"],
        shares={name: measured[name] for name in _FORMS},
        digits=measured["digits"],
        mobile=measured["mobile"],
        landline=measured["landline"],
        local=measured["local"],
        area=measured["area"],
        country=measured["country"],
        city_state=measured["city_state"],
        page=measured["page"],
        capitals=measured["capitals"],
        numbered=measured["numbered"],
        distinct=measured["distinct"],
        separator=next((mark for mark in SEPARATORS if measured[mark] >= _ITEMS), ""),
    )
