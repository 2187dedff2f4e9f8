"""OpenDocument spreadsheets, read from their XML.

Not by calamine (fastexcel 0.21), which drops tabs and line breaks inside a paragraph.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from rdimport.core.messages import _
from rdimport.source.limits import MOST_PART, is_vast
from rdimport.source.refusals import damaged_workbook, protected_workbook, vast
from rdimport.source.row_filter import ErrorCells
from rdimport.source.sheets.book import Sheet
from rdimport.source.sheets.cells import Rows, checked_place, date_text, frame_of, times
from rdimport.source.sheets.mail_links import link_notes
from rdimport.source.sheets.merged_cells import Merged
from rdimport.source.sheets.xlsx_cells import column_letters
from rdimport.source.sheets.xlsx_flags import sentences

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Sequence

    from rdimport.source.files import InputFile

_NS: Final = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TABLE, _OFFICE, _TEXT, _STYLE = (_NS % name for name in ("table", "office", "text", "style"))
_CALC: Final = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_CELLS: Final = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
_MOST_SPACES: Final = 1 << 15
_DURATION: Final = re.compile(r"(-?)PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S")
_BY_DISPLAY: Final = ("collapse", "filter")


class OdsBook:
    """An OpenDocument spreadsheet. Raises SourceError if it is damaged or encrypted."""

    kind = "ods"

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._sheets: dict[str, Sheet] = {}
        try:
            with file.package() as package:
                self._refuse_encrypted(package)
                with package.open("content.xml") as content:
                    self._read(content)
        except (ET.ParseError, LookupError, ValueError) as error:
            raise damaged_workbook(file.name, "ods") from error

    @property
    def sheets(self) -> Sequence[str]:
        """The names of the sheets, in order."""
        return list(self._sheets)

    def read(self, sheet: str) -> Sheet:
        """A sheet, with notes about hidden rows and links."""
        return self._sheets[sheet]

    def _refuse_encrypted(self, package: zipfile.ZipFile) -> None:
        with package.open("META-INF/manifest.xml") as manifest:
            text = manifest.read(MOST_PART)
        if b"encryption-data" in text:
            raise protected_workbook(self._file.name)

    def _read(self, content: object) -> None:
        hidden_styles: set[str] = set()
        depth = 0
        for event, node in ET.iterparse(content, ("start", "end")):  # type: ignore[call-overload]  # noqa: S314
            if node.tag == f"{_TABLE}table":
                depth += 1 if event == "start" else -1
                if event == "start" and depth == 1:
                    name = node.get(f"{_TABLE}name", "")
                    rows = _Rows(_("Sheet “{sheet}” of {name}", sheet=name, name=self._file.name))
                elif event == "end" and depth == 0:
                    is_hidden = node.get(f"{_TABLE}style-name") in hidden_styles
                    self._sheets[name] = rows.sheet(is_hidden=is_hidden)
                    node.clear()
            elif event == "end" and node.tag == f"{_TABLE}table-row" and depth == 1:
                rows.add(node)
                node.clear()
            elif event == "end" and node.tag == f"{_STYLE}style" and _is_not_shown(node):
                hidden_styles.add(node.get(f"{_STYLE}name", ""))


def _is_not_shown(style: ET.Element) -> bool:
    return any(part.get(f"{_TABLE}display") == "false" for part in style)


class _Rows:
    """Collects the rows of one sheet, named by `where`."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._rows: Rows = []
        self._cells = 0
        self._written = 0
        self._number = 1
        self._found: Counter[str] = Counter()
        self._errors = ErrorCells()
        self._merged: list[Merged] = []
        self._linked: list[tuple[int, str]] = []

    def add(self, row: ET.Element) -> None:
        rows = times(row.get(f"{_TABLE}number-rows-repeated"))
        cells = self._row(row)
        if cells:
            last = self._number + rows
            checked_place(last - 1, len(cells), self._where)
            self._cells += rows * len(cells)
            if is_vast(1, self._cells, self._written):
                raise vast(self._where)
            self._rows.extend((number, cells) for number in range(self._number, last))
            if row.get(f"{_TABLE}visibility") in _BY_DISPLAY:
                self._found["hidden"] += rows
        self._number += rows

    def _row(self, row: ET.Element) -> list[str | None]:
        cells: list[str | None] = []
        empty = 0
        for node in row:
            if node.tag not in _CELLS:
                continue
            columns = times(node.get(f"{_TABLE}number-columns-repeated"))
            is_error = node.get(f"{_CALC}value-type") == "error"
            if is_error:
                self._note_error(len(cells) + empty, columns)
            value = None if is_error else self._value(node)
            if value is None:
                empty += columns
                continue
            checked_place(1, len(cells) + empty + columns, self._where)
            down = node.get(f"{_TABLE}number-rows-spanned", "1")
            if down.isdecimal() and down != "1":
                last = self._number + int(down[:8]) - 1
                self._merged.append(Merged(self._number, last, len(cells) + empty))
            self._written += 1
            cells.extend([None] * empty)
            cells.extend([value] * columns)
            empty = 0
        return cells

    def _value(self, cell: ET.Element) -> str | None:
        kind = cell.get(f"{_OFFICE}value-type")
        if kind in ("float", "percentage", "currency"):
            return plain_number(cell.get(f"{_OFFICE}value", ""))
        if kind == "date":
            return date_text(cell.get(f"{_OFFICE}date-value", ""))
        if kind == "time":
            return _time(cell.get(f"{_OFFICE}time-value", ""))
        if kind == "boolean":
            return cell.get(f"{_OFFICE}boolean-value")
        text = "\n".join("".join(_text(p)) for p in cell.iterfind(f"{_TEXT}p"))
        if text and "@" not in text and _links_to_mail(cell):
            self._linked.append((self._number, text))
        return text or cell.get(f"{_OFFICE}string-value") or None

    def _note_error(self, column: int, columns: int) -> None:
        first = self._errors.first or (self._number, column_letters(column + 1))
        self._errors = ErrorCells(self._errors.cells + columns, first)

    def sheet(self, *, is_hidden: bool) -> Sheet:
        cells = frame_of(self._rows, self._where)
        notes = (*sentences(self._found), *link_notes(self._linked))
        return Sheet(cells, notes, self._errors, self._merged, is_hidden)


def _links_to_mail(cell: ET.Element) -> bool:
    links = cell.iterfind(f"{_TEXT}p//{_TEXT}a")
    return any(link.get(_HREF, "").lower().startswith("mailto:") for link in links)


def _text(node: ET.Element) -> Iterator[str]:
    """The text of a paragraph, including spans, links, spaces, tabs and line breaks."""
    yield node.text or ""
    for part in node:
        if part.tag == f"{_TEXT}s":
            yield " " * min(int(part.get(f"{_TEXT}c", "1")), _MOST_SPACES)
        elif part.tag == f"{_TEXT}tab":
            yield "\t"
        elif part.tag == f"{_TEXT}line-break":
            yield "\n"
        elif part.tag != f"{_OFFICE}annotation":
            yield from _text(part)
        yield part.tail or ""


def plain_number(text: str) -> str | None:
    """A number without exponent and without `.0`.

    >>> plain_number("1.1987654321E+10"), plain_number("3.50"), plain_number("1e-5")
    ('11987654321', '3.5', '0.00001')
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text or None
    if not number.is_finite() or abs(number.adjusted()) > 300:
        return text
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _time(value: str) -> str:
    found = _DURATION.fullmatch(value)
    if found is None:
        return value
    sign, *parts = found.groups()
    return sign + ":".join(part.zfill(2) for part in parts)
