"""What is said of a file that no table can be read from, whatever its format."""

from __future__ import annotations

from pathlib import PurePath

from rdimport.core.errors import SourceError
from rdimport.core.messages import _


def harmful(name: str, why: str = "") -> SourceError:
    """A file that costs more than any list could, or that kills its reader."""
    message = _("{name} is damaged or made to do harm", name=name)
    return SourceError(
        f"{message}: {why}." if why else f"{message}.",
        _("Ask whoever sent it for a new export, as xlsx or csv."),
    )


def vast(where: str) -> SourceError:
    """A cell far off makes a rectangle that no memory holds."""
    return SourceError(
        _("{where} has a filled cell far to the right of or below all others.", where=where),
        _("Delete the columns and rows outside of the table, or copy it to a new sheet."),
    )


def no_table(name: str, what: str) -> SourceError:
    """A file of another kind, whatever its name says."""
    suffix = PurePath(name).suffix
    whatever = _(", whatever {suffix} says", suffix=suffix) if suffix else ""
    return SourceError(
        _(
            "{name} is {what}, not a spreadsheet{whatever}.",
            name=name,
            what=what,
            whatever=whatever,
        ),
        _("Export the contacts as xlsx or csv and import that."),
    )
