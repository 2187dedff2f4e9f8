"""Rewrites xlsb files with short cells, which follow the previous cell without naming their column.

Excel itself does not write them, and calamine ignores them: only the first cell of each row would
be left. So the sheets are rewritten with cells that name their column.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Final

from rdimport.source.sheets.xlsb_flags import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdimport.source.files import InputFile

_ROW: Final = 0
_CELLS: Final = range(1, 12)
_SHORT: Final = {12: 1, 13: 2, 14: 3, 15: 4, 16: 5, 17: 6, 18: 7}
"""Short cells of [MS-XLSB], BrtShortBlank to BrtShortIsst, and the corresponding cell with a
column.
"""
_SHEET: Final = re.compile(r"xl/worksheets/[^/]+\.bin")


def with_columns(file: InputFile) -> bytes | None:
    """The workbook with a column in each cell; None if no change is needed."""
    with file.package() as package:
        parts = {info: package.read(info) for info in package.infolist()}
    sheets = {info: data for info, data in parts.items() if _SHEET.fullmatch(info.filename)}
    if not any(kind in _SHORT for data in sheets.values() for kind, _, _ in records(data)):
        return None
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as whole:
        for info, data in parts.items():
            whole.writestr(info.filename, b"".join(_long(data)) if info in sheets else data)
    return written.getvalue()


def _long(data: bytes) -> Iterator[bytes]:
    """The records of a sheet, with long cells in place of short ones."""
    column, begin = -1, 0
    for kind, at, size in records(data):
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
