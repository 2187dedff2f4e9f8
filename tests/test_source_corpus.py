"""The corpus next to this file was written by other programs; tests/corpus/make_*.py made it."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import costly

from rdimport.core.errors import SourceError
from rdimport.core.row import FILE
from rdimport.source import Hints, Table, open_tables

CORPUS = Path(__file__).parent / "corpus"
COLUMNS = ("Nome", "E-mail", "Celular", "CPF", "Nascimento", "Horário", "Observação", "Soma")

PEOPLE = [
    ("Ana Conceição", "ana@exemplo.com.br", "11987654321", "001.234.567-89", "1990-03-04",
     "08:30:00", 'diz "oi"; e volta', "2"),
    ("Bia D'Ávila", "bia@exemplo.com.br", "5511912345678", "00123456789", "1985-12-31",
     "17:05:00", "duas\nlinhas", "15"),
    ("João Peçanha", "joao@exemplo.com.br", "(11) 90000-0001", "98765432100", "2001-01-01",
     "00:00:00", "x" * 300, None),
    ("Zélia", "zelia@exemplo.com.br", "21900000002", None, None, None, "ªº – §", "ab"),
]  # fmt: skip
SHOWN = [
    ("04/03/1990", "08:30"),
    ("31/12/1985", "17:05"),
    ("01/01/2001", "00:00"),
    (None, None),
]
"""Dates and times in the text files, as LibreOffice shows them."""


def opened(name: str, hints: Hints | None = None) -> Table:
    return open_tables([str(CORPUS / name)], hints or Hints())[0]


def read(table: Table) -> list[tuple[object, ...]]:
    """Row number, defect and cells, without outer spaces, which some formats drop."""
    rows = [row for frame in table.batches() for row in frame.drop(FILE).iter_rows()]
    return [
        (*row[:2], *(cell.strip() if isinstance(cell, str) else cell for cell in row[2:]))
        for row in rows
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("leads.xlsx", "xlsx"), ("leads.xls", "xls"), ("leads.ods", "ods"), ("leads_2003.xls", "xml")],
)
def test_a_workbook_gives_the_people_and_the_row_numbers_that_are_in_it(
    name: str, kind: str
) -> None:
    table = opened(name)
    assert table.columns == COLUMNS
    assert (table.facts.format, table.facts.sheet, table.facts.header_row) == (kind, "Leads", 4)
    numbers = (5, 6, 8, 9)
    assert read(table) == [(n, None, *p) for n, p in zip(numbers, PEOPLE, strict=True)]
    assert any("row 10: not imported" in note for note in table.notes)
    assert any("“Resumo”" in note for note in table.notes)


@pytest.mark.parametrize(
    ("name", "encoding", "delimiter"),
    [
        ("leads_utf8.csv", "utf-8", ","),
        ("leads_cp1252.csv", "cp1252", ";"),
        ("leads_mac.csv", "mac_roman", ";"),
        ("leads_850.csv", "cp850", ";"),
        ("leads_iso15.csv", "cp1252", "|"),
        ("leads_utf16.xls", "utf-16", "\t"),
    ],
)
def test_a_text_file_gives_the_same_people_whatever_its_encoding(
    name: str, encoding: str, delimiter: str
) -> None:
    table = opened(name)
    assert table.columns == COLUMNS
    assert (table.facts.encoding, table.facts.delimiter) == (encoding, delimiter)
    # The line break in row 6 adds a line, so all later numbers are one higher.
    rows = list(read(table))
    assert [row[0] for row in rows] == [5, 6, 9, 10]
    dash = "–" if name not in ("leads_850.csv", "leads_iso15.csv") else "-"
    for row, person, shown in zip(rows, PEOPLE, SHOWN, strict=True):
        note = person[6].replace("–", dash) if person[6] else None
        assert row[1:] == (None, *person[:4], *shown, note, person[7])


def test_html_that_is_called_xls_is_read_as_the_table_it_shows() -> None:
    table = opened("leads_html.xls")
    assert (table.facts.format, table.columns) == ("html", COLUMNS)
    # LibreOffice omits the hidden row from a page.
    assert [row[2:5] for row in read(table)] == [PEOPLE[i][:3] for i in (0, 1, 3)]
    assert any("web page" in note for note in table.notes)


def test_xlsb_is_read() -> None:
    table = opened("leads.xlsb")
    assert table.facts.format == "xlsb"
    assert read(table) == [
        (2, None, "Ana Conceição", "ana@exemplo.com.br", "11987654321", "00123456789",
         "1990-03-04", "1.5"),
        (3, None, "Bia D'Ávila", "bia@exemplo.com.br", "5511912345678", None, None, "0.1"),
    ]  # fmt: skip


def test_the_content_decides_what_a_file_is_and_not_its_name(tmp_path: Path) -> None:
    for name, kind in (("leads.xlsx", "xlsx"), ("leads.ods", "ods"), ("leads_utf8.csv", "csv")):
        wrong = tmp_path / f"{kind}.dat"
        shutil.copy(CORPUS / name, wrong)
        table = open_tables([str(wrong)], Hints())[0]
        assert table.facts.format == kind
        assert len(read(table)) == 4


@pytest.mark.parametrize("name", ["leads.xlsx", "leads.xls", "leads.ods"])
def test_hidden_rows_and_error_cells_are_reported(name: str) -> None:
    notes = " ".join(opened(name).notes)
    assert "1 row is hidden" in notes
    assert "1 cell contains an error such as #REF! or #N/D, in row 8, column “H”" in notes


def patched(path: Path, *changes: tuple[bytes, bytes]) -> str:
    """leads.xlsb with some bytes of its sheet replaced, each of which must occur once."""
    with zipfile.ZipFile(CORPUS / "leads.xlsb") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.bin":
                for was, now in changes:
                    assert data.count(was) == 1
                    data = data.replace(was, now)
            new.writestr(name, data)
    return str(path)


def test_hidden_rows_and_error_cells_of_an_xlsb_are_reported(tmp_path: Path) -> None:
    """leads.xlsb with row 3 hidden and its last cell an error, as [MS-XLSB] writes them."""
    row = bytes.fromhex("00190200000000000000 2c01 00 00 00")
    value = bytes.fromhex("0510 0500000000000000 9a9999999999b93f")
    error = bytes.fromhex("0309 0500000000000000 2a")
    hidden = row[:13] + b"\x10" + row[14:]
    path = patched(tmp_path / "leads.xlsb", (row, hidden), (value, error))
    (table,) = open_tables([path], Hints())
    assert [row[2] for row in read(table)] == ["Ana Conceição", "Bia D'Ávila"]
    assert [row[7] for row in read(table)] == ["1.5", None]
    notes = " ".join(table.notes)
    assert "1 row is hidden or filtered out" in notes
    assert "1 cell contains an error such as #REF! or #N/D, in row 3, column “F”" in notes


def test_an_xlsb_with_a_cell_beyond_all_columns_is_refused_at_once(tmp_path: Path) -> None:
    cell = bytes.fromhex("070c 0400000003000000 04000000")
    far = bytes.fromhex("070c 0400520003000000 04000000")
    path = patched(tmp_path / "leads.xlsb", (cell, far))
    with pytest.raises(SourceError, match="far to the right"):
        open_tables([path], Hints())


@pytest.mark.parametrize("name", ["odd.xlsx", "odd.xls", "odd.ods"])
def test_durations_of_a_day_and_more_are_hours_and_old_dates_stay_dates(name: str) -> None:
    rows = read(opened(name))
    assert [row[4] for row in rows] == ["36:00:00", "08:30:00", "1452:30:00", "48:00:00"]
    assert [row[5] for row in rows] == ["1902-05-06", "2001-01-01", "1985-12-31", "1990-03-04"]


@pytest.mark.parametrize("name", ["odd.xlsx", "odd.xls", "odd.ods"])
def test_a_cell_that_hides_the_address_it_links_to_is_reported(name: str) -> None:
    table = opened(name)
    shown = [row[3] for row in read(table)]
    assert shown == ["e-mail", "bia@exemplo.com.br", "página", "Duda Sá"]
    assert any("2 cells, the first in row 2 (“e-mail”), are links" in n for n in table.notes)


@pytest.mark.parametrize("name", ["merged.xlsx", "merged.xls", "merged.ods"])
def test_links_are_reported_for_their_own_cells_wherever_the_table_begins(name: str) -> None:
    notes = opened(name).notes
    assert any("5 cells, the first in row 5 (“Ana”), are links" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "rows"),
    [("merged.xlsx", "5 to 7"), ("merged.xls", "5 to 7"), ("merged.ods", "5 to 7"),
     ("merged.html", "2 to 4")],
)  # fmt: skip
def test_cells_that_are_empty_because_they_are_merged_are_reported(name: str, rows: str) -> None:
    table = opened(name)
    shown = [row[2] for row in read(table)]
    assert shown == ["Acme", None, None, "B", None, "Sul"]
    (note,) = [note for note in table.notes if "merged" in note]
    assert note.startswith("3 cells are empty because they are merged with one above them: ")
    assert "Acme" not in note, "a cell may be a person's name"
    assert f"column “Empresa”, rows {rows}, where only row {rows[0]} has the text" in note


def test_merged_cells_of_an_xlsb_are_reported(tmp_path: Path) -> None:
    """leads.xlsb with a BrtMergeCell of [MS-XLSB] for E2:E3 after its rows."""
    end = bytes.fromhex("9201 00")
    merged = bytes.fromhex("b001 10 01000000 02000000 04000000 04000000")
    path = patched(tmp_path / "leads.xlsb", (end, end + merged))
    (table,) = open_tables([path], Hints())
    (note,) = [note for note in table.notes if "merged" in note]
    column = table.columns[4]
    assert note.startswith(
        f"1 cell is empty because it is merged with one above it: column “{column}"
    )
    assert "rows 2 to 3, where only row 2 has the text" in note


def test_an_excel_2003_file_with_text_in_a_merged_cell_is_refused() -> None:
    """LibreOffice writes the cells beside merged ones without their column, as Excel does not."""
    with pytest.raises(SourceError, match="damaged"):
        opened("merged_2003.xls")


@pytest.mark.parametrize("name", ["protected.xlsx", "protected.xls", "protected.ods"])
def test_a_workbook_with_a_password_says_so(name: str) -> None:
    with pytest.raises(SourceError, match="protected by a password"):
        opened(name)


@pytest.mark.parametrize("name", ["leads.xlsx", "leads.xls", "leads.xlsb", "leads.ods"])
def test_a_workbook_that_was_cut_off_says_so(name: str, tmp_path: Path) -> None:
    cut = tmp_path / name
    cut.write_bytes((CORPUS / name).read_bytes()[:2500])
    with pytest.raises(SourceError, match=r"damaged|unknown kind"):
        open_tables([str(cut)], Hints())


@pytest.mark.parametrize("name", ["leads.xls", "odd.xls"])
def test_an_xls_cut_off_at_any_sector_gives_all_rows_or_none(name: str, tmp_path: Path) -> None:
    data = (CORPUS / name).read_bytes()
    ends = range(512, len(data), 512)
    refused = 0
    for end in ends:
        (tmp_path / name).write_bytes(data[:end])
        try:
            (table,) = open_tables([str(tmp_path / name)], Hints())
        except SourceError:
            refused += 1
        else:
            assert read(table) == read(opened(name))
    assert refused >= len(ends) - 1, "the last sector is not of the workbook"


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        # a style turned into a palette with more colours than bytes
        ("leads.xls", "9302 0400 108003ff", "9200 0400 108003ff"),
        # the zero at the end of a link's address, two bytes too early
        ("odd.xls", "2e00 6200 7200 0000", "2e00 6200 0000 0000"),
        # a link over the whole sheet
        ("odd.xls", "0100 0100 0100 0100 d0c9ea79", "0000 ffff 0000 ff00 d0c9ea79"),
    ],
)
def test_an_xls_gives_its_cells_whatever_is_odd_beside_them(
    name: str, was: str, now: str, tmp_path: Path
) -> None:
    data = (CORPUS / name).read_bytes()
    assert bytes.fromhex(was) in data
    path = tmp_path / name
    path.write_bytes(data.replace(bytes.fromhex(was), bytes.fromhex(now), 1))
    (table,) = open_tables([str(path)], Hints())
    assert read(table) == read(opened(name))


def test_half_a_character_in_an_xls_costs_one_character(tmp_path: Path) -> None:
    """As written by a program that cuts texts at a number of bytes, here instead of a dash."""
    dash = "–".encode("utf-16-le")
    data = (CORPUS / "leads.xls").read_bytes()
    assert data.count(dash) == 1
    path = tmp_path / "leads.xls"
    path.write_bytes(data.replace(dash, "\ud83d".encode("utf-16-le", "surrogatepass")))
    (table,) = open_tables([str(path)], Hints())
    whole = read(opened("leads.xls"))
    assert read(table) == [
        tuple(cell.replace("–", "\ufffd") if isinstance(cell, str) else cell for cell in row)
        for row in whole
    ]


FILES = sorted(
    path for path in CORPUS.iterdir() if path.name.startswith(("leads", "protected", "odd"))
)


@settings(max_examples=costly(60), deadline=None, derandomize=True)
@given(data=st.data())
def test_no_damage_ends_in_anything_but_a_table_or_an_error_that_says_so(
    damaged: Path, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    damaged.write_bytes(content)
    said = None
    try:
        for table in open_tables([str(damaged)], Hints()):
            list(table.batches())
    except SourceError as error:
        said = error
    assert said is None or (str(damaged) in said.message and said.remedy)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "leads"
