"""Inspects compound files, the container of Office up to 2003, which may or may not hold a
spreadsheet.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdimport.core.messages import _
from rdimport.source.refusals import no_table, protected_workbook

if TYPE_CHECKING:
    from rdimport.source.files import InputFile

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BIFF: Final = re.compile(rb"\x09[\x00\x02\x04\x08][\x04\x06\x08\x10]\x00[\x00-\x0f]")
"""The first record of an xls file without a container."""


def refuse_no_xls(file: InputFile) -> None:
    """Raise SourceError for a file that is not xls, or is protected by a password."""
    from rdimport.source.sheets.xls_flags import is_protected  # noqa: PLC0415

    data = file.whole()
    if _utf16("EncryptedPackage") in data or is_protected(data):
        raise protected_workbook(file.name)
    if _utf16("Workbook") in data or _utf16("Book") in data or BIFF.match(data):
        return
    if _utf16("WordDocument") in data or _utf16("PowerPoint Document") in data:
        raise no_table(file.name, _("a text document or a presentation"))
    raise no_table(file.name, _("a file of an unknown kind"))


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")
