"""Selects the sheets of a list that spans several (`source: {sheets: all}`)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.source.sheets.table import table_columns

if TYPE_CHECKING:
    from rdimport.source.port import Hints
    from rdimport.source.sheets.book import Book

ALL: Final = "all"


def several_sheets(book: Book, hints: Hints, name: str) -> tuple[Hints, ...]:
    """The hints for each sheet to read. Raises SourceError if there is none."""
    if hints.sheets is None or hints.sheet is not None:
        return (hints,)
    if fold(hints.sheets) == ALL:
        read = _with_columns(book, hints, name)
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


def _with_columns(book: Book, hints: Hints, name: str) -> list[str]:
    """The sheets that have the mapping's columns; hidden ones only if all of these are."""
    visible: list[str] = []
    hidden: list[str] = []
    for sheet in book.sheets:
        with suppress(SourceError):  # a cover page or an empty sheet
            read = book.read(sheet)
            columns = table_columns(read, sheet, hints, name)
            if set(map(fold, columns)).issuperset(map(fold, hints.columns)):
                (hidden if read.is_hidden else visible).append(sheet)
    return visible or hidden
