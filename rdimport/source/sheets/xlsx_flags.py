"""Flags of an xlsx sheet besides its values: hidden rows, errors, formulas, merged cells."""

from __future__ import annotations

import re
from collections import Counter
from copy import copy
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.etree import ElementTree as ET

import polars as pl

from rdimport.core.ahead import ahead
from rdimport.core.messages import _, ngettext
from rdimport.source.limits import MOST_MARKUP, MOST_PART, MOST_ROWS, is_vast
from rdimport.source.refusals import harmful
from rdimport.source.row_filter import ErrorCells
from rdimport.source.sheets.mail_links import Linked
from rdimport.source.sheets.merged_cells import MOST_MERGED, Merged
from rdimport.source.sheets.xlsx_cells import CellCount, Extent, column_number, extent_of

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

    from rdimport.source.files import InputFile

_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MARKS: Final = {
    "hidden": ((b' hidden="',), re.compile(rb'<(?:\w+:)?row\b[^<>]*\bhidden="(?:1|true)"')),
    "error": ((b' t="e"',), re.compile(rb'<(?:\w+:)?c\b[^<>]*\bt="e"')),
    "formula": (
        (b"</f>", b"<f"),
        re.compile(rb"(?:</f>|<f\b[^<>]*/>)(?:<v>\s*</v>|<v\s*/>)?</c>"),
    ),
    "filter": ((b"autoFilter",), re.compile(rb"<(?:\w+:)?autoFilter\b")),
    "merged": ((b"mergeCell ",), re.compile(rb"<(?:\w+:)?mergeCell ")),
}
"""The pattern of each flag, and a faster pre-check for each: text that its matches may begin with
or contain, as the rest of a formula may be in the window before.
"""
_SIGNS: Final = ' (?:hidden="|t="e")|</?f|autoFilter|mergeCell |:c'
"""One pre-check for all of these, and for a cell with a prefix."""
_PLACE: Final = re.compile(rb'\bref="([A-Z]{1,3})(\d{1,7})(?::([A-Z]{1,3})(\d{1,7}))?"')
_NAME: Final = re.compile(rb'<(?:\w+:)?c\b[^<>]*\br="([A-Z]{1,3})(\d{1,7})"')
_LINKED: Final = re.compile(rb"<(?:\w+:)?hyperlink ")
_LINK: Final = re.compile(rb'\br?:?id="([^"]+)"')
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 4096
"""Bytes by which two windows overlap, so that no match is cut in two."""


class Marks(NamedTuple):
    """How often each flag occurs in a sheet, and the extent of its cells. The columns of merged
    cells are counted from column A.
    """

    counts: Counter[str]
    extent: Extent
    errors: ErrorCells = ErrorCells()
    merged: tuple[Merged, ...] = ()


def xlsx_marks(file: InputFile, sheet: str) -> Marks:
    """The flags in the sheet's XML; none if the package has an unusual structure."""
    with file.package() as package:
        part = part_of(package, sheet)
        if not part:
            return Marks(Counter(), Extent(0, 0, 0))
        found = _count(package, part, file.name)
        bound = found.extent
        if bound.is_proven and not is_vast(bound.rows, bound.columns, bound.filled):
            return found
        exact = extent_of(_windows(package, part, file.name))
        exact = exact._replace(shared=bound.shared, is_proven=bound.is_proven)
        return found._replace(extent=exact)


def xlsx_mail_links(file: InputFile, sheet: str) -> list[Linked]:
    """Cells of the sheet that link to an e-mail address."""
    with file.package() as package:
        part = part_of(package, sheet)
        folder, _, name = part.rpartition("/")
        links = xml_part(package, f"{folder}/_rels/{name}.rels")
        if links is None:
            return []
        ids = {
            link.get("Id", "")
            for link in links
            if link.get("Target", "").lower().startswith("mailto:")
        }
        return list(_linked(package, part, file.name, ids)) if ids else []


def _linked(package: zipfile.ZipFile, part: str, name: str, ids: set[str]) -> Iterator[Linked]:
    """The cells with one of these links; links follow the rows, each in its own element."""
    for window in _windows(package, part, name):
        for link in _LINKED.split(window)[1:]:
            yield from _cells_of(link, ids)


def _cells_of(link: bytes, ids: set[str]) -> Iterator[Linked]:
    place = _PLACE.search(link.partition(b">")[0])
    name = _LINK.search(link.partition(b">")[0])
    if place and name and name[1].decode("utf-8", "replace") in ids:
        last = min(int(place[4] or place[2]), MOST_ROWS)
        yield Linked(int(place[2]) - 1, last - 1, column_number(place[1]) - 1)


def xml_part(package: zipfile.ZipFile, part: str) -> ET.Element | None:
    """A part of XML that is small in every real file; None if it is missing or too large."""
    try:
        with package.open(part) as stream:
            text = stream.read(MOST_PART + 1)
        return None if len(text) > MOST_PART else ET.fromstring(text)  # noqa: S314  expat limits entities
    except (KeyError, ET.ParseError):
        return None


def part_of(package: zipfile.ZipFile, sheet: str) -> str:
    """The path of the sheet's part, found through the workbook's relationships."""
    book = xml_part(package, "xl/workbook.xml")
    links = xml_part(package, "xl/_rels/workbook.xml.rels")
    if book is None or links is None:
        return ""
    ids = {s.get("name"): s.get(f"{_REL}id") for s in book.iter(f"{_MAIN}sheet")}
    part = target_of(links, ids.get(sheet))
    return part if part in package.namelist() else ""


def target_of(links: ET.Element, link: str | None) -> str:
    """The path of the part that a relationship of the workbook refers to."""
    target = {one.get("Id"): one.get("Target", "") for one in links}.get(link, "")
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def unpacked(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part's bytes, and one extra piece if it exceeds its declared size: zipfile stops there, and
    other libraries do not.
    """
    longer = copy(info)
    longer.file_size += _CHUNK
    with package.open(longer) as stream:
        while data := stream.read(_CHUNK):
            yield data


def _count(package: zipfile.ZipFile, part: str, name: str) -> Marks:
    """Search the part window by window. A match counts where it begins, so never twice."""
    found: Counter[str] = Counter()
    first = ErrorCells()
    merged: list[Merged] = []
    cells = CellCount()
    for window, limit in ahead(_looks(package, part, name), "unpack"):
        is_odd = _is_odd(window)
        if is_odd:
            for mark, at in _begun(window, limit):
                found[mark] += 1
                if mark == "error" and found[mark] == 1 and (cell := _NAME.match(window, at)):
                    first = ErrorCells(1, (int(cell[2]), cell[1].decode()))
                elif mark == "merged" and len(merged) < MOST_MERGED:
                    merged += _merged_at(window, at)
        cells.look(window[:limit], prefixed=is_odd)
    errors = first._replace(cells=found["error"])
    return Marks(found, cells.found(), errors, tuple(merged))


def _merged_at(window: bytes, at: int) -> Iterator[Merged]:
    """The first column of the range in a tag; the others are empty in its top row, too."""
    place = _PLACE.search(window, at, window.find(b">", at))
    if place and place[4]:
        yield Merged(int(place[2]), int(place[4]), column_number(place[1]) - 1)


def _is_odd(window: bytes) -> bool:
    """Whether a window may have more than plain cells: nearly none has."""
    try:
        text = pl.Series([window], dtype=pl.Binary).cast(pl.String)
        return bool(text.str.contains(_SIGNS).item())
    except pl.exceptions.PolarsError:  # not UTF-8, perhaps because it ends within a character
        return True


def _windows(package: zipfile.ZipFile, part: str, name: str) -> Iterator[bytes]:
    return (window[:limit] for window, limit in _looks(package, part, name))


def _looks(package: zipfile.ZipFile, part: str, name: str) -> Iterator[tuple[bytes, int]]:
    """Windows of a part, each with its end before a tag; what follows is repeated in the next
    window.

    Raises SourceError if two tags are too far apart.
    """
    held, size = b"", 0
    info = package.getinfo(part)
    for data in unpacked(package, info):
        held += data
        size += len(data)
        limit = held.rfind(b"<", 0, max(len(held) - _OVERLAP, 0))
        if limit > 0:
            yield held, limit
            held = held[limit:]
        elif len(held) > MOST_MARKUP + _CHUNK:
            raise harmful(name, _("a cell is longer than any cell can be"))
    if size != info.file_size:
        raise harmful(name, _("a sheet is shorter than the file says"))
    yield held, len(held)


def _begun(window: bytes, limit: int) -> Iterator[tuple[str, int]]:
    for mark, (hints, pattern) in _MARKS.items():
        if not any(hint in window for hint in hints):
            continue
        for match in pattern.finditer(window):
            if match.start() >= limit:
                break
            yield mark, match.start()


def sentences(found: Counter[str]) -> Iterator[str]:
    """What the counts of `hidden`, `filter` and `formula` mean for the user."""
    if found["hidden"]:
        if found["filter"]:
            yield ngettext(
                "{number} row is hidden or filtered out in the sheet; it is imported anyway.",
                "{number} rows are hidden or filtered out in the sheet; they are imported anyway.",
                found["hidden"],
            )
        else:
            yield ngettext(
                "{number} row is hidden in the sheet; it is imported anyway.",
                "{number} rows are hidden in the sheet; they are imported anyway.",
                found["hidden"],
            )
    if found["formula"]:
        yield ngettext(
            "{number} formula has no stored result, so its cell is empty; to get it, open "
            "the workbook in a spreadsheet program and save it.",
            "{number} formulas have no stored result, so their cells are empty; to get "
            "them, open the workbook in a spreadsheet program and save it.",
            found["formula"],
        )
