"""Limits on what a spreadsheet may use. Legitimate files, up to Excel's own size, pass."""

from __future__ import annotations

from typing import Final

MOST_ROWS: Final = 1 << 20
MOST_COLUMNS: Final = 1 << 14
"""Columns of a sheet or text file, as in Excel; the number of rows of a text file is unlimited."""

LONGEST_HEADING: Final = (1 << 15) - 1
"""Characters of a heading, as of any cell in Excel."""

MOST_SHEETS: Final = 1_000
"""Sheets of a workbook, or tables of a page, that are searched for the right one."""

SPARSE: Final = 10_000_000
FILLED_ONE_IN: Final = 4
"""Empty cells that a table may always have, and how many for each filled one."""

MOST_MARKUP: Final = 1 << 20
"""Bytes of XML or HTML without a tag; a cell has at most 32,767 characters."""

MOST_PART: Final = 16 << 20
"""Decompressed bytes of a workbook part other than a sheet or the shared strings."""

MOST_WHOLE: Final = 256 << 20
"""Decompressed bytes of a file or archive member that has to be read at once."""

UNPACKED_FREE: Final = 256 << 20
MOST_RATIO: Final = 200
"""Decompressed size from which a ratio is enforced, and the largest ratio to the compressed size.
Lists shrink to a tenth, in extreme cases to a hundredth.
"""

MOST_MEMBERS: Final = 10_000
MOST_OPENED: Final = 100
"""Files in an archive, and how many of them are opened to find the list."""


def is_vast(rows: int, columns: int, filled: int) -> bool:
    """Whether the bounding rectangle is out of proportion to the number of filled cells."""
    return rows * columns > SPARSE + FILLED_ONE_IN * filled
