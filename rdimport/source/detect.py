"""What a file really is. Its content decides, not its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.source.files import InputFile

if TYPE_CHECKING:
    from rdimport.source import Hints, Table

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def open_table(path: str, index: int, hints: Hints) -> Table:
    """Open the table in one file. Raises SourceError for what cannot be read."""
    file = InputFile(path, Path(path))
    head = file.head(8)
    if head.startswith((_ZIP, _OLE)):
        from rdimport.source.workbook import WorkbookTable  # noqa: PLC0415  costs an import

        return WorkbookTable(file, index, hints, _kind(head, path))
    from rdimport.source.text import TextTable  # noqa: PLC0415

    return TextTable(file, index, hints)


def _kind(head: bytes, path: str) -> str:
    if head.startswith(_OLE):
        return "xls"
    suffix = Path(path).suffix.lower().removeprefix(".")
    return suffix if suffix in ("xlsm", "xlsb", "ods") else "xlsx"
