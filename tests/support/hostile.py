"""Spreadsheets of a few kilobytes that demand gigabytes, and what a command uses for one."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from support.checks import ENVIRONMENT, Cost, megabytes
from support.command import command_in

PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Leads" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" '
    f'Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
    f'Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
}
SHEET = "xl/worksheets/sheet1.xml"
ODS = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "table", "text")
)


def cell(text: str, place: str = "") -> str:
    place = f' r="{place}"' if place else ""
    return f'<c{place} t="inlineStr"><is><t>{text}</t></is></c>'


TABLE = (
    f'<row r="1">{cell("E-mail", "A1")}{cell("Nome", "B1")}</row>'
    f'<row r="2">{cell("ana@exemplo.com.br", "A2")}{cell("Ana", "B2")}</row>'
)


def sheet(rows: str, before: str = "", after: str = "") -> str:
    return f"<worksheet {MAIN}>{before}<sheetData>{rows}</sheetData>{after}</worksheet>"


def xlsx(path: Path, rows: str = TABLE, before: str = "", after: str = "", **more: str) -> Path:
    """A workbook; `more` are parts by their path, with `__` for `/` and `_xml` at the end."""
    named = {name.replace("__", "/").replace("_xml", ".xml"): text for name, text in more.items()}
    parts = {**PARTS, SHEET: sheet(rows, before, after), **named}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(name, text)
    return path


def padded(path: Path, part: str, megabytes: int) -> Path:
    """A workbook with one part padded with spaces before its last tag."""
    parts = {**PARTS, SHEET: sheet(TABLE)}
    head, _, tail = parts.pop(part).rpartition("</")
    content = repeated(head.encode(), b" " * (1 << 20), megabytes, f"</{tail}".encode(), level=1)
    return zipped(path, part, content, parts)


class Deflated(NamedTuple):
    """Compressed data, with its checksum and its uncompressed size."""

    data: bytes
    crc: int
    size: int


def repeated(head: bytes, piece: bytes, times: int, tail: bytes = b"", level: int = 6) -> Deflated:
    """A text that repeats one piece many times; the piece is compressed once."""
    packer = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    # After a full flush, nothing refers to earlier data.
    begin, middle = (
        packer.compress(text) + packer.flush(zlib.Z_FULL_FLUSH) for text in (head, piece)
    )
    data = begin + middle * times + packer.compress(tail) + packer.flush()
    crc = zlib.crc32(tail, _checksum(zlib.crc32(head), piece, times))
    return Deflated(data, crc, len(head) + times * len(piece) + len(tail))


def _checksum(before: int, piece: bytes, times: int) -> int:
    """The CRC-32 after a piece has been repeated, without reading it each time: each bit of the
    checksum before it changes the one after it independently of the others.
    """
    nothing = zlib.crc32(piece)
    changes = [zlib.crc32(piece, 1 << bit) ^ nothing for bit in range(32)]
    for _ in range(times):
        after = nothing
        for bit, change in enumerate(changes):
            if before >> bit & 1:
                after ^= change
        before = after
    return before


def zipped(
    path: Path, name: str, content: Deflated, others: Mapping[str, str] | None = None
) -> Path:
    """An archive of one member that is already compressed, and others."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content.data, zipfile.ZIP_STORED)
        for other, text in (others or {}).items():
            archive.writestr(other, text)
    data = bytearray(path.read_bytes())
    for begins in (0, data.index(b"PK\1\2") + 2):  # its header and its directory entry
        struct.pack_into("<H", data, begins + 8, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", data, begins + 14, content.crc)
        struct.pack_into("<I", data, begins + 22, content.size)
    path.write_bytes(data)
    return path


def ods(path: Path, row: str) -> Path:
    """An OpenDocument spreadsheet with one more row."""
    head = "".join(
        f"<table:table-row>{ods_cell(a)}{ods_cell(b)}</table:table-row>" for a, b in PAIRS
    )
    content = (
        f"<office:document-content {ODS}><office:body><office:spreadsheet>"
        f'<table:table table:name="Leads">{head}{row}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr("META-INF/manifest.xml", "<manifest/>")
        package.writestr("content.xml", content)
    return path


PAIRS = [("E-mail", "Nome"), ("ana@exemplo.com.br", "Ana")]


def ods_cell(text: str, attributes: str = "") -> str:
    value = 'office:value-type="string"'
    return f"<table:table-cell {value} {attributes}><text:p>{text}</text:p></table:table-cell>"


def xml2003(path: Path, row: str) -> Path:
    """An Excel 2003 workbook with one more row."""
    head = "".join(f"<Row>{xml_cell(a)}{xml_cell(b)}</Row>" for a, b in PAIRS)
    name = "urn:schemas-microsoft-com:office:spreadsheet"
    path.write_text(
        f'<?xml version="1.0"?><Workbook xmlns="{name}" xmlns:ss="{name}">'
        f'<Worksheet ss:Name="Leads"><Table>{head}{row}</Table></Worksheet></Workbook>'
    )
    return path


def xml_cell(text: str, attributes: str = "") -> str:
    return f'<Cell {attributes}><Data ss:Type="String">{text}</Data></Cell>'


def html(path: Path, rest: str) -> Path:
    """A page whose table continues with `rest`."""
    path.write_text(f"<html><table><tr><td>E-mail<td>Nome<tr><td>ana@exemplo.com.br<td>Ana{rest}")
    return path


def packed(path: Path, head: bytes, megabytes: int, filling: bytes = b"\0", noise: int = 0) -> Path:
    """A compressed file that begins with `head`; each megabyte ends in incompressible bytes."""
    return gzipped(path, repeated(head, filling * (1 << 20) + os.urandom(noise), megabytes))


def gzipped(path: Path, content: Deflated) -> Path:
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    path.write_bytes(head + content.data + struct.pack("<II", content.crc, content.size))
    return path


def archive(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, content in members:
            out.writestr(name, content)
    return path


def cost_of(path: Path, *options: str) -> Cost:
    """The cost of `rdimport check` for a file."""
    output = path.parent / "said"
    with output.open("w") as out:
        process = command_in(Path.cwd(), ENVIRONMENT, ["check", str(path), *options], out=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(process.returncode, output.read_text(errors="replace"), megabytes(used.ru_maxrss))
