"""What an xlsx file says about a sheet beside its values: hidden rows, errors, empty formulas."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.etree import ElementTree as ET

from rdimport.source.row_filter import error_note

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

    from rdimport.source.files import InputFile

_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MARKS: Final = {
    "hidden": (b' hidden="', re.compile(rb'<row\b[^>]*\bhidden="(?:1|true)"')),
    "error": (b' t="e"', re.compile(rb'<c\b[^>]*\bt="e"')),
    "formula": (b"<f", re.compile(rb"(?:</f>|<f\b[^>]*/>)(?:<v>\s*</v>|<v\s*/>)?</c>")),
    "filter": (b"<autoFilter", re.compile(rb"<autoFilter\b")),
}
"""What to look for, and what is quicker to look for first."""
_SIZE: Final = re.compile(rb'<dimension ref="[A-Z]+\d+:([A-Z]+)\d+"')
_ROWS: Final = re.compile(rb'<row\b[^>]*\br="(\d{1,7})"')
_FAR: Final = re.compile(rb'<c\b[^>/]*\br="([A-Z]{3})\d+"[^>/]*>')
"""A cell that is filled and lies beyond column ZZ."""
_PLACE: Final = re.compile(rb'\bref="([A-Z]{1,3})(\d{1,7})(?::([A-Z]{1,3})(\d{1,7}))?"')
_LINK: Final = re.compile(rb'\br?:?id="([^"]+)"')
_MOST_ROWS: Final = 1 << 20
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 4096
"""Bytes that two looks have in common, so that no mark is cut in two."""


class Marks(NamedTuple):
    """How often each mark stands in a sheet, and how many cells its table would have."""

    counts: Counter[str]
    cells: int


def xlsx_marks(file: InputFile, sheet: str) -> Marks:
    """What stands in the sheet's XML; nothing where the package is not laid out as usual."""
    with file.package() as package:
        part = _part(package, sheet)
        return _count(package, part) if part else Marks(Counter(), 0)


def xlsx_mail_links(file: InputFile, sheet: str) -> list[tuple[int, int]]:
    """Row and column, from 0, of the sheet's cells that link to an e-mail address."""
    with file.package() as package:
        part = _part(package, sheet)
        folder, _, name = part.rpartition("/")
        try:
            links = ET.fromstring(package.read(f"{folder}/_rels/{name}.rels"))  # noqa: S314
        except (KeyError, ET.ParseError):
            return []
        is_mail = {link.get("Id", "") for link in links if _is_mail(link.get("Target", ""))}
        return list(_linked(package, part, is_mail)) if is_mail else []


def _is_mail(target: str) -> bool:
    return target.lower().startswith("mailto:")


def _linked(package: zipfile.ZipFile, part: str, ids: set[str]) -> Iterator[tuple[int, int]]:
    """The cells whose link is one of these; links stand behind the rows, each in an element."""
    held = b""
    with package.open(part) as stream:
        while data := stream.read(_CHUNK):
            *links, held = (held + data).split(b"<hyperlink ")
            for link in links:
                yield from _cells_of(link, ids)
            held = held[-_CHUNK:]
    yield from _cells_of(held, ids)


def _cells_of(link: bytes, ids: set[str]) -> Iterator[tuple[int, int]]:
    place = _PLACE.search(link.partition(b">")[0])
    name = _LINK.search(link.partition(b">")[0])
    if place and name and name[1].decode("utf-8", "replace") in ids:
        last = int(place[4] or place[2])
        for row in range(int(place[2]), min(last, _MOST_ROWS) + 1):
            yield row - 1, _column(place[1]) - 1


def _part(package: zipfile.ZipFile, sheet: str) -> str:
    """The path of the sheet's part, through the workbook's relationships."""
    try:
        book = ET.fromstring(package.read("xl/workbook.xml"))  # noqa: S314  expat limits entities
        links = ET.fromstring(package.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    except (KeyError, ET.ParseError):
        return ""
    ids = {s.get("name"): s.get(f"{_REL}id") for s in book.iter(f"{_MAIN}sheet")}
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    target = targets.get(ids.get(sheet), "")
    part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return part if part in package.namelist() else ""


def _count(package: zipfile.ZipFile, part: str) -> Marks:
    """Look at the part piece by piece. A mark counts where it begins, so never twice."""
    found: Counter[str] = Counter()
    held, last_row, last_column = b"", 1, 1
    is_narrow = False
    with package.open(part) as stream:
        while True:
            data = stream.read(_CHUNK)
            held += data
            limit = len(held) - (_OVERLAP if data else 0)
            found.update(_begun(held, limit))
            is_narrow = is_narrow or _says_it_is_narrow(held)
            if not is_narrow:
                rows = (int(row[1]) for row in _ROWS.finditer(held[-_OVERLAP:]))
                last_row = max(last_row, *rows, 1)
                far = (_column(cell[1]) for cell in _FAR.finditer(held))
                last_column = max(last_column, *far, 1)
            held = held[max(limit, 0) :]
            if not data:
                return Marks(found, last_row * last_column)


def _says_it_is_narrow(head: bytes) -> bool:
    """Does the sheet's own note of its size end before column AAA? Far cells needn't be sought."""
    size = _SIZE.search(head, 0, _OVERLAP)
    return size is not None and len(size[1]) < 3


def _begun(window: bytes, limit: int) -> Iterator[str]:
    for mark, (hint, pattern) in _MARKS.items():
        if hint not in window:
            continue
        for match in pattern.finditer(window):
            if match.start() >= limit:
                break
            yield mark


def _column(letters: bytes) -> int:
    """The number of a column: AAA is 703."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def sentences(found: Counter[str]) -> Iterator[str]:
    """What the counts of `hidden`, `filter`, `error` and `formula` mean to a person."""
    if found["hidden"]:
        why = "hidden or filtered out" if found["filter"] else "hidden"
        yield f"{found['hidden']} row(s) are {why} in the sheet; they are imported all the same."
    if found["error"]:
        yield error_note(found["error"])
    if found["formula"]:
        yield (
            f"{found['formula']} formula(s) have no stored result, so their cells are empty; open "
            "the workbook in a spreadsheet program and save it to have them."
        )
