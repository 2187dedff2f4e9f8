"""Determines the extent of an xlsx sheet from its XML, before a library allocates its cells.

If every cell is written the way all programs write it, within the declared size of the sheet,
counting them is a proof. Anything else is not, and is examined more slowly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.source.limits import MOST_COLUMNS, MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIZE: Final = re.compile(rb'<dimension ref="[A-Z]+\d+:([A-Z]{1,3})(\d{1,7})"')
_HEAD: Final = 4096
_SAMPLE: Final = 1 << 16
_NAMED: Final = re.compile(rb'<c r="([A-Z]{1,3})\d')
_TAG: Final = r"<(?:[^<>\s/]*:)?c[\s/>]"
"""The tag of a cell, however it is written."""
_CELL: Final = re.compile(rb"<(?:[^<>\s/]*:)?c(?=[\s>])([^<>]*)(?<!/)>(?!\s*</)")
"""A non-empty cell."""
_ROW: Final = re.compile(rb"<(?:[^<>\s/]*:)?row[\s>]")
_PLACE: Final = re.compile(rb"\sr\s*=\s*[\"']([A-Za-z]+)(\d+)[\"']")


class Extent(NamedTuple):
    """Rows and columns up to the last cell, the number of cells, and of those with a shared string.

    `is_proven`: there is certainly no other cell.
    """

    rows: int
    columns: int
    filled: int
    shared: int = 0
    is_proven: bool = False


class CellCount:
    """Counts the cells of a sheet, whose XML is given in windows that end between two tags."""

    def __init__(self) -> None:
        self._rows, self._columns = MOST_ROWS, 0
        self._pattern = ""
        self._filled = 0
        self._shared = 0
        self._is_proven = True

    def look(self, window: bytes, *, prefixed: bool = True) -> None:
        """Count the cells in the next window. `prefixed`: one may be written with a prefix."""
        if not self._is_proven or not window:
            return
        if not self._pattern:
            self._begin(window)
        try:
            text = pl.Series([window], dtype=pl.Binary).cast(pl.String).str
            plain = text.count_matches(self._pattern).item()
        except pl.exceptions.PolarsError:  # not UTF-8
            self._is_proven = False
            return
        is_odd = b"\0" in window or (prefixed and b":c" in window) or window.count(b"<c") != plain
        if is_odd and (b"\0" in window or text.count_matches(_TAG).item() != plain):
            self._is_proven = False
        self._filled += plain
        self._shared += window.count(b' t="s"')

    def found(self) -> Extent:
        """The result."""
        return Extent(self._rows, self._columns, self._filled, self._shared, self._is_proven)

    def _begin(self, window: bytes) -> None:
        size = _SIZE.search(window, 0, _HEAD)
        if size:
            self._columns, self._rows = column_number(size[1]), int(size[2])
        else:
            named = _NAMED.finditer(window, 0, _SAMPLE)
            self._columns = max((column_number(cell[1]) for cell in named), default=26)
        column = _column_up_to(column_letters(self._columns))
        self._pattern = f'<c r="(?:{column})(?:{_number_up_to(str(self._rows))})"'


def extent_of(windows: Iterable[bytes]) -> Extent:
    """The extent of the non-empty cells, and their number, however they are written.

    Cells without a reference follow the previous one.
    """
    rows = columns = filled = in_row = last = 0
    for window in windows:
        for at, part in enumerate(_ROW.split(window)):
            in_row = 0 if at else in_row
            last += 1 if at else 0
            for cell in _CELL.finditer(part):
                filled, in_row = filled + 1, in_row + 1
                place = _PLACE.search(cell[1])
                columns = max(columns, column_number(place[1].upper()[:4]) if place else in_row)
                rows = max(rows, int(place[2][:8]) if place else last)
    return Extent(rows, columns, filled)


def is_on_sheet(found: Extent) -> bool:
    """Whether the cells are within the maximum size of a sheet."""
    return found.rows <= MOST_ROWS and found.columns <= MOST_COLUMNS


def column_number(letters: bytes) -> int:
    """The number of a column: AAA is 703."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def column_letters(number: int) -> str:
    """The letters of a column: 703 is AAA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _number_up_to(most: str) -> str:
    """A pattern for the numbers from 1 to `most`."""
    shorter = [f"[1-9][0-9]{{0,{len(most) - 2}}}"] if len(most) > 1 else []
    return "|".join([*shorter, *_up_to(most, "1", "0", "9")])


def _column_up_to(most: str) -> str:
    """A pattern for the columns from A to `most`."""
    shorter = [f"[A-Z]{{1,{len(most) - 1}}}"] if len(most) > 1 else []
    return "|".join([*shorter, *_up_to(most, "A", "A", "Z")])


def _up_to(most: str, first: str, low: str, high: str) -> list[str]:
    """Patterns for words of the length of `most` that do not exceed it."""
    found = [most]
    for at, sign in enumerate(most):
        lowest = low if at else first
        if sign > lowest:
            rest = len(most) - at - 1
            below = chr(ord(sign) - 1)
            found.append(f"{most[:at]}[{lowest}-{below}][{low}-{high}]{{{rest}}}")
    return found
