"""What an xlsx file says about a sheet beside its values: hidden rows, errors, empty formulas."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from rdimport.source.frames import error_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdimport.source.files import InputFile

_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MARKS: Final = {
    "hidden": re.compile(rb'<row\b[^>]*\bhidden="(?:1|true)"'),
    "error": re.compile(rb'<c\b[^>]*\bt="e"'),
    "formula": re.compile(rb"(?:</f>|<f\b[^>]*/>)(?:<v>\s*</v>|<v\s*/>)?</c>"),
    "filter": re.compile(rb"<autoFilter\b"),
}
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 4096
"""Bytes that two looks have in common, so that no mark is cut in two."""


def xlsx_notes(file: InputFile, sheet: str) -> tuple[str, ...]:
    """Sentences about the sheet; none where the package is not laid out as usual."""
    with file.open() as stream:
        raw = io.BytesIO(stream.read()) if file.packed else stream
        with zipfile.ZipFile(raw) as package:
            part = _part(package, sheet)
            return tuple(sentences(_count(package, part))) if part else ()


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


def _count(package: zipfile.ZipFile, part: str) -> Counter[str]:
    """How often each mark stands in the part. A mark counts where it begins, so never twice."""
    found: Counter[str] = Counter()
    held = b""
    with package.open(part) as stream:
        while data := stream.read(_CHUNK):
            window = held + data
            limit = len(window) - _OVERLAP
            found.update(_begun(window, limit))
            held = window[max(limit, 0) :]
    found.update(_begun(held, len(held)))
    return found


def _begun(window: bytes, limit: int) -> Iterator[str]:
    for mark, pattern in _MARKS.items():
        for match in pattern.finditer(window):
            if match.start() >= limit:
                break
            yield mark


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
