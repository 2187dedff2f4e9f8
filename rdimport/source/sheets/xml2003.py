"""SpreadsheetML, the XML of Excel 2003, which some systems write with the suffix .xls."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from rdimport.core.messages import _
from rdimport.source.refusals import damaged_workbook
from rdimport.source.sheets.book import Sheet
from rdimport.source.sheets.cells import Rows, checked_place, date_text, frame_of
from rdimport.source.sheets.merged_cells import Merged
from rdimport.source.sheets.ods import plain_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source.files import InputFile

_SS: Final = "{urn:schemas-microsoft-com:office:spreadsheet}"
_EXCEL: Final = "{urn:schemas-microsoft-com:office:excel}"
_NO_DATES: Final = frozenset(
    "general|general number|currency|euro currency|fixed|standard|percent|scientific|yes/no|"
    "true/false|on/off|@".split("|")
)
"""Named formats that are not dates."""
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
"""Literal text, colours and padding in a format, which contain no date letters."""
_DATE: Final = re.compile(r"[dmyhs]", re.IGNORECASE)
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001  a cell has no time zone
_DAYS_OF_1904: Final = 1462
_MOST_DAYS: Final = 2_958_465
"""31 December 9999, the last day that Excel supports."""


class Xml2003Book:
    """A workbook in SpreadsheetML. Raises SourceError if it is damaged."""

    kind = "xml"

    def __init__(self, file: InputFile) -> None:
        self._sheets: dict[str, Sheet] = {}
        note = _("The file is Excel 2003 XML, despite its name.")
        dates = _DateStyles()
        try:
            with file.open() as stream:
                for _event, node in ET.iterparse(stream):  # noqa: S314  expat limits entities
                    dates.learn(node)
                    if node.tag == f"{_SS}Worksheet":
                        name = node.get(f"{_SS}Name", "")
                        where = _("Sheet “{sheet}” of {name}", sheet=name, name=file.name)
                        merged: list[Merged] = []
                        cells = frame_of(_rows(node, where, dates, merged), where)
                        self._sheets[name] = Sheet(cells, (note,), merged=merged)
                        node.clear()
        except (ET.ParseError, LookupError, ValueError) as error:
            raise damaged_workbook(file.name, _("Excel 2003 XML")) from error

    @property
    def sheets(self) -> Sequence[str]:
        """The names of the sheets, in order."""
        return list(self._sheets)

    def read(self, sheet: str) -> Sheet:
        """A sheet, with a note that the file is not what its name says."""
        return self._sheets[sheet]


def _rows(sheet: ET.Element, where: str, dates: _DateStyles, found: list[Merged]) -> Rows:
    """The rows of a sheet; merged cells are added to `found`."""
    rows: Rows = []
    number = 0
    covered: dict[int, int] = {}
    of_column = dates.columns(sheet)
    for row in sheet.iter(f"{_SS}Row"):
        number = _place(row, number)
        cells: list[str | None] = []
        for cell in row.iter(f"{_SS}Cell"):
            column = _place(cell, len(cells))
            merged = int(cell.get(f"{_SS}MergeAcross", "0"))
            checked_place(number, column + merged, where)
            cells.extend([None] * (column - 1 - len(cells)))
            style = cell.get(f"{_SS}StyleID") or row.get(f"{_SS}StyleID") or of_column.get(column)
            value = _value(cell, dates, style)
            if value is not None and covered.get(column, 0) >= number:
                raise ValueError  # Excel refuses such a file: the columns of the row may be shifted
            cells.append(value)
            if down := int(cell.get(f"{_SS}MergeDown", "0")):
                found.append(Merged(number, number + down, column - 1))
                covered |= dict.fromkeys(range(column, column + merged + 1), number + down)
            cells.extend([None] * merged)
        rows.append((number, cells))
    return rows


def _place(node: ET.Element, before: int) -> int:
    """The number of a row or column. Raises ValueError unless it follows the previous one."""
    number = int(node.get(f"{_SS}Index", before + 1))
    if number <= before:
        raise ValueError
    return number


def _value(cell: ET.Element, dates: _DateStyles, style: str | None) -> str | None:
    data = cell.find(f"{_SS}Data")
    if data is None:
        return None
    text, kind = "".join(data.itertext()), data.get(f"{_SS}Type")
    if kind == "Number":
        return dates.text(text, style) or plain_number(text)
    if kind == "Boolean":
        return "true" if text.strip() == "1" else "false"
    if kind == "DateTime":
        return date_text(text)
    return text or None


class _DateStyles:
    """The styles of a workbook that show a number as a date, and its day zero."""

    def __init__(self) -> None:
        self._dates: set[str] = set()
        self._shift = 0

    def learn(self, node: ET.Element) -> None:
        """Process an element that was read completely: a style, or the workbook's day zero."""
        if node.tag == f"{_EXCEL}Date1904" and (node.text or "1").strip() != "0":
            self._shift = _DAYS_OF_1904
        elif node.tag == f"{_SS}Style":
            name, found = node.get(f"{_SS}ID"), node.find(f"{_SS}NumberFormat")
            own = None if found is None else found.get(f"{_SS}Format")
            inherits = own is None and node.get(f"{_SS}Parent") in self._dates
            if name and (inherits or _is_date(own or "")):
                self._dates.add(name)

    def columns(self, sheet: ET.Element) -> dict[int, str]:
        """The styles of whole columns of a sheet, by number."""
        found: dict[int, str] = {}
        number = 0
        for column in sheet.iter(f"{_SS}Column"):
            number = int(column.get(f"{_SS}Index", number + 1))
            span = min(int(column.get(f"{_SS}Span", "0")), 16_383)
            if style := column.get(f"{_SS}StyleID"):
                found |= dict.fromkeys(range(number, number + span + 1), style)
            number += span
        return found

    def text(self, number: str, style: str | None) -> str | None:
        """The number as a date; None if its style does not show one."""
        if style not in self._dates:
            return None
        try:
            days = float(number) + self._shift
        except ValueError:
            return None
        if not 0 <= days <= _MOST_DAYS:
            return None
        moment = _DAY_ZERO + timedelta(seconds=round(days * 86_400))
        return date_text(moment.isoformat())


def _is_date(form: str) -> bool:
    if form.strip().lower() in _NO_DATES or re.search(r"\[[hms]+\]", form, re.IGNORECASE):
        return False  # the latter is a duration
    return bool(_DATE.search(_LITERAL.sub("", form)))
