"""What a spreadsheet may cost. An honest one never meets these: Excel's own size passes."""

from __future__ import annotations

from typing import Final

MOST_ROWS: Final = 1 << 20
MOST_COLUMNS: Final = 1 << 14
"""Of a sheet, as in Excel; a text file may have as many columns, and any number of rows."""

MOST_SHEETS: Final = 1_000
"""Sheets of a workbook, or tables of a page, that are looked into for the one that is meant."""

SPARSE: Final = 10_000_000
FILLED_ONE_IN: Final = 4
"""A table is a rectangle. It may have so many empty cells, and more where one in four is filled."""

MOST_MARKUP: Final = 1 << 20
"""Bytes of XML or HTML without a tag: a cell has 32,767 characters at most."""

MOST_PART: Final = 16 << 20
"""Bytes, unpacked, of a part of a workbook that is no sheet and not its texts."""

MOST_WHOLE: Final = 256 << 20
"""Bytes, unpacked, of a compressed file or archive member that has to be read whole."""

UNPACKED_FREE: Final = 256 << 20
MOST_RATIO: Final = 200
"""From so many bytes on, unpacked ones are refused where they are more than so many times the
packed ones. Lists shrink to a tenth, in the extreme to a hundredth."""

MOST_MEMBERS: Final = 10_000
MOST_OPENED: Final = 100
"""Files in an archive, and those of them that are opened to see whether they are lists."""


def is_vast(rows: int, columns: int, filled: int) -> bool:
    """Whether the rectangle around so many filled cells is out of all proportion."""
    return rows * columns > SPARSE + FILLED_ONE_IN * filled
