"""No file, however crafted, costs more than its content, kills the process, or looks like a bug."""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import hostile
from support.checks import Cost, costs_of
from support.hostile import TABLE, cell, cost_of, ods_cell, sheet, xml_cell
from support.posix import only_posix

from rdimport.core.errors import SourceError
from rdimport.source import open_tables
from rdimport.source.files import InputFile
from rdimport.source.limits import UNPACKED_FREE
from rdimport.source.sheets.excel import CalamineBook
from rdimport.source.sheets.xlsx_cells import column_letters, column_number
from rdimport.source.sheets.xlsx_package import texts_of_plain

MOST = 1000
"""Megabytes allowed beyond those of a harmless list of a few rows."""
FAR = f'<row r="1048576">{cell("x", "XFD1048576")}</row>'
REPEATED = 'table:number-columns-repeated="{}"'
DATA = '<Data ss:Type="String">x</Data>'
LINK = '<hyperlink ref="A1:A1048576" r:id="rId1"/>'
SPACES = 'a<text:s text:c="8000000000"/>b'
CSV = b"E-mail;Nome\nana@exemplo.com.br;Ana\n"


def _twice(path: Path) -> Path:
    """The sheet that Python finds is harmless; a case-insensitive library may find two."""
    hostile.xlsx(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr(hostile.SHEET.title(), sheet(TABLE + FAR))
    return path


def _longer_than_it_says(path: Path) -> Path:
    """The zip directory says that the sheet ends before the far cell; zipfile believes it."""
    text = sheet(TABLE)
    hostile.xlsx(path, TABLE + FAR)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as package:
        info = package.getinfo(hostile.SHEET)
    at = data.index(hostile.SHEET.encode(), info.header_offset + 100) - 46
    head = text.partition("</sheetData>")[0].encode()
    struct.pack_into("<I", data, at + 24, len(head))
    struct.pack_into("<I", data, at + 16, zlib.crc32(head))
    path.write_bytes(data)
    return path


def _shared_text(path: Path, rows: int, text: str) -> Path:
    """One text referenced by many cells."""
    cells = "".join(
        f'<row r="{r}"><c r="A{r}" t="s"><v>0</v></c></row>' for r in range(1, rows + 1)
    )
    texts = f"<sst {hostile.MAIN}><si><t>{text}</t></si></sst>"
    return hostile.xlsx(path, cells, xl__sharedStrings_xml=texts)


VAST: dict[str, Callable[[Path], Path]] = {
    "far.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR),
    "lie.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR, '<dimension ref="A1:B2"/>'),
    "zz.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR.replace("XFD", "ZZ")),
    "quotes.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR.replace('"', "'")),
    "later.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR.replace("<c r=", '<c s="1" r=')),
    "prefix.xlsx": lambda p: hostile.xlsx(p, TABLE + re.sub("<(/?)c\\b", "<\\1x:c", FAR)),
    "newline.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR.replace("<c ", "<c\n")),
    "beyond.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR.replace("XFD1048576", "ZZZZ4294967295")),
    "text.xlsx": lambda p: hostile.xlsx(p, TABLE + FAR.replace("<is>", "y<is>")),
    "nowhere.xlsx": lambda p: hostile.xlsx(p, f'<row r="1">{cell("a") * 300_000}</row>'),
    "columns.ods": lambda p: hostile.ods(
        p, f"<table:table-row><table:table-cell {REPEATED.format(4 * 10**9)}/>{ods_cell('x')}"
        "</table:table-row>"
    ),
    "rows.ods": lambda p: hostile.ods(
        p, f'<table:table-row table:number-rows-repeated="1048000">'
        f"{ods_cell('x', REPEATED.format(16384))}</table:table-row>"
    ),
    "more_rows.ods": lambda p: hostile.ods(
        p, f'<table:table-row table:number-rows-repeated="99999999999">{ods_cell("x")}'
        "</table:table-row>"
    ),
    "many.ods": lambda p: hostile.ods(
        p, f"<table:table-row>{ods_cell('x', REPEATED.format(16384)) * 60_000}</table:table-row>"
    ),
    "index.xls": lambda p: hostile.xml2003(
        p, f'<Row><Cell ss:Index="4000000000">{DATA}</Cell></Row>'
    ),
    "merged.xls": lambda p: hostile.xml2003(
        p, f'<Row><Cell ss:MergeAcross="4000000000">{DATA}</Cell></Row>'
    ),
    "row.xls": lambda p: hostile.xml2003(p, f'<Row ss:Index="99999999999">{xml_cell("x")}</Row>'),
    "wide.xls": lambda p: hostile.xml2003(p, f'<Row><Cell ss:Index="2000000">{DATA}</Cell></Row>'),
    "colspan.xls": lambda p: hostile.html(p, "<tr>" + "<td colspan=1024>x" * 2000),
    "rowspan.xls": lambda p: hostile.html(
        p, "<tr>" + "<td colspan=1024 rowspan=1024>x" * 100 + "<tr><td>y" * 1000
    ),
}  # fmt: skip
"""Files whose table would be a disproportionate rectangle."""

HARMFUL: dict[str, Callable[[Path], Path]] = {
    "texts.xlsx": lambda p: _shared_text(p, 100_000, "a" * 100_000),
    "sheet.xlsx": lambda p: hostile.padded(p, hostile.SHEET, 1500),
    "workbook.xlsx": lambda p: hostile.padded(p, "xl/workbook.xml", 1500),
    "deep.ods": lambda p: hostile.ods(
        p, f"<table:table-row>{ods_cell('<text:span>' * 200_000 + '</text:span>' * 200_000)}"
        "</table:table-row>"
    ),
    "text.csv.gz": lambda p: hostile.packed(p, CSV, 300),
}  # fmt: skip
"""Files that demand more than a list of their cells can."""

TOO_MUCH: dict[str, tuple[Callable[[Path], Path], str]] = {
    "workbook.gz": (
        lambda p: hostile.packed(p, b"PK\3\4", 260, noise=8192),
        "unpacks to a workbook of more than 256 MiB",
    ),
    "page.xls.gz": (
        lambda p: hostile.packed(p, b"<html><table><tr><td>E-mail<td>", 260, b"a", 8192),
        "unpacks to a workbook of more than 256 MiB",
    ),
    "columns.csv": (
        lambda p: _written(p, b"E-mail;" + b"c;" * 3_000_000 + b"\na@b.co;x\n"),
        "columns; a spreadsheet has at most 16384",
    ),
    "heading.csv": (
        lambda p: _written(p, b"a" * 3_000_000 + b";E-mail\nx;a@b.co\n"),
        "has a heading in row 1 that is too long for a spreadsheet's cell",
    ),
    "line.csv.gz": (
        lambda p: hostile.packed(p, b"a", 24, b"a", 8192),
        "that is too long for a spreadsheet's cell",
    ),
    "members.zip": (
        lambda p: hostile.archive(p, ((f"{n}.csv", CSV) for n in range(10_001))),
        "contains 10001 files, too many to search",
    ),
    "unnamed.zip": (
        lambda p: hostile.archive(p, ((f"{n}.x", CSV) for n in range(101))),
        "contains 101 files, too many to find the list among them",
    ),
    "tables.xls": (
        lambda p: _written(p, b"<html>" + b"<table><tr><td>a<tr><td>b</table>" * 1001),
        "has 1001 sheets, too many to search",
    ),
    "backwards.xls": (
        lambda p: hostile.xml2003(p, f'<Row ss:Index="-5">{xml_cell("x")}</Row>'),
        "is a damaged workbook",
    ),
    "unrepeated.ods": (
        lambda p: hostile.ods(
            p, f'<table:table-row table:number-rows-repeated="-1">{ods_cell("x")}</table:table-row>'
        ),
        "is a damaged workbook",
    ),
}
"""Files refused with their own reason."""

COSTLY: dict[str, Callable[[Path], Path]] = {
    "links.xlsx": lambda p: hostile.xlsx(
        p,
        after=f"<hyperlinks>{LINK * 3000}</hyperlinks>",
        **{
            "xl__worksheets___rels__sheet1_xml.rels": f'<Relationships xmlns="{hostile.PACKAGE}">'
            '<Relationship Id="rId1" Type="x" Target="mailto:a@b.c"/></Relationships>'
        },
    ),
    "spaces.ods": lambda p: hostile.ods(
        p, f"<table:table-row>{ods_cell(SPACES)}</table:table-row>"
    ),
    "comment.xls": lambda p: hostile.html(p, "<tr><td>b@b.co<td>B" + "<!--" * 200_000),
    "cdata.xls": lambda p: hostile.html(p, "<tr><td>b@b.co<td>B" + "<![CDATA[" * 100_000),
    "digits.xls": lambda p: hostile.html(p, f"<tr><td colspan={'9' * 5000}>x"),
}
"""Files that can be read nevertheless."""


TWO_WAYS: dict[str, Callable[[Path], Path]] = {
    "twice.xlsx": _twice,
    "longer.xlsx": _longer_than_it_says,
}
"""Files that libraries read differently."""


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Megabytes used by a small list."""
    only_posix("no process leaves its peak memory behind")
    found = cost_of(hostile.xlsx(tmp_path_factory.mktemp("honest") / "honest.xlsx"))
    assert found.code == 0, found.output
    return found.megabytes


@pytest.fixture(scope="module")
def costs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Cost]:
    """The cost of each file, in one process, for those that tests will use."""
    folder = tmp_path_factory.mktemp("costs")
    makers = VAST | TWO_WAYS | {name: make for name, (make, _) in TOO_MUCH.items()} | COSTLY
    asked = {name for item in request.session.items for name in _names(item)}
    return costs_of([make(folder / name) for name, make in makers.items() if name in asked])


def _names(item: pytest.Item) -> Iterator[str]:
    """The name of the file that one of our tests is about."""
    if isinstance(item, pytest.Function) and "costs" in item.fixturenames:
        yield item.callspec.params["name"]


ONE_PROCESS = pytest.mark.xdist_group("hostile")


@ONE_PROCESS
@pytest.mark.parametrize("name", VAST)
def test_a_rectangle_that_no_memory_holds_is_refused(
    name: str, costs: dict[str, Cost], honest: int
) -> None:
    found = costs[name]
    assert found.code == 2, found.output
    assert "has a filled cell far to the right of or below all others" in found.output
    assert found.megabytes < honest + MOST


@ONE_PROCESS
@pytest.mark.parametrize("name", HARMFUL)
def test_a_file_that_asks_for_more_than_any_list_is_damaged_or_made_to_do_harm(
    name: str, tmp_path: Path, honest: int
) -> None:
    found = cost_of(HARMFUL[name](tmp_path / name))
    assert found.code == 2, found.output
    assert f"{name} is damaged or malicious" in found.output
    assert found.megabytes < honest + MOST


@ONE_PROCESS
@pytest.mark.parametrize("name", TWO_WAYS)
def test_a_package_that_libraries_read_in_different_ways_costs_no_more(
    name: str, costs: dict[str, Cost], honest: int
) -> None:
    found = costs[name]
    assert found.code in (0, 2), found.output
    assert found.megabytes < honest + MOST


@ONE_PROCESS
@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_is_too_much_is_said(name: str, costs: dict[str, Cost], honest: int) -> None:
    _make, why = TOO_MUCH[name]
    found = costs[name]
    assert found.code == 2, found.output
    assert why in found.output
    assert found.megabytes < honest + MOST


@ONE_PROCESS
@pytest.mark.parametrize("name", COSTLY)
def test_what_only_looks_costly_is_read(name: str, costs: dict[str, Cost], honest: int) -> None:
    found = costs[name]
    assert found.code == 0, found.output
    assert found.megabytes < honest + MOST


@pytest.mark.long
def test_a_sheet_as_wide_as_excel_allows_is_read(tmp_path: Path) -> None:
    names = [column_letters(n) for n in range(1, 16_385)]
    rows = [("E-mail", *names[1:]), ("ana@exemplo.com.br", *names[1:])]
    written = ""
    for number, row in enumerate(rows, 1):
        cells = "".join(cell(text, f"{n}{number}") for text, n in zip(row, names, strict=True))
        written += f'<row r="{number}">{cells}</row>'
    table = open_tables([str(hostile.xlsx(tmp_path / "wide.xlsx", written))])[0]
    assert table.columns == ("E-mail", *names[1:])
    text = "\n".join(";".join(row) for row in rows)
    table = open_tables([str(_written(tmp_path / "wide.csv", text.encode()))])[0]
    assert table.columns == ("E-mail", *names[1:])
    assert [frame.height for frame in table.batches()] == [1]


@pytest.mark.parametrize(
    "dimension", ["", '<dimension ref="A1:B1048576"/>', '<dimension ref="A1"/>']
)
def test_a_sheet_as_long_as_excel_allows_is_read(tmp_path: Path, dimension: str) -> None:
    last = f'<row r="1048576">{cell("bia@exemplo.com.br", "A1048576")}</row>'
    path = hostile.xlsx(tmp_path / "long.xlsx", TABLE + last, dimension)
    rows = [row for frame in open_tables([str(path)])[0].batches() for row in frame.iter_rows()]
    assert [(row[1], row[3]) for row in rows] == [
        (2, "ana@exemplo.com.br"),
        (1048576, "bia@exemplo.com.br"),
    ]


def test_formatted_emptiness_is_no_cell(tmp_path: Path) -> None:
    empty = "".join(
        f'<row r="{r}"><c r="A{r}" s="1"/><c r="XFD{r}" s="1"/></row>' for r in range(3, 20_000)
    )
    table = open_tables([str(hostile.xlsx(tmp_path / "empty.xlsx", TABLE + empty))])[0]
    assert [frame.height for frame in table.batches()] == [1]


def test_the_usual_way_to_write_a_workbook_proves_what_it_costs(tmp_path: Path) -> None:
    file = InputFile("honest.xlsx", hostile.xlsx(tmp_path / "honest.xlsx"))
    assert texts_of_plain(file) is not None
    assert CalamineBook(file, "xlsx").marks("Leads").extent.is_proven
    for name in ("quotes.xlsx", "later.xlsx", "prefix.xlsx", "newline.xlsx", "lie.xlsx"):
        file = InputFile(name, VAST[name](tmp_path / name))
        assert not CalamineBook(file, "xlsx").marks("Leads").extent.is_proven
    assert texts_of_plain(InputFile("twice.xlsx", _twice(tmp_path / "twice.xlsx"))) is None


@pytest.mark.parametrize("longest", [3, 200, 70_000])
@pytest.mark.parametrize("among", [0, 50_000])  # with the latter, the last are in another chunk
def test_no_shared_text_is_longer_than_it_is_taken_for(
    longest: int, among: int, tmp_path: Path
) -> None:
    texts = ["Ana"] * among + ["é" * (longest // 2) + "a" * (longest % 2)] + ["Bia"] * among
    written = "".join(f"<si><t>{text}</t></si>" for text in texts)
    more = {"xl__sharedStrings_xml": f"<sst {'x' * 300}='1'>{written}</sst>"}
    found = texts_of_plain(InputFile("a.xlsx", hostile.xlsx(tmp_path / "a.xlsx", **more)))
    assert found is not None
    assert found.number == len(texts)
    assert longest <= found.longest <= longest + 10


def test_columns_are_numbered_as_in_a_spreadsheet() -> None:
    assert [column_letters(n) for n in (1, 26, 27, 702, 703, 16384)] == [
        "A",
        "Z",
        "AA",
        "ZZ",
        "AAA",
        "XFD",
    ]
    assert [column_number(column_letters(n).encode()) for n in range(1, 20_000)] == [
        *range(1, 20_000)
    ]


@pytest.mark.parametrize("packed", ["gz", "zip"])
def test_what_unpacks_to_a_multiple_is_refused_where_it_does_not_at_its_end(
    packed: str, tmp_path: Path
) -> None:
    """Its overall compression is that of a list; the noise at the end hides the million lines
    before it.
    """
    path, noise = tmp_path / "list", os.urandom(4 << 20)
    content = hostile.repeated(b"", b"a\n" * (1 << 20), 200, noise, level=1)
    if packed == "gz":
        hostile.gzipped(path, content)
    else:
        hostile.zipped(path, "list.csv", content)
    file = InputFile("list", path, packed=packed, member="list.csv" if packed == "zip" else "")
    with file.open() as stream:
        assert len(stream.read(UNPACKED_FREE)) == UNPACKED_FREE
        with pytest.raises(SourceError, match="malicious"):
            stream.read(32 << 20)
