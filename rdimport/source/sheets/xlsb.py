"""What the library does not say about an xlsb file, or does not read in it.

Its parts are sequences of records: type and size, in groups of seven bits, followed by the content.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from rdimport.source.row_filter import ErrorCells
from rdimport.source.sheets.merged_cells import Merged
from rdimport.source.sheets.xlsx_cells import Extent, column_letters
from rdimport.source.sheets.xlsx_flags import Marks, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdimport.source.files import InputFile

_ROW, _ERROR, _FORMULA_ERROR, _BUNDLE, _FILTER, _MERGED = 0, 3, 11, 156, 161, 176
"""BrtRowHdr, BrtCellError, BrtFmlaError, BrtBundleSh, BrtBeginAFilter, BrtMergeCell of [MS-XLSB].
"""
_CELLS: Final = frozenset(range(1, 12))
"""BrtCellBlank to BrtFmlaError: each begins with its column, as BrtRowHdr does with its row."""
_SHORT: Final = {12: 1, 13: 2, 14: 3, 15: 4, 16: 5, 17: 6, 18: 7}
"""BrtShortBlank to BrtShortIsst, each in the column after the previous cell, and the corresponding
cell with a column.
"""
_SHEET: Final = re.compile(r"xl/worksheets/[^/]+\.bin")
_ERRORS: Final = (_ERROR, _FORMULA_ERROR, 14)
_HIDDEN: Final = 0x10
"""fDyZero in the row's flags: zero height. The flags follow row, style, height and one byte."""
_FLAGS_AT: Final = 11


def xlsb_marks(file: InputFile, sheet: str) -> Marks:
    """Hidden rows, error cells and merged cells of a sheet; none for an unusual file."""
    found: Counter[str] = Counter()
    with file.package() as package:
        try:
            links = ET.fromstring(package.read("xl/_rels/workbook.bin.rels"))  # noqa: S314
            book = package.read("xl/workbook.bin")
            data = package.read(target_of(links, _link_of(book, sheet)))
        except (KeyError, ET.ParseError):
            return Marks(found, Extent(0, 0, 0))
    row = column = place = -1
    cells = 0
    first = ErrorCells()
    merged: list[Merged] = []
    for kind, at, size in _records(data):
        if kind == _ROW:
            row, place = max(row, int.from_bytes(data[at : at + 4], "little")), -1
        elif kind in _CELLS or kind in _SHORT:
            there = kind in _CELLS
            place = int.from_bytes(data[at : at + 4], "little") if there else place + 1
            column = max(column, place)
            cells += 1
        if kind == _ROW and size > _FLAGS_AT and data[at + _FLAGS_AT] & _HIDDEN:
            found["hidden"] += 1
        elif kind in _ERRORS:
            found["error"] += 1
            first = first if first.cells else ErrorCells(1, (row + 1, column_letters(place + 1)))
        elif kind == _FILTER:
            found["filter"] += 1
        elif kind == _MERGED and size >= 12:
            top, bottom, left = struct.unpack_from("<III", data, at)
            merged.append(Merged(top + 1, bottom + 1, left))
    extent = Extent(row + 1, column + 1, cells)
    return Marks(found, extent, first._replace(cells=found["error"]), tuple(merged))


def _link_of(book: bytes, sheet: str) -> str | None:
    """The relationship of the sheet's part: state and number, then two texts with their length."""
    for kind, at, size in _records(book):
        if kind == _BUNDLE:
            link, after = _text(book[at : at + size], 8)
            name, _ = _text(book[at : at + size], after)
            if name == sheet:
                return link
    return None


def _text(content: bytes, at: int) -> tuple[str, int]:
    length = int.from_bytes(content[at : at + 4], "little")
    end = at + 4 + 2 * length
    return content[at + 4 : end].decode("utf-16-le", "replace"), end


def _records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(type, start of content, size) of each record."""
    at = 0
    while at + 1 < len(data):
        kind, at = data[at], at + 1
        if kind & 0x80:
            kind, at = kind & 0x7F | data[at] << 7, at + 1
        size = 0
        for group in range(4):
            if at >= len(data):
                return
            size |= (data[at] & 0x7F) << 7 * group
            at += 1
            if not data[at - 1] & 0x80:
                break
        yield kind, at, size
        at += size


def with_columns(file: InputFile) -> bytes | None:
    """The workbook with a column in each cell; None if no change is needed.

    Excel writes no short cells, and calamine ignores them: each row would have its first cell only.
    """
    with file.package() as package:
        parts = {info: package.read(info) for info in package.infolist()}
    sheets = {info: data for info, data in parts.items() if _SHEET.fullmatch(info.filename)}
    if not any(kind in _SHORT for data in sheets.values() for kind, _, _ in _records(data)):
        return None
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as whole:
        for info, data in parts.items():
            whole.writestr(info.filename, b"".join(_long(data)) if info in sheets else data)
    return written.getvalue()


def _long(data: bytes) -> Iterator[bytes]:
    """The records of a sheet, with long cells in place of short ones."""
    column, begin = -1, 0
    for kind, at, size in _records(data):
        end = at + size
        if kind in _SHORT:
            column += 1
            content = column.to_bytes(4, "little") + data[at:end]
            yield bytes([_SHORT[kind]]) + _size(len(content)) + content
        else:
            if kind == _ROW:
                column = -1
            elif kind in _CELLS:
                column = int.from_bytes(data[at : at + 4], "little")
            yield data[begin:end]
        begin = end


def _size(number: int) -> bytes:
    """Encode a size in groups of seven bits."""
    groups = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        groups.append(low | 0x80 if number else low)
        if not number:
            return bytes(groups)
