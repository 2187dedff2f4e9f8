"""Detects the format of a file by its content, not by its name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import SourceError
from rdimport.core.messages import _, untranslated
from rdimport.source.archive import the_list
from rdimport.source.failure_report import sheet_hints, text_hints
from rdimport.source.files import InputFile, input_files
from rdimport.source.ole import BIFF, OLE
from rdimport.source.other_kinds import refuse_other_kinds
from rdimport.source.refusals import no_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source.port import Hints, Table
    from rdimport.source.sheets.book import Book

_ZIP: Final = b"PK\x03\x04"
_PARQUET: Final = b"PAR1"
_NO_TABLES: Final = (
    (b"%PDF", untranslated("a PDF document")),
    (b"\x89PNG", untranslated("a picture")),
    (b"\xff\xd8\xff", untranslated("a picture")),
    (b"GIF8", untranslated("a picture")),
    (b"BM", untranslated("a picture")),
    (b"RIFF", untranslated("a picture or a recording")),
    (b"II*\x00", untranslated("a picture")),
    (b"MM\x00*", untranslated("a picture")),
    (b"SQLite format 3", untranslated("a database")),
    (b"PARE", untranslated("an encrypted Parquet file")),
    (b"{\\rtf", untranslated("a text document")),
    (b"Rar!", untranslated("a RAR archive")),
    (b"7z\xbc\xaf", untranslated("a 7-Zip archive")),
    (b"\xfd7zXZ", untranslated("an xz archive")),
    (b"\x7fELF", untranslated("a program")),
    (b"MZ\x90", untranslated("a program")),
)
_HEAD: Final = 1 << 16


def open_all(paths: Sequence[str], hints: Hints) -> tuple[Table, ...]:
    """Open every table that the names refer to, in order. Raises SourceError."""
    tables: list[Table] = []
    for file in input_files(paths, hints):
        at = len(tables)
        tables += open_file(the_list(file, hints, open_file), at, hints)
    return tuple(tables)


def open_file(file: InputFile, index: int, hints: Hints) -> tuple[Table, ...]:
    """Open one file: usually one table, or all row sheets of a failure report.

    `index` is the position of its first table among all tables. Raises SourceError if it cannot be
    read.
    """
    head = file.head(_HEAD)
    for magic, what in _NO_TABLES:
        if head.startswith(magic) and _is_binary(head, magic):
            raise no_table(file.name, _(what))
    if head.startswith((_ZIP, OLE)) or BIFF.match(head):
        return _open_workbook(file, index, hints, head)
    if b'="urn:schemas-microsoft-com:office:spreadsheet"' in head and b"<Workbook" in head:
        return _sheets(file, index, hints, _isolated(file, "xml"))
    if _looks_like_html(head):
        return _sheets(file, index, hints, _isolated(file, "html"))
    if head.startswith(_PARQUET) and _is_binary(head, _PARQUET):
        return _open_parquet(file, index, hints)
    refuse_other_kinds(file.name, head)
    from rdimport.source.text.table import TextTable  # noqa: PLC0415

    return (TextTable(file, index, text_hints(head, hints)),)


def _sheets(file: InputFile, index: int, hints: Hints, book: Book) -> tuple[Table, ...]:
    from rdimport.source.sheets.table import GridTable, several_sheets  # noqa: PLC0415  costs its imports

    def first_row(sheet: str) -> tuple[str | None, ...]:
        """The first row of a sheet that has rows below it."""
        cells = book.read(sheet).cells
        return cells.row(0)[1:] if cells.height > 1 else ()

    hinted = sheet_hints(book.sheets, first_row, hints)
    hinted = several_sheets(book, hints, file.name) if hinted == (hints,) else hinted
    return tuple(GridTable(file, at, hint, book) for at, hint in enumerate(hinted, start=index))


def _open_workbook(file: InputFile, index: int, hints: Hints, head: bytes) -> tuple[Table, ...]:
    kind = _zip_kind(file) if head.startswith(_ZIP) else "ole"
    if kind not in ("xlsx", "xlsm"):
        return _sheets(file, index, hints, _isolated(file, kind))
    from rdimport.source.sheets.xlsx import XlsxBook  # noqa: PLC0415  costs its imports

    return _sheets(file, index, hints, XlsxBook(file, kind))


def _open_parquet(file: InputFile, index: int, hints: Hints) -> tuple[Table, ...]:
    """Its one table, whose header is known; a mapping may name the sheet of another format."""
    from rdimport.source.sheets.table import GridTable  # noqa: PLC0415  costs its imports

    header = 0 if hints.header_row == 0 else 1
    known = replace(hints, header_row=header, sheet=None, sheets=None)
    return (GridTable(file, index, known, _isolated(file, "parquet")),)


def _isolated(file: InputFile, kind: str) -> Book:
    from rdimport.source.sheets.isolated import IsolatedBook  # noqa: PLC0415  costs its imports

    return IsolatedBook(file, kind)


def _zip_kind(file: InputFile) -> str:
    with file.package() as package:
        names = set(package.namelist())
    if "content.xml" in names:
        return "ods"
    if "xl/workbook.bin" in names:
        return "xlsb"
    if "xl/vbaProject.bin" in names:
        return "xlsm"
    if any(name.startswith("xl/") for name in names):
        return "xlsx"
    if any(name.startswith(("word/", "ppt/")) for name in names):
        raise no_table(file.name, _("a text document or a presentation"))
    raise SourceError(
        _(
            "{name} is an archive inside another, or a workbook of an unknown kind.",
            name=file.name,
        ),
        _("Unpack it, or save the spreadsheet as xlsx or csv."),
    )


def _is_binary(head: bytes, magic: bytes) -> bool:
    """Whether the content is binary. A text file may begin like a picture (`BM;Nome`), but has no
    control characters.
    """
    return len(magic) > 3 or any(byte < 9 for byte in head[:512])


def _looks_like_html(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").replace(b"\x00", b"")[:4096].lower()
    if not start.startswith(b"<"):
        return False
    is_page = re.match(rb"<(?:!doctype html|html|head|body|meta|style|table|div)\b", start)
    return bool(is_page) or b"<html" in start or b"<table" in start
