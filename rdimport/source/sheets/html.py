"""HTML tables, which many web systems write with the suffix .xls."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.source.encoding import Decoder, charset, guess_encoding
from rdimport.source.sheets.book import Sheet
from rdimport.source.sheets.cells import Rows, checked_place, frame_of
from rdimport.source.sheets.merged_cells import Merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source.files import InputFile

_CHARSET: Final = re.compile(rb"""charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_SILENT: Final = frozenset({"script", "style", "head", "title"})
_DECLARATION: Final = re.compile(r"<!--|<[!?]")
_MAX_SPAN: Final = 1 << 10
_LONG_NUMBER: Final = 10


class HtmlBook:
    """The tables of a page; each is a sheet with its own row numbers."""

    kind = "html"

    def __init__(self, file: InputFile) -> None:
        data = file.whole()
        parser = _Tables(file.name)
        parser.feed(_without_declarations(Decoder(_encoding(data)).feed(data, final=True).decode()))
        parser.close()
        tables = zip(parser.tables, parser.merged, strict=True)
        filled = [table for table in tables if any(any(cells) for _row, cells in table[0])]
        if not filled:
            raise SourceError(
                _("{name} is a web page without a table in it.", name=file.name),
                _("Perhaps it is a login or error page: export the contacts again."),
            )
        names = ["" if len(filled) == 1 else f"Table {i}" for i in range(1, len(filled) + 1)]
        self._name = file.name
        self._tables = dict(zip(names, filled, strict=True))

    @property
    def sheets(self) -> Sequence[str]:
        """`Table 1`, `Table 2`, ... or a single nameless sheet."""
        return list(self._tables)

    def read(self, sheet: str) -> Sheet:
        """A table, with a note that the file is not what its name says."""
        rows, merged = self._tables[sheet]
        where = _("{sheet} of {name}", sheet=sheet, name=self._name) if sheet else self._name
        note = _("The file is a web page (HTML), despite its name; its table is read.")
        return Sheet(frame_of(rows, where), (note,), merged=merged)


def _encoding(data: bytes) -> str:
    """The encoding detected from the bytes, then the declared one, which is often a wrong
    default.
    """
    guess = guess_encoding(data)
    if guess in ("cp1252", "iso8859-15", "mac_roman", "cp850") and (
        declared := _CHARSET.search(data)
    ):
        name = charset(declared[1].decode("ascii", "replace")) or guess
        return "cp1252" if name in ("iso8859-1", "utf-8", "ascii") else name
    return guess


class _Tables(HTMLParser):
    """Collects the rows of the outermost tables."""

    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[Rows] = []
        self.merged: list[list[Merged]] = []
        self._name = name
        self._depth = 0
        self._silent = 0
        self._row: list[str | None] | None = None
        self._cell: list[str] | None = None
        self._columns = 1
        self._span = 1
        self._covered: dict[int, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a table, row or cell."""
        if tag in _SILENT:
            self._silent += 1
        elif tag == "table":
            self._depth += 1
            if self._depth == 1:
                self.tables.append([])
                self.merged.append([])
                self._covered = {}
        elif self._depth == 1 and tag == "tr":
            self._end_row()
            self._row = []
        elif self._depth == 1 and tag in ("td", "th"):
            self._begin_cell(dict(attrs))
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Close a table, row or cell."""
        if tag in _SILENT:
            self._silent = max(self._silent - 1, 0)
        elif tag == "table" and self._depth:
            if self._depth == 1:
                self._end_row()
            self._depth -= 1
        elif self._depth == 1 and tag == "tr":
            self._end_row()
        elif self._depth == 1 and tag in ("td", "th"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        """Add text to a cell; white space collapses, as in HTML."""
        if self._cell is not None and not self._silent:
            self._cell.append(re.sub(r"[ \t\r\n\f]+", " ", data))

    def _begin_cell(self, attrs: dict[str, str | None]) -> None:
        self._end_cell()
        if self._row is None:
            self._row = []
        self._fill_covered()
        self._cell = []
        self._columns = _number(attrs.get("colspan"))
        self._span = _number(attrs.get("rowspan"))

    def _fill_covered(self) -> None:
        """Fill columns covered by a cell with a rowspan above."""
        row = self._row
        while row is not None and self._covered.get(len(row), 0):
            self._covered[len(row)] -= 1
            row.append(None)

    def _end_cell(self) -> None:
        if self._cell is None or self._row is None:
            return
        lines = "".join(self._cell).split("\n")
        text = "\n".join(line.strip(" ") for line in lines).strip(" \n")
        checked_place(1, len(self._row) + self._columns, self._name)
        if self._span > 1 and self.tables:
            top = len(self.tables[-1]) + 1
            self.merged[-1].append(Merged(top, top + self._span - 1, len(self._row)))
        for column in range(self._columns):
            if self._span > 1:
                self._covered[len(self._row)] = self._span - 1
            self._row.append(None if column else text or None)
        self._cell = None

    def _end_row(self) -> None:
        self._end_cell()
        if self._row is not None and self.tables:
            self._fill_covered()
            self.tables[-1].append((len(self.tables[-1]) + 1, self._row))
        self._row = None


def _number(text: str | None) -> int:
    if not text or not text.isdecimal():
        return 1
    return min(max(int(text), 1), _MAX_SPAN) if len(text) < _LONG_NUMBER else _MAX_SPAN


def _without_declarations(page: str) -> str:
    """The page without comments and declarations: for one that is not closed, the parser would
    search for its end again and again.
    """
    kept: list[str] = []
    at = 0
    for found in _DECLARATION.finditer(page):
        if found.start() < at:
            continue
        kept.append(page[at : found.start()])
        end = page.find("-->" if found[0] == "<!--" else ">", found.end())
        at = len(page) if end < 0 else end + (3 if found[0] == "<!--" else 1)
    return "".join([*kept, page[at:]])
