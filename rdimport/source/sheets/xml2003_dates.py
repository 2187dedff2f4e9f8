"""Dates in SpreadsheetML that are stored as numbers with a date style."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from rdimport.source.sheets.cells import date_text

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

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


class DateStyles:
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
