"""Checks that an xlsx package has the usual structure: every part exists once, has its declared
size, and is not too large. Then a library finds in it what was counted here.
"""

from __future__ import annotations

import os
import struct
import zipfile
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.source.limits import MOST_PART
from rdimport.source.sheets.xlsx_flags import unpacked, xml_part

if TYPE_CHECKING:
    from rdimport.source.files import InputFile

_END: Final = struct.Struct("<4s4H2LH")
_TEXTS: Final = "xl/sharedStrings.xml"
_SHEETS: Final = "xl/worksheets/"
_UNREAD: Final = ("xl/media/", "xl/embeddings/", "xl/drawings/", "docProps/", "customXml/")
"""Parts that no reader of cells opens."""
_FREE: Final = 64 << 20
_RATIO: Final = 100
_MOST_TEXTS: Final = 256 << 20
_LONGEST: Final = 1 << 18
_TEXT: Final = b"<si"
_TEXT_ENDS: Final = b"</si>"
_MARKUP: Final = len("<si><t></t>")
"""Bytes at least around a text, without `_TEXT_ENDS`."""


class Texts(NamedTuple):
    """The shared strings: their number, and the maximum bytes of one of them."""

    number: int
    longest: int


def texts_of_plain(file: InputFile) -> Texts | None:
    """The shared strings of a package with the usual structure; None for any other."""
    with file.package() as package:
        if not _is_plain(package, file) or not _has_plain_links(package):
            return None
        for info in package.infolist():
            if info.filename.startswith((_SHEETS, *_UNREAD)) or info.filename == _TEXTS:
                continue
            if info.file_size > MOST_PART or _size(package, info) != info.file_size:
                return None
        if _TEXTS not in package.namelist():
            return Texts(0, 0)
        return _texts(package, package.getinfo(_TEXTS))


def _is_plain(package: zipfile.ZipFile, file: InputFile) -> bool:
    """Whether it has one directory, at its end, unique names and plausible ratios."""
    if file.packed:
        return False
    infos = package.infolist()
    with file.path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(size - _END.size)
        mark, disk, _, here, count, length, start, comment = _END.unpack(stream.read(_END.size))
    is_usual = (mark, disk, comment) == (b"PK\5\6", 0, 0) and here == count == len(infos)
    names = {info.filename.replace("\\", "/").casefold() for info in infos}
    unpacked = sum(info.file_size for info in infos)
    methods = {info.compress_type for info in infos}
    return (
        is_usual
        and start + length + _END.size == size
        and len(names) == count
        and methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
        and unpacked <= _FREE + _RATIO * size
    )


def _has_plain_links(package: zipfile.ZipFile) -> bool:
    """Whether each sheet and relationship is there once, and the shared strings in place."""
    book = xml_part(package, "xl/workbook.xml")
    links = xml_part(package, "xl/_rels/workbook.xml.rels")
    if book is None or links is None:
        return False
    names = [node.get("name") for node in book.iterfind(".//{*}sheet")]
    ids = [link.get("Id") for link in links]
    texts = [
        link.get("Target") for link in links if link.get("Type", "").endswith("/sharedStrings")
    ]
    return (
        len(set(names)) == len(names)
        and len(set(ids)) == len(ids)
        and all(
            str(target).lstrip("/").removeprefix("xl/") == "sharedStrings.xml" for target in texts
        )
    )


def _size(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    return sum(len(data) for data in unpacked(package, info))


def _texts(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> Texts | None:
    count, size, longest = 0, 0, 0
    held = b""
    for data in unpacked(package, info):
        size += len(data)
        *texts, held = (held + data).split(_TEXT_ENDS)
        if texts and not count:
            texts[0] = texts[0][max(texts[0].find(_TEXT), 0) :]  # before it, there is no text
        count += len(texts)
        longest = max(longest, len(held), *map(len, texts))
        if longest > _LONGEST:
            return None
    if size != info.file_size or size > _MOST_TEXTS:
        return None
    return Texts(count, max(longest - _MARKUP, 0))
