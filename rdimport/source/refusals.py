"""Errors for files from which no table can be read, whatever their format."""

from __future__ import annotations

from pathlib import PurePath

from rdimport.core.errors import SourceError
from rdimport.core.messages import _


def harmful(name: str, why: str = "") -> SourceError:
    """The error for a file that would use excessive resources, or that crashes its reader."""
    message = _("{name} is damaged or malicious", name=name)
    return SourceError(
        f"{message}: {why}." if why else f"{message}.",
        _("Ask whoever sent it for a new export, as xlsx or csv."),
    )


def vast(where: str) -> SourceError:
    """The error for a distant cell that would make the sheet's rectangle exceed memory."""
    return SourceError(
        _("{where} has a filled cell far to the right of or below all others.", where=where),
        _("Delete the columns and rows outside of the table, or copy it to a new sheet."),
    )


def too_large(name: str, most: int) -> SourceError:
    """The error for a download of more than `most` bytes."""
    return SourceError(
        _("{name} is larger than {most} MiB, too large for a list.", name=name, most=most >> 20),
        _("Check the address, or download the list, split it and name the files."),
    )


def no_table(name: str, what: str) -> SourceError:
    """The error for a file of another kind, whatever its name."""
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


def protected_workbook(name: str) -> SourceError:
    """The error for a workbook that only opens with a password."""
    return SourceError(
        _("{name} is protected by a password.", name=name),
        _("Open it in a spreadsheet program and save a copy without a password."),
    )


def damaged_workbook(name: str, kind: str) -> SourceError:
    """The error for a workbook that cannot be read."""
    return SourceError(
        _("{name} is a damaged workbook ({kind}).", name=name, kind=kind),
        _("Open it in a spreadsheet program, which can often repair it, and save it again."),
    )
