"""Selects the sheets of a list that spans several (`source: {sheets: all}`)."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.source.sheets.table import table_columns

if TYPE_CHECKING:
    from rdimport.source.port import Hints
    from rdimport.source.sheets.table import Book

ALL: Final = "all"


def several_sheets(book: Book, hints: Hints, name: str) -> tuple[Hints, ...]:
    """The hints for each sheet to read. Raises SourceError if there is none."""
    if hints.sheets is None or hints.sheet is not None:
        return (hints,)
    if fold(hints.sheets) == ALL:
        read = [sheet for sheet in book.sheets if _has_columns(book, sheet, hints, name)]
        visible = [sheet for sheet in read if sheet not in book.hidden]
        read = visible or read
    else:
        pattern = fold(hints.sheets)
        read = [sheet for sheet in book.sheets if fnmatchcase(fold(sheet), pattern)]
    if not read:
        raise SourceError(
            _("No sheet of {name} matches `sheets: {wish}`.", name=name, wish=hints.sheets),
            _("Its sheets are: {names}.", names=", ".join(book.sheets[:20])),
        )
    together = tuple(read)
    return tuple(replace(hints, sheet=sheet, together=together) for sheet in read)


def _has_columns(book: Book, sheet: str, hints: Hints, name: str) -> bool:
    try:
        found = {fold(column) for column in table_columns(book, sheet, hints, name)}
    except SourceError:  # a cover page or an empty sheet
        return False
    return found.issuperset(map(fold, hints.columns))
