"""Filters and repairs the rows that every reader produces."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.core.messages import _, ngettext
from rdimport.core.messages.codes import Code
from rdimport.core.names import fold
from rdimport.core.row import DEFECT, ROW
from rdimport.source.header import visible
from rdimport.source.mojibake import LEADS, is_broken, repaired

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEGINS_TOTAL: Final = r"^\s*(?:sub-?)?tota(?:l|is)"
_TOTAL: Final = (
    _BEGINS_TOTAL + r"(?: geral)?(?: (?:de|do|da|dos|das) [\w ]+)?"
    r"\s*[:=]?\s*(?:[\d.,]+(?: \w+)?)?\s*$"
)
_NOTE: Final = (
    r"^\s*(?:fontes?|gerad[oa]|emitid[oa]|exportad[oa]|impress[oa]|relat[oó]rio|p[aá]gina|obs|"
    r"observa[cç](?:[aã]o|[oõ]es)|notas?|quantidade|registros?|qtde?|filtros?)\b.*[:.\d]"
)
_SECTION: Final = (
    r"^\s*(?:dia|turma|grupo|sala|mesa|turno|sess[aã]o|etapa|lote|semana|m[oó]dulo|bloco)"
    r" (?:\d{1,4}|[a-z]|[ivx]{1,4})\b\s*(?:$|[-–—:(/].*)"
)
"""A heading above a group of rows."""
_BLANK: Final = r"[\s\u200b-\u200f\u2060\ufeff]"
"""Invisible characters, including the mark at the start of a file that was appended to another."""
_ERRORS: Final = (
    "#N/D #N/A #N/DISP #REF! #VALOR! #VALUE! #DIV/0! #NOME? #NAME? #NULO! #NULL! #NÚM! #NUM! "
    "#DERRAMAR! #SPILL! #CALC! #CAMPO! #FIELD! #BLOQUEADO! #BLOCKED! #GETTING_DATA".split()
)
"""Error values that spreadsheet programs write into text files."""
_NUMBER: Final = re.compile(r"(?:R\$|%|[\d\s.,+\-])*\d(?:R\$|%|[\d\s.,+\-])*")
_LISTED: Final = 10
"""Number of row numbers listed in a note."""


class ErrorCells(NamedTuple):
    """Cells that a sheet marks as errors: how many, and the first one's row and column, the latter
    in letters as the program shows it, if the file says so.
    """

    cells: int = 0
    first: tuple[int, str] | None = None


class RowFilter:
    """Removes rows that are not data, repairs broken cells, and keeps notes about both.

    Blank rows are removed silently. Repeated headers, totals and notes below the table are listed
    in `notes`, and so are error cells (emptied) and text broken by a wrong encoding (repaired
    unless `repair` is false). A row that could be a person is always kept.
    """

    def __init__(
        self,
        columns: Sequence[str],
        names: Sequence[str],
        *,
        repair: bool,
        errors: int = 0,
        first_error: tuple[int, str] | None = None,
    ) -> None:
        """`errors`: the cells that are empty already, and the row and column of their first."""
        self._columns = list(columns)
        self._names = [fold(name) for name in names]
        self._repair = repair
        self._headers: list[int] = []
        self._totals: list[int] = []
        self._errors = errors
        self._first_error = first_error
        self._broken = 0
        self._example = ("", "")
        first = next((visible(name).split() for name in names if name.strip()), [])
        words = rf"{_BLANK}+".join(map(re.escape, first))
        header = f"|^{_BLANK}*{words}{_BLANK}*$" if first else ""
        self._suspicious = f"(?i){_BEGINS_TOTAL}|{_NOTE}|{_SECTION}{header}"

    def apply(self, frame: pl.DataFrame, text: bytes | None = None) -> pl.DataFrame:
        """The data rows of a frame with `row.ROW`, `row.DEFECT` and the columns.

        `text` is the UTF-8 that the frame was made from, if known; it helps to skip needless
        searches.
        """
        if text is None or b"#" in text:
            frame = self._without_errors(frame)
        if self._repair and (text is None or is_broken(text)):
            frame = self._mended(frame)
        frame = self._without_blank_rows(frame)
        suspect = pl.coalesce(self._columns).str.contains(self._suspicious)
        candidates = frame.filter(suspect & pl.col(DEFECT).ne_missing(Code.ROW_STRAY_QUOTE))
        if candidates.is_empty():
            return frame
        rows = candidates.select(ROW, *self._columns).iter_rows()
        dropped = [row[0] for row in rows if self._is_no_data(row[0], row[1:])]
        return frame.filter(~pl.col(ROW).is_in(dropped))

    def _mended(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Repair text broken by a wrong encoding, each distinct value once."""
        broken = pl.col(self._columns).str.contains_any(list(LEADS)).any()
        found = frame.select(broken).row(0) if frame.height else ()
        columns = [name for name, any_lead in zip(self._columns, found, strict=False) if any_lead]
        for column in columns:
            cells = frame[column]
            suspect = cells.filter(cells.str.contains_any(list(LEADS)).fill_null(value=False))
            right = {cell: repaired(cell) for cell in suspect.unique(maintain_order=True)}
            right = {cell: better for cell, better in right.items() if better != cell}
            if right:
                self._example = self._example if self._broken else next(iter(right.items()))
                self._broken += int(cells.is_in(list(right)).sum())
                mended = cells.replace(list(right), list(right.values()))
                frame = frame.with_columns(mended.alias(column))
        return frame

    def _without_blank_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        def is_blank(cells: pl.Expr) -> pl.Expr:
            return cells.str.strip_chars().fill_null("") == ""

        # Nearly all rows fill their first column, and checking one is cheaper than all.
        if not frame.select(is_blank(pl.col(self._columns[0])).any()).item():
            return frame
        return frame.filter(~pl.all_horizontal(is_blank(pl.col(self._columns))))

    def _without_errors(self, frame: pl.DataFrame) -> pl.DataFrame:
        cells = pl.col(self._columns)
        marked = frame.select(cells.str.starts_with("#").any()).row(0) if frame.height else ()
        columns = [name for name, any_mark in zip(self._columns, marked, strict=False) if any_mark]
        if not columns:
            return frame
        is_error = pl.col(columns).str.strip_chars().is_in(_ERRORS)
        hits = frame.select(ROW, is_error).filter(pl.any_horizontal(columns))
        for row, *marks in hits.head(1).iter_rows():
            here = (row, columns[marks.index(True)])
            self._first_error = min(self._first_error or here, here, key=itemgetter(0))
        self._errors += sum(hits.select(pl.col(columns).sum()).row(0))
        return frame.with_columns(pl.when(~is_error).then(pl.col(columns)))

    def _is_no_data(self, number: int, cells: Sequence[str | None]) -> bool:
        filled = [(i, cell.strip()) for i, cell in enumerate(cells) if cell and cell.strip()]
        if self._is_header(filled):
            self._headers.append(number)
            return True
        if _is_total_or_note([cell for _, cell in filled], len(cells)):
            self._totals.append(number)
            return True
        return False

    def _is_header(self, filled: Sequence[tuple[int, str]]) -> bool:
        named = sum(1 for name in self._names if name)
        return len(filled) * 2 >= named and all(fold(cell) == self._names[i] for i, cell in filled)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what was removed."""
        found = []
        if self._errors:
            found.append(self._error_note())
        if self._broken:
            wrong, right = self._example
            found.append(
                ngettext(
                    "{number} cell contained text garbled by a wrong encoding, “{wrong}”; "
                    "it was repaired (“{right}”).",
                    "{number} cells contained text garbled by a wrong encoding, such as "
                    "“{wrong}”; they were repaired (“{right}”).",
                    self._broken,
                    wrong=wrong,
                    right=right,
                )
            )
        if self._headers:
            found.append(
                _("The header is repeated in {rows}: not imported.", rows=listed(self._headers))
            )
        if self._totals:
            found.append(
                _(
                    "Totals, notes or headings, no contacts, in {rows}: not imported.",
                    rows=listed(self._totals),
                )
            )
        return tuple(found)

    def _error_note(self) -> str:
        if self._first_error is None:
            return ngettext(
                "{number} cell contains an error such as #REF! or #N/D; it counts as empty.",
                "{number} cells contain an error such as #REF! or #N/D; they count as empty.",
                self._errors,
            )
        row, column = self._first_error
        return ngettext(
            "{number} cell contains an error such as #REF! or #N/D, in row {row}, column "
            "“{column}”; it counts as empty.",
            "{number} cells contain an error such as #REF! or #N/D, the first in row {row}, column "
            "“{column}”; they count as empty.",
            self._errors,
            row=row,
            column=column,
        )


def _is_total_or_note(filled: Sequence[str], width: int) -> bool:
    if any("@" in cell for cell in filled):
        return False
    first, others = filled[0], filled[1:]
    if re.search(_TOTAL, first, re.IGNORECASE):
        return all(_NUMBER.fullmatch(cell) for cell in others)
    noted = re.search(rf"{_NOTE}|{_SECTION}", first, re.IGNORECASE)
    return width >= 3 and not others and bool(noted)


def listed(rows: Sequence[int]) -> str:
    """Row numbers for a sentence: `row 7`, `rows 7, 9 and 12 more`."""
    if len(rows) == 1:
        return _("row {row}", row=rows[0])
    shown = ", ".join(str(row) for row in rows[:_LISTED])
    more = len(rows) - _LISTED
    if more > 0:
        return _("rows {rows} and {number} more", rows=shown, number=more)
    return _("rows {rows}", rows=shown)
