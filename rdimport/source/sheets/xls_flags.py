"""Flags of an xls file that its values do not show: a password, hidden rows, error cells,
merged cells.

An xls file is a small file system (compound file). Its stream `Workbook` is a sequence of records:
type and size, two bytes each, followed by the content.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING, Final

from rdimport.source.row_filter import ErrorCells
from rdimport.source.sheets.mail_links import Linked
from rdimport.source.sheets.merged_cells import Merged
from rdimport.source.sheets.xlsx_cells import Extent, column_letters
from rdimport.source.sheets.xlsx_flags import Marks

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC: Final = b"\xd0\xcf\x11\xe0"
_END: Final = 0xFFFFFFFA
"""Sector numbers from here on are special values, such as the end of a chain."""
_FILEPASS, _BOUNDSHEET, _EOF = 0x2F, 0x85, 0x0A
_STRINGS: Final = 0xFC
_DIMENSIONS: Final = 0x200
_CELLS: Final = frozenset({0x06, 0xBD, 0xD6, 0xFD, 0x203, 0x204, 0x205, 0x27E})
"""Record types of cells, which begin with row and column."""
_FORMULA, _BOOLERR, _ROW, _FILTER, _HLINK = 0x06, 0x0205, 0x0208, 0x9D, 0x01B8
_MERGED: Final = 0xE5


def is_protected(data: bytes) -> bool:
    """Whether the file is protected by a password."""
    return any(kind == _FILEPASS for kind, _, _ in _records(workbook_stream(data), 0))


def is_intact(data: bytes) -> bool:
    """Whether all sectors exist and the records are complete up to the workbook's end.

    A wrong size makes the library that reads the cells allocate more memory than there is, and that
    aborts the process.
    """
    stream = workbook_stream(data)
    if data.startswith(_MAGIC) and not _has_its_sectors(data):
        return False
    starts = [0]
    for kind, at, size in _records(stream, 0):
        if kind == _BOUNDSHEET and size >= 8:
            starts.append(struct.unpack_from("<I", stream, at)[0])
    try:
        return all(_ends(stream, start) for start in starts)
    except struct.error:
        return False


def _has_its_sectors(data: bytes) -> bool:
    if len(data) < 512:
        return False
    big, small = struct.unpack_from("<HH", data, 30)
    fat, minis, more = (struct.unpack_from("<I", data, at)[0] for at in (44, 64, 72))
    is_usual = big in (9, 12) and small == 6 and len(data) % 512 == 0
    return is_usual and max(fat, minis, more) <= len(data) >> big


def _ends(stream: bytes, start: int) -> bool:
    """Whether this part of the stream is complete and no record points outside of it."""
    kind = None
    for kind, at, size in _records(stream, start):
        if at + size > len(stream):
            return False
        if kind == _STRINGS and struct.unpack_from("<I", stream, at + 4)[0] > len(stream):
            return False
        if kind == _DIMENSIONS and size >= 14:
            top, bottom, left, right = struct.unpack_from("<IIHH", stream, at)
            if not (top <= bottom <= 1 << 16 and left <= right <= 256):
                return False
        if kind in _CELLS and struct.unpack_from("<H", stream, at + 2)[0] > 255:
            return False
    return kind == _EOF


def xls_marks(data: bytes, sheet: str) -> Marks:
    """The flags of a sheet; none for an unusual file."""
    stream = workbook_stream(data)
    start = _sheet_start(stream, sheet)
    found: Counter[str] = Counter()
    if start is None:
        return Marks(found, Extent(0, 0, 0))
    first = ErrorCells()
    merged: list[Merged] = []
    for kind, at, size in _records(stream, start):
        if kind == _ROW and size >= 16 and stream[at + 12] & 0x20:
            found["hidden"] += 1
        elif _holds_error(kind, stream[at : at + size]):
            found["error"] += 1
            row, column = struct.unpack_from("<HH", stream, at)
            first = first if first.cells else ErrorCells(1, (row + 1, column_letters(column + 1)))
        elif kind == _FILTER:
            found["filter"] += 1
        elif kind == _MERGED:
            merged += _merged(stream[at + 2 : at + size])
    errors = first._replace(cells=found["error"])
    return Marks(found, Extent(0, 0, 0), errors, tuple(merged))


def _merged(ranges: bytes) -> Iterator[Merged]:
    """Ranges of merged cells: first and last row, first and last column."""
    for top, bottom, left, _right in struct.iter_unpack("<HHHH", ranges[: len(ranges) // 8 * 8]):
        yield Merged(top + 1, bottom + 1, left)


def xls_mail_links(data: bytes, sheet: str) -> list[Linked]:
    """Cells of the sheet that link to an e-mail address."""
    stream = workbook_stream(data)
    start = _sheet_start(stream, sheet)
    found: list[Linked] = []
    for kind, at, size in _records(stream, len(stream) if start is None else start):
        target = stream[at : at + size].replace(b"\0", b"").lower()  # whether it is UTF-16
        if kind == _HLINK and size >= 8 and b"mailto:" in target:
            top, bottom, left = struct.unpack_from("<HHH", stream, at)
            found.append(Linked(top, bottom, left))
    return found


def _holds_error(kind: int, content: bytes) -> bool:
    if kind == _BOOLERR:
        return len(content) >= 8 and content[7] == 1
    return kind == _FORMULA and content[12:14] == b"\xff\xff" and content[6] == 2


def _records(stream: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """(type, start of content, size) up to the end of this part of the stream."""
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        yield kind, at + 4, size
        if kind == _EOF:
            return
        at += 4 + size


def _sheet_start(stream: bytes, sheet: str) -> int | None:
    for kind, at, size in _records(stream, 0):
        if kind != _BOUNDSHEET or size < 8:
            continue
        start, _, _, length, wide = struct.unpack_from("<IBBBB", stream, at)
        raw = stream[at + 8 : at + 8 + length * (2 if wide & 1 else 1)]
        if raw.decode("utf-16-le" if wide & 1 else "latin-1", "replace") == sheet:
            return int(start)
    return None


def workbook_stream(data: bytes) -> bytes:
    """The stream `Workbook` of a compound file; empty if there is none or it is broken.

    A file without a container is taken as the bare stream, as very old programs wrote it.
    """
    if not data.startswith(_MAGIC):
        return data
    if len(data) < 512 or struct.unpack_from("<H", data, 30)[0] not in (9, 12):
        return b""
    try:
        return _stream(data, ("Workbook", "Book"))
    except (struct.error, IndexError):
        return b""


def _stream(data: bytes, names: tuple[str, ...]) -> bytes:
    sector = 1 << struct.unpack_from("<H", data, 30)[0]
    directory, cutoff, mini_table = struct.unpack_from("<I4xII", data, 48)
    table = _table(data, sector)
    entries = _chain(data, table, directory, sector)
    root = b""
    for at in range(0, len(entries) - 127, 128):
        length = struct.unpack_from("<H", entries, at + 64)[0]
        name = entries[at : at + max(length - 2, 0)].decode("utf-16-le", "replace")
        start, size = struct.unpack_from("<II", entries, at + 116)
        if at == 0:
            root = _chain(data, table, start, sector)
        elif name in names and size >= cutoff:
            return _chain(data, table, start, sector)[:size]
        elif name in names:
            minis = _numbers(_chain(data, table, mini_table, sector))
            return _chain(b"\x00" * 64 + root, minis, start, 64)[:size]
    return b""


def _table(data: bytes, sector: int) -> list[int]:
    """The allocation table: the number of the next sector for each sector."""
    listed = list(struct.unpack_from("<109I", data, 76))
    more, count = struct.unpack_from("<II", data, 68)
    for _ in range(min(count, len(data) // sector)):
        part = _numbers(data[(more + 1) * sector : (more + 2) * sector])
        listed += part[:-1]
        more = part[-1]
    return _numbers(b"".join(data[(n + 1) * sector : (n + 2) * sector] for n in listed if n < _END))


def _chain(data: bytes, table: list[int], start: int, sector: int) -> bytes:
    parts: list[bytes] = []
    while start < _END and len(parts) <= len(table):
        parts.append(data[(start + 1) * sector : (start + 2) * sector].ljust(sector, b"\0"))
        start = table[start]
    return b"".join(parts)


def _numbers(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))
