"""What a spreadsheet may cost. An honest one never meets these: Excel's own size passes."""

from __future__ import annotations

from typing import Final

from rdimport.core.errors import SourceError

MOST_ROWS: Final = 1 << 20
MOST_COLUMNS: Final = 1 << 14
"""Of a sheet, as in Excel; a text file may have as many columns, and any number of rows."""

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
MOST_RATIO: Final = 400
"""From so many bytes on, unpacked ones are refused where they are more than so many times the
packed ones. Lists shrink to a tenth, in the extreme to a hundredth."""

MOST_MEMBERS: Final = 10_000
MOST_OPENED: Final = 100
"""Files in an archive, and those of them that are opened to see whether they are lists."""

HARMFUL: Final = "{name} is damaged or made to do harm"
HARMFUL_PT: Final = "{name} está danificado ou foi feito para causar dano"
ASK_ITS_SENDER: Final = "Ask whoever sent it for a new export, as xlsx or csv."


def harmful(name: str, why: str = "") -> SourceError:
    """What is told of a file that costs more than any list could, or that kills its reader."""
    told = HARMFUL.format(name=name)
    return SourceError(f"{told}: {why}." if why else f"{told}.", ASK_ITS_SENDER)


def is_vast(rows: int, columns: int, filled: int) -> bool:
    """Whether the rectangle around so many filled cells is out of all proportion."""
    return rows * columns > SPARSE + FILLED_ONE_IN * filled


def vast(where: str) -> SourceError:
    """A cell far off makes a rectangle that no memory holds."""
    return SourceError(
        f"{where} has a filled cell far to the right of or below all others.",
        "Delete the columns and rows outside of the table, or copy it to a new sheet.",
    )
