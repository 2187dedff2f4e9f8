"""xlsx and xlsm: read in this process if all cells can be counted before, else in a child."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import SourceError
from rdimport.source.limits import is_vast
from rdimport.source.sheets.book import Sheet
from rdimport.source.sheets.excel import CalamineBook
from rdimport.source.sheets.isolated import IsolatedBook
from rdimport.source.sheets.xlsx_package import Texts, texts_of_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source.files import InputFile

_MOST_TEXT: Final = 512 << 20
"""Upper bound, in bytes, on the expanded shared strings of a sheet's cells."""
_UNUSUAL: Final = (zipfile.BadZipFile, ValueError, KeyError, OSError, EOFError)


class XlsxBook:
    """An xlsx workbook. Raises SourceError if it cannot be read."""

    def __init__(self, file: InputFile, kind: str) -> None:
        self._file = file
        self.kind = kind
        self._texts = _texts(file)
        self._in_process = CalamineBook(file, kind) if self._texts else None
        self._isolated = None if self._in_process else IsolatedBook(file, kind)

    @property
    def sheets(self) -> Sequence[str]:
        """The names of the sheets, in order."""
        return (self._in_process or self._child()).sheets

    def read(self, sheet: str) -> Sheet:
        """A sheet, read in a child unless its cells are certainly few enough."""
        if self._in_process and self._is_bounded(self._in_process, sheet):
            return self._in_process.read(sheet)
        return self._child().read(sheet)

    def _child(self) -> IsolatedBook:
        if self._isolated is None:
            self._isolated = IsolatedBook(self._file, self.kind)
        return self._isolated

    def _is_bounded(self, book: CalamineBook, sheet: str) -> bool:
        """Whether the resources needed for the sheet's cells are proven to be bounded."""
        try:
            found = book.marks(sheet).extent
        except (*_UNUSUAL, SourceError):
            return False
        longest = self._texts.longest if self._texts else 0
        return (
            found.is_proven
            and not is_vast(found.rows, found.columns, found.filled)
            and found.shared * longest <= _MOST_TEXT
        )


def _texts(file: InputFile) -> Texts | None:
    try:
        return texts_of_plain(file)
    except (*_UNUSUAL, SourceError):
        return None
