from __future__ import annotations

import datetime as dt
import re
import zipfile
from typing import TYPE_CHECKING

import openpyxl
import pytest
import xlsxwriter
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from support import hostile
from support.command import Workspace
from support.lists import MAPPING

from rdimport.core.errors import SourceError
from rdimport.core.row import FILE
from rdimport.source import Hints, Table, open_tables

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path, book: openpyxl.Workbook, hints: Hints | None = None) -> Table:
    book.save(path)
    return open_tables([str(path)], hints or Hints())[0]


def read(table: Table) -> list[tuple[object, ...]]:
    return [row for frame in table.batches() for row in frame.drop(FILE).iter_rows()]


def test_row_numbers_are_those_that_the_program_shows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["B3"], sheet["C3"] = "Nome", "E-mail"
    sheet["B4"], sheet["C4"] = "Ana", "ana@exemplo.com.br"
    sheet["B7"], sheet["C7"] = "Bia", "bia@exemplo.com.br"
    table = opened(tmp_path / "leads.xlsx", book)
    assert (table.facts.format, table.facts.header_row) == ("xlsx", 3)
    assert table.columns == ("Nome", "E-mail")
    assert read(table) == [
        (4, None, "Ana", "ana@exemplo.com.br"),
        (7, None, "Bia", "bia@exemplo.com.br"),
    ]


def test_cells_come_as_the_text_that_a_person_meant(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Nome", "Celular", "Data", "Hora", "Aceite", "Valor"])
    sheet.append(
        ["Ana", 11987654321, dt.date(2026, 3, 4), dt.time(8, 30), True, 1.5],
    )
    sheet.append(["Bia", "011 98", dt.datetime(2026, 3, 4, 10, 11, 12), "9h", False, 1e15])  # noqa: DTZ001
    assert read(opened(tmp_path / "leads.xlsx", book)) == [
        (2, None, "Ana", "11987654321", "2026-03-04", "08:30:00", "true", "1.5"),
        (3, None, "Bia", "011 98", "2026-03-04 10:11:12", "9h", "false", "1000000000000000"),
    ]


def test_the_sheet_that_has_the_mappings_columns_is_taken(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Instruções", "de uso"])
    book.active.append(["Preencha", "tudo"])
    leads = book.create_sheet("Leads")
    leads.append(["Nome", "E-mail"])
    leads.append(["Ana", "ana@exemplo.com.br"])
    hints = Hints(columns=("nome", "e-mail"))
    table = opened(tmp_path / "leads.xlsx", book, hints)
    assert table.facts.sheet == "Leads"
    assert len(read(table)) == 1


def test_a_sheet_that_is_a_chart_is_passed_over_and_the_library_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with xlsxwriter.Workbook(tmp_path / "leads.xlsx") as book:
        chart = book.add_chart({"type": "bar"})
        chart.add_series({"values": "=Dados!$B$2:$B$3"})
        book.add_chartsheet("Gráfico").set_chart(chart)
        sheet = book.add_worksheet("Dados")
        sheet.write_row(0, 0, ("E-mail", "Valor"))
        sheet.write_row(1, 0, ("ana@exemplo.com.br", 1))
    (table,) = open_tables([str(tmp_path / "leads.xlsx")], Hints())
    assert table.facts.sheet == "Dados"
    assert caplog.records == []


def test_a_sheet_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Contatos"
    book.active.append(["Nome"])
    with pytest.raises(SourceError, match="did you mean “Contatos”"):
        opened(tmp_path / "leads.xlsx", book, Hints(sheet="Contato"))


def test_what_a_cell_can_be_arrives_as_text(tmp_path: Path) -> None:
    path = tmp_path / "leads.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Leads")
    sheet.write_row(0, 0, ["Nome", "Valor"])
    bold, clock = book.add_format({"bold": True}), book.add_format({"num_format": "[h]:mm"})
    cells = [
        (lambda at: sheet.write_number(at, 1, 11987654321), "11987654321"),
        (lambda at: sheet.write_number(at, 1, 1.1987654321e10), "11987654321"),
        (lambda at: sheet.write_number(at, 1, 123456789012345), "123456789012345"),
        (lambda at: sheet.write_number(at, 1, 1e20), "100000000000000000000"),
        (lambda at: sheet.write_number(at, 1, 0.1 + 0.2), "0.3"),
        (lambda at: sheet.write_string(at, 1, "119876543210.0"), "119876543210.0"),
        (lambda at: sheet.write_string(at, 1, "00123"), "00123"),
        (lambda at: sheet.write_number(at, 1, 0.35, clock), "08:24:00"),
        (lambda at: sheet.write_formula(at, 1, '="a"&"b"', None, "ab"), "ab"),
        (lambda at: sheet.write_url(at, 1, "mailto:ana@exemplo.com.br", None, "ana@exemplo.com.br"),
         "ana@exemplo.com.br"),
        (lambda at: sheet.write_rich_string(at, 1, "a ", bold, "b", " c"), "a b c"),
        (lambda at: sheet.write_string(at, 1, "x" * 32_767), "x" * 32_767),
        (lambda at: sheet.write_string(at, 1, "um\ndois"), "um\ndois"),
        (lambda at: sheet.write_string(at, 1, "a_x000D_b"), "a_x000D_b"),
        (lambda at: sheet.write_string(at, 1, "\u00a0a\u200b"), "\u00a0a\u200b"),
        (lambda at: sheet.write_string(at, 1, "2026-03-04 00:00:00"), "2026-03-04"),
    ]  # fmt: skip
    for at, (write, _) in enumerate(cells, start=1):
        sheet.write_string(at, 0, f"nome {at}")
        write(at)
    book.close()
    (table,) = open_tables([str(path)], Hints())
    assert [row[3] for row in read(table)] == [text for _, text in cells]


def test_dates_that_count_from_1904_are_right(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.active.append(["Nome", "Data", "Hora"])
    book.active.append(["Ana", dt.date(2026, 3, 4), dt.time(8, 30)])
    table = opened(tmp_path / "leads.xlsx", book)
    assert read(table) == [(2, None, "Ana", "2026-03-04", "08:30:00")]


def test_error_cells_and_formulas_without_a_value_are_empty_and_reported(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Nome", "Soma", "Erro"])
    book.active.append(["Ana", "=1+1", "#N/A"])
    book.active.append(["Bia", "=2+2", "x"])
    book.active["C2"].data_type = "e"
    table = opened(tmp_path / "leads.xlsx", book)
    assert read(table) == [(2, None, "Ana", None, None), (3, None, "Bia", None, "x")]
    notes = " ".join(table.notes)
    assert "1 cell contains an error such as #REF! or #N/D, in row 2, column “C”" in notes
    assert "2 formulas have no stored result" in notes


ERRORS = "3 cells contain an error such as #REF! or #N/D, the first in row 4, column “"


@pytest.mark.parametrize("first", ["text", "value"])
@pytest.mark.parametrize("left", [1, 4])
def test_error_values_and_texts_are_counted_together_and_the_first_is_named(
    workspace: Workspace, first: str, left: int
) -> None:
    book = openpyxl.Workbook()
    rows = [["Nome", "E-mail", "", "Tel"], ["Ana", "ana@exemplo.com.br"]]
    rows += [
        ["Bia", "bia@exemplo.com.br", "", "#N/A"],
        ["#N/A", "caio@exemplo.com.br", "", "#REF!"],
    ]
    for down, row in enumerate(rows):
        for across, value in enumerate(row):
            cell = book.active.cell(2 + down, left + across, value or None)
            if value.startswith("#"):
                cell.data_type = "e" if (down == 2) == (first == "value") else "s"
    book.save(workspace.home / "list.xlsx")
    workspace.write("list.yaml", MAPPING)
    said = " ".join(workspace.do("check", "list.xlsx", "-m", "list.yaml").out.split())
    column = get_column_letter(left + 3) if first == "value" else "Tel"
    assert (f"{ERRORS}{column}”;" in said, said.count("#REF!")) == (True, 1), said


def test_filtered_rows_are_imported_and_reported(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["Nome", "UF"], ["Ana", "SP"], ["Bia", "RJ"]):
        book.active.append(row)
    book.active.auto_filter.ref = "A1:B3"
    book.active.auto_filter.add_filter_column(1, ["SP"])
    book.active.row_dimensions[3].hidden = True
    table = opened(tmp_path / "leads.xlsx", book)
    assert [row[2] for row in read(table)] == ["Ana", "Bia"]
    assert any("1 row is hidden or filtered out" in note for note in table.notes)


def test_a_hidden_sheet_is_not_taken_while_a_visible_one_will_do(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["Nome", "E-mail"], ["Velha", "v@exemplo.com.br"], ["Velho", "w@exemplo.com.br"]):
        book.active.append(row)
    book.active.title, book.active.sheet_state = "Antiga", "hidden"
    sheet = book.create_sheet("Atual")
    for row in (["Nome", "E-mail"], ["Ana", "ana@exemplo.com.br"]):
        sheet.append(row)
    book.active = 1
    table = opened(tmp_path / "leads.xlsx", book)
    assert table.facts.sheet == "Atual"
    assert any("“Antiga”" in note for note in table.notes)


def test_a_lost_cell_far_to_the_right_does_not_eat_the_memory(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"], sheet["A2"], sheet["XFD1048576"] = "Nome", "Ana", "x"
    with pytest.raises(SourceError, match="far to the right"):
        opened(tmp_path / "leads.xlsx", book)


def test_a_workbook_without_any_cell_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is empty"):
        opened(tmp_path / "leads.xlsx", openpyxl.Workbook())


EDGE = (1 << 20) - 4096
"""The latest end of the first chunk scanned of a sheet."""


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ('<c r="B3"><f>1+1</f></c>', "1 formula has no stored result"),
        ('<c r="B3"><f>1+1</f><v></v></c>', "1 formula has no stored result"),
        ('<c r="B3"><f>1+1</f><v/></c>', "1 formula has no stored result"),
        ('<c r="B3"><f t="shared" si="0"/><v/></c>', "1 formula has no stored result"),
        ('<c r="B3" t="e"><v>#N/A</v></c>', "#N/D, in row 3, column “"),
        ('</row><row r="4" hidden="1"><c r="B4"><v>1</v></c>', "1 row is hidden in the sheet"),
    ],
)
def test_what_is_odd_in_a_sheet_is_reported_wherever_the_scan_of_it_is_cut(
    odd: str, said: str, tmp_path: Path
) -> None:
    """No tag begins for a while after it, so that the cut falls on each position in it once."""
    third = f'<row r="3">{hostile.cell("bia@exemplo.com.br", "A3")}'
    begin = len(hostile.sheet(hostile.TABLE + third).partition("</sheetData>")[0])
    for place in range(len(odd) + 1):
        rows = f"{hostile.TABLE}{' ' * (EDGE - begin - place)}{third}{odd}{' ' * 8192}</row>"
        path = hostile.xlsx(tmp_path / f"{place}.xlsx", rows)
        (table,) = open_tables([str(path)], Hints())
        assert said in " ".join(table.notes), place
        path.unlink()


def test_a_link_of_a_cell_is_seen_however_much_follows_it(tmp_path: Path) -> None:
    link = f'<hyperlinks><hyperlink ref="B2" id="rId1" xmlns="{hostile.OFFICE}"/></hyperlinks>'
    relation = '<Relationship Id="rId1" Type="x" Target="mailto:ana@exemplo.com.br"/>'
    path = hostile.xlsx(
        tmp_path / "links.xlsx",
        after=link + "<pageMargins/>" * (1 << 18),
        **{
            "xl__worksheets___rels__sheet1_xml.rels": f'<Relationships xmlns="{hostile.PACKAGE}">'
            f"{relation}</Relationships>"
        },
    )
    (table,) = open_tables([str(path)], Hints())
    assert "1 cell, in row 2 (“Ana”), is a link" in " ".join(table.notes)


def test_what_is_noted_of_a_sheet_does_not_depend_on_the_prefix_of_its_tags(
    tmp_path: Path,
) -> None:
    """Some programs, such as those based on .NET, write `<x:row>` for `<row>`."""
    book = openpyxl.Workbook()
    for row in (("E-mail", "Empresa"), ("ana@exemplo.com.br", "Acme"), ("bia@exemplo.com.br",)):
        book.active.append(row)
    book.active.append(("caio@exemplo.com.br", "#N/A"))
    book.active["B4"].data_type = "e"
    book.active.merge_cells("B2:B3")
    book.active.row_dimensions[3].hidden = True
    book.active.auto_filter.ref = "A1:B4"
    plain = opened(tmp_path / "plain.xlsx", book)
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as new, zipfile.ZipFile(plain.name) as old:
        for part in old.namelist():
            data = old.read(part)
            if part.startswith("xl/worksheets/sheet"):
                data = re.sub(rb"<(/?)(?=\w)", rb"<\1x:", data).replace(b" xmlns=", b" xmlns:x=")
            new.writestr(part, data)
    (prefixed,) = open_tables([str(tmp_path / "x.xlsx")], Hints())
    assert read(prefixed) == read(plain)
    assert prefixed.notes == plain.notes
    assert len(plain.notes) == 3
