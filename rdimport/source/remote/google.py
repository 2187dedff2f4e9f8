"""Converts the browser address of a Google spreadsheet to the address of an export."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from rdimport.core.errors import SourceError
from rdimport.core.messages import _

_SHEET: Final = re.compile(
    r"/spreadsheets/(?:u/\d+/)?d/(?P<published>e/)?(?P<id>[A-Za-z0-9_-]{10,})(?:/|$)"
)
_FILE: Final = re.compile(r"/file/(?:u/\d+/)?d/(?P<id>[A-Za-z0-9_-]{10,})(?:/|$)")


class Export(NamedTuple):
    """The address of an export, and its file name."""

    address: str
    name: str


def export_of(address: str, *, all_sheets: bool) -> Export | None:
    """The export of a spreadsheet; None for any other address.

    The sheet in the address is exported as CSV, which has the cells as displayed. With
    `all_sheets`, or for an address without a sheet, the workbook is exported as xlsx.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" or parts.hostname not in ("docs.google.com", "drive.google.com"):
        return None
    file = _FILE.match(parts.path)
    if file:
        where = f"https://drive.google.com/uc?export=download&id={file['id']}"
        return Export(where, f"https://drive.google.com/file/d/{file['id']}")
    sheet = _SHEET.match(parts.path)
    if not sheet:
        return None
    shown = parse_qs(parts.fragment).get("gid") or parse_qs(parts.query).get("gid")
    gid = shown[0] if shown and shown[0].isdigit() and not all_sheets else None
    page = f"https://docs.google.com/spreadsheets/d/{sheet['published'] or ''}{sheet['id']}"
    if sheet["published"]:
        end = "/pub?output=" + (f"csv&single=true&gid={gid}" if gid else "xlsx")
    else:
        end = "/export?format=" + (f"csv&gid={gid}" if gid else "xlsx")
    return Export(page + end, page)


def refuse_login(name: str) -> SourceError:
    """The error for a spreadsheet that requires a login."""
    return SourceError(
        _("{name} is private: Google responds with a login page, not with the list.", name=name),
        _(
            "Share it (Share > General access > Anyone with the link > Viewer), or download it "
            "(File > Download > Microsoft Excel) and name the file."
        ),
    )
