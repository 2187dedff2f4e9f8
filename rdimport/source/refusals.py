"""What is said of a file that no table can be read from, whatever its format."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from rdimport.core.errors import SourceError

HARMFUL: Final = "{name} is damaged or made to do harm"
ASK_ITS_SENDER: Final = "Ask whoever sent it for a new export, as xlsx or csv."


def harmful(name: str, why: str = "") -> SourceError:
    """A file that costs more than any list could, or that kills its reader."""
    told = HARMFUL.format(name=name)
    return SourceError(f"{told}: {why}." if why else f"{told}.", ASK_ITS_SENDER)


def vast(where: str) -> SourceError:
    """A cell far off makes a rectangle that no memory holds."""
    return SourceError(
        f"{where} has a filled cell far to the right of or below all others.",
        "Delete the columns and rows outside of the table, or copy it to a new sheet.",
    )


def no_table(name: str, what: str) -> SourceError:
    """A file of another kind, whatever its name says."""
    suffix = PurePath(name).suffix
    whatever = f", whatever {suffix} says" if suffix else ""
    return SourceError(
        f"{name} is {what}, not a spreadsheet{whatever}.",
        "Export the contacts as xlsx or csv and import that.",
    )
