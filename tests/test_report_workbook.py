"""failures.xlsx, read back with a different library."""

from __future__ import annotations

import csv
import os
import stat
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest
from support.reports import COLUMNS, MAPPING, ApiWorkspace, csv_rows, xlsx_rows
from support.samples import mapping, sample

from rdimport.core.errors import LedgerError
from rdimport.core.names import fold
from rdimport.core.row import REPORTED, Problem, State
from rdimport.destination.rdstation.custom_fields import CustomField, CustomFields
from rdimport.ledger import Input, Ledger, Outcome, RunRecord, store_of
from rdimport.report.data import load_report_data
from rdimport.report.failures_xlsx import sheets
from rdimport.report.words import Words
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

FORMULAS = ("=1+1", "+55 11", "-3", "@SUM(A1)", "\tx", '=HYPERLINK("http://example.com")', "{=1}")
WRONG = [("sem arroba", "Ana", "", "", "00123456789", "", "", cell) for cell in FORMULAS]


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox) -> ApiWorkspace:
    return ApiWorkspace(tmp_path, box)


def rows_sheet(path: str, name: str = "Rows") -> Worksheet:
    return openpyxl.load_workbook(path)[name]


HEADER = [COLUMNS[0], "rdimport_reason", *COLUMNS[1:], *REPORTED[:-1]]


def at(name: str) -> int:
    """The column of that heading, from 1."""
    return HEADER.index(name) + 1


def test_nothing_from_the_data_is_a_formula_a_number_or_a_link(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*WRONG))
    path = done.summary.failures_xlsx
    cells = [cell for row in rows_sheet(path).iter_rows(min_row=2) for cell in row if cell.value]
    assert {cell.data_type for cell in cells} == {"s"}
    assert {cell.number_format for cell in cells} == {"@"}
    assert {cell.value for cell in cells} >= {*FORMULAS, "00123456789"}
    with zipfile.ZipFile(path) as packed:
        sheets = [n for n in packed.namelist() if n.startswith("xl/worksheets/sheet")]
        text = b"".join(packed.read(name) for name in sheets)
    assert b"<f>" not in text
    assert b'r:id="rIdH' not in text


def test_an_empty_cell_is_text_too_so_that_what_is_typed_into_it_stays(
    workspace: ApiWorkspace,
) -> None:
    sheet = rows_sheet(workspace.run(workspace.write(*WRONG)).summary.failures_xlsx)
    assert sheet.cell(2, at("Celular")).value is None
    assert sheet.cell(2, at("Celular")).number_format == "@"


@pytest.mark.parametrize("phone", ["9", ""])
def test_what_looks_wrong_in_a_row_that_failed_has_a_colour_of_its_own(
    workspace: ApiWorkspace, phone: str
) -> None:
    if not phone:  # then it is valid, and fails when sent
        workspace.box.set_faults(Faults(reset_after=1.0))
    rules = MAPPING + "checks: {email: {role: suspect}}\n"
    done = workspace.run(workspace.write(("contato@exemplo.com.br", "Ana", phone)), mapping=rules)
    first, sheet = openpyxl.load_workbook(done.summary.failures_xlsx).worksheets[:2]
    assert done.counts[State.INVALID if phone else State.UNCERTAIN] == 1
    assert sheet["A2"].fill.fgColor.rgb == "FFFFEB9C"
    assert "is a role address" in sheet["A2"].comment.text
    wrong = (
        sheet.cell(2, at("Celular"))
        if phone
        else next(c for c in sheet[2] if c.value == "uncertain")
    )
    assert wrong.fill.fgColor.rgb == ("FFFFC7CE" if phone else "FFE4DFEC")
    assert "worth checking" in [cell.value for row in first.iter_rows() for cell in row]


def test_an_offending_cell_is_coloured_and_its_comment_says_what_and_what_to_do(
    workspace: ApiWorkspace,
) -> None:
    done = workspace.run(
        workspace.write(("sem arroba", "Ana", "123", "XX"), ("ana@exemplo.com.br",))
    )
    sheet = rows_sheet(done.summary.failures_xlsx)
    cells = {name: sheet.cell(2, at(name)) for name in COLUMNS}
    wrong = {name for name, cell in cells.items() if cell.fill.fill_type == "solid"}
    assert wrong == {"E-mail", "Celular", "UF"}
    assert cells["Nome"].comment is None
    comment = cells["UF"].comment
    assert comment is not None
    assert "“XX” is not a Brazilian state" in comment.text
    assert "write its two letters" in comment.text


def test_the_first_sheet_counts_each_problem_and_links_to_its_rows(workspace: ApiWorkspace) -> None:
    done = workspace.run(sample("feira_abf_2026.xlsx"), mapping=mapping("feira_abf_2026.xlsx"))
    book = openpyxl.load_workbook(done.summary.failures_xlsx)
    assert book.sheetnames[:2] == ["rdimport summary", "Leads"]
    first = book.worksheets[0]
    rows_by_code = {
        row[1].value: row for row in first.iter_rows() if row[1].value in done.summary.problems
    }
    assert {code: row[0].value for code, row in rows_by_code.items()} == done.summary.problems
    header = {cell.value: i for i, cell in enumerate(next(book["Leads"].iter_rows()))}
    for code, row in rows_by_code.items():
        assert row[3].value
        links = [cell.hyperlink.location for cell in row if cell.hyperlink]
        assert len(links) == min(3, done.summary.problems[code])
        for link in links:
            sheet, _, cell = link.rpartition("!")
            assert sheet == "'Leads'"
            line = book["Leads"][cell].row
            assert code in str(book["Leads"].cell(line, header["rdimport_code"] + 1).value)


def test_the_first_sheet_has_room_for_its_texts_and_no_more(workspace: ApiWorkspace) -> None:
    workspace.box.set_faults(Faults(odd=1.0, odd_status=202, at_most=2))
    good = [(f"p{i}@exemplo.com.br", "Pessoa") for i in range(3)]
    done = workspace.run(workspace.write(*good, ("ana@exemplo.com.br", "Ana", "9")))
    sheet = openpyxl.load_workbook(done.summary.failures_xlsx)["rdimport summary"]
    cells = {str(cell.value): cell for row in sheet.iter_rows() for cell in row if cell.value}
    states = [cells["invalid"], cells["uncertain"], cells["accepted"]]
    assert [cell.alignment.indent for cell in states] == [1, 1, 1]
    code = cells["uncertain.success_not_understood"]
    assert len(str(code.value)) < sheet.column_dimensions["B"].width
    short, long = (
        sheet.row_dimensions[cell.row].height for cell in (cells["phone.too_short"], code)
    )
    assert (round(short / 15), round(long / 15)) == (1, 2)
    assert cells["How to import them again"].border.bottom.style is None
    (next_step,) = (cell for text, cell in cells.items() if text.startswith("RD's webhook"))
    assert sheet.row_dimensions[next_step.row].height > 2 * 15
    assert any(next_step.coordinate in merged for merged in sheet.merged_cells.ranges)


def test_header_first_column_and_reason_are_frozen_and_all_can_be_filtered(
    workspace: ApiWorkspace,
) -> None:
    sheet = rows_sheet(workspace.run(workspace.write(*WRONG)).summary.failures_xlsx)
    assert [cell.value for cell in sheet[1]] == HEADER
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref == f"A1:P{len(WRONG) + 1}"
    assert 8 <= sheet.column_dimensions["A"].width <= 36


def test_a_long_cell_wraps_in_a_row_that_has_room_for_it_and_no_more_than_a_dozen_lines(
    workspace: ApiWorkspace,
) -> None:
    bad = ("sem arroba", "Ana", "", "", "", "", "")
    notes = ("curta", "palavra " * 12, "linha\n" * 3, "palavra " * 900)
    mapping = "conversion_identifier: L\nfields: {email: E-mail}"
    done = workspace.run(workspace.write(*((*bad, note) for note in notes)), mapping=mapping)
    sheet = rows_sheet(done.summary.failures_xlsx)
    heights = [sheet.row_dimensions[row].height for row in range(2, 6)]
    assert heights[0] in (None, 15)
    assert [round(height / 15) for height in heights[1:]] == [3, 3, 12]
    assert all(cell.alignment.wrap_text for row in sheet["A2:I5"] for cell in row)
    assert sheet.column_dimensions["B"].width > 40


@pytest.mark.parametrize("columns", [1, 8, 60])
def test_it_prints_on_pages_that_can_be_read(workspace: ApiWorkspace, columns: int) -> None:
    names = ["E-mail", *(f"Coluna {i}" for i in range(1, columns))]
    path = workspace.home / "wide.csv"
    path.write_text(f"{';'.join(names)}\nsem arroba{';valor' * (columns - 1)}\n", "utf-8")
    mapping = "conversion_identifier: L\nfields: {email: E-mail}"
    sheet = rows_sheet(workspace.run(path, mapping=mapping).summary.failures_xlsx)
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.print_title_cols == "$A:$B"
    pages = sheet.page_setup.fitToWidth or 1
    assert len(names) * 11 / 260 < pages <= 1 + len(names) * 14 / 120
    assert len(sheet.print_area.split("$")) == 5


def test_columns_whose_values_are_known_have_them_in_a_list(workspace: ApiWorkspace) -> None:
    book = openpyxl.load_workbook(workspace.run(workspace.write(*WRONG)).summary.failures_xlsx)
    found = {}
    for rule in book["Rows"].data_validations.dataValidation:
        column = HEADER[openpyxl.utils.cell.range_boundaries(str(rule.sqref))[0] - 1]
        sheet, _, cells = rule.formula1.rpartition("!")
        found[column] = [cell.value for (cell,) in book[sheet.strip("'")][cells.replace("$", "")]]
    assert set(found) == {"UF", "Interesse", "Aceite"}
    assert "SP" in found["UF"]
    assert len(found["UF"]) == 27
    assert found["Interesse"] == ["Franquia", "Loja própria"]
    assert found["Aceite"] == ["Sim", "Não"]


def test_the_options_that_a_field_has_in_rd_are_in_a_list_too(workspace: ApiWorkspace) -> None:
    field = CustomField("cf_documento", options=("CPF", "CNPJ"))
    catalogue = CustomFields.of([field], "campos.json")
    mapping = "conversion_identifier: L\nfields: {email: E-mail, cf_documento: DOCUMENTO}"
    done = workspace.run(workspace.write(*WRONG), mapping=mapping, custom_fields=catalogue)
    book = openpyxl.load_workbook(done.summary.failures_xlsx)
    assert [cell.value for cell in book["rdimport lists"]["A"]] == ["CPF", "CNPJ"]


def test_past_the_limit_of_a_sheet_the_rows_go_on_in_further_ones_and_all_come_back(
    workspace: ApiWorkspace,
) -> None:
    rows = [(f"errado {i}", f"P{i}") for i in range(25)]
    done = workspace.run(workspace.write(*rows))
    path = workspace.home / "failures.xlsx"
    with workspace.ledger() as ledger:
        run = ledger.run()
        story = load_report_data(run, workspace.home)
        assert sheets.write(run, path, story, sheet_rows=10) == 25
    assert openpyxl.load_workbook(path).sheetnames[1:4] == ["Rows", "Rows (2)", "Rows (3)"]
    assert [row["Nome"] for row in xlsx_rows(path)] == [f"P{i}" for i in range(25)]
    again = workspace.run(path)
    assert again.counts == done.counts
    assert [line["Nome"] for line in csv_rows(again.summary.failures_csv)] == [
        f"P{i}" for i in range(25)
    ]


def test_a_sheet_whose_rows_were_all_deleted_is_passed_over(workspace: ApiWorkspace) -> None:
    workspace.run(workspace.write(*((f"errado {i}", f"P{i}") for i in range(15))))
    path = workspace.home / "failures.xlsx"
    with workspace.ledger() as ledger:
        run = ledger.run()
        sheets.write(run, path, load_report_data(run, workspace.home), sheet_rows=10)
    book = openpyxl.load_workbook(path)
    book["Rows"].delete_rows(2, 20)
    book.save(path)
    assert sum(workspace.run(path).counts.values()) == 5


def test_a_run_without_failures_gives_a_workbook_with_nothing_to_correct(
    workspace: ApiWorkspace,
) -> None:
    done = workspace.run(workspace.write(("ana@exemplo.com.br", "Ana")))
    path = done.summary.failures_xlsx
    assert xlsx_rows(path) == []
    first = openpyxl.load_workbook(path).worksheets[0]
    assert "No problems were found." in {row[0].value for row in first.iter_rows()}


def test_the_report_speaks_portuguese_where_it_is_asked_to(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(("sem arroba", "Ana")), lang="pt-BR")
    book = openpyxl.load_workbook(done.summary.failures_xlsx)
    assert book.sheetnames[0] == "rdimport resumo"
    (row,) = csv_rows(done.summary.failures_csv)
    assert row["rdimport_reason"] == "“sem arroba” não é um e-mail: falta o @"
    assert row["rdimport_code"] == "email.no_at"
    comment = book["Linhas"]["A2"].comment
    assert comment is not None
    assert "falta o @" in comment.text


def test_only_its_owner_may_read_it(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*WRONG))
    for name in ("failures_csv", "failures_xlsx", "summary_json"):
        assert stat.S_IMODE(Path(done.summary.as_json()[name]).stat().st_mode) == 0o600
    assert stat.S_IMODE(done.report_dir.stat().st_mode) == 0o700
    assert {p.name[0] for p in done.report_dir.iterdir()} != {"."}


def test_a_cell_longer_than_excel_takes_is_cut_and_says_so(workspace: ApiWorkspace) -> None:
    long = "x" * 40_000
    done = workspace.run(workspace.write(("sem arroba", "Ana", "", "", "", "", "", long)))
    cell = rows_sheet(done.summary.failures_xlsx).cell(2, at("Nota"))
    assert len(str(cell.value)) == 32_767
    assert cell.comment is not None
    (row,) = csv_rows(done.summary.failures_csv)
    assert row["Nota"] == long


def test_a_cell_is_as_long_as_excel_counts(workspace: ApiWorkspace) -> None:
    """In UTF-16, where an emoji counts twice."""
    fits, longer = "x" * 32_765 + "😀", "x" * 32_766 + "😀"
    rows = [("sem arroba", "Ana", "", "", "", "", "", note) for note in (fits, longer)]
    sheet = rows_sheet(workspace.run(workspace.write(*rows)).summary.failures_xlsx)
    whole, cut = (sheet.cell(row, at("Nota")) for row in (2, 3))
    assert (whole.value, whole.comment) == (fits, None)
    assert cut.value == longer[:-1]
    assert cut.comment is not None


def test_what_is_wrong_with_a_long_cell_is_said_before_that_it_was_cut(
    workspace: ApiWorkspace,
) -> None:
    done = workspace.run(workspace.write(("sem arroba" * 4_000, "Ana")))
    comment = rows_sheet(done.summary.failures_xlsx)["A2"].comment
    assert comment is not None
    assert comment.text.startswith("“sem arroba")


ODD = (
    "<r>Tom & Jerry</r>",
    "<r><t>x</t></r>",
    "a < b && c > d \"e\" 'f'",
    "  two blanks around  ",
    "a\tb\nc",
    "_x0041_x0042_",
    "__x000d_",
    "_",
    "\x01\x1f\x7f",
    "]]>",
    "Zoë 😀 \u2028",
)


def test_every_text_comes_back_as_it_was(workspace: ApiWorkspace) -> None:
    heading = "<r>Nota & mais</r>"
    path = workspace.home / "odd.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerows([("E-mail", heading), *(("sem arroba", text) for text in ODD)])
    mapping = "conversion_identifier: L\nfields: {email: E-mail}"
    first = workspace.run(path, mapping=mapping)
    assert rows_sheet(first.summary.failures_xlsx)["C1"].value == heading
    again = workspace.run(first.summary.failures_xlsx, mapping=mapping)
    found = [csv_rows(done.summary.failures_csv) for done in (first, again)]
    assert [row[heading] for row in found[0]] == list(ODD)
    assert [row[heading] for row in found[1]] == list(ODD)


def test_markup_is_text_on_every_sheet(workspace: ApiWorkspace) -> None:
    """XlsxWriter takes such a text for its own markup: no program opens that file."""
    odd = "<r>Tom & Jerry</r>"
    mapping = (
        "conversion_identifier: L\ninvalid: {mobile_phone: drop}\n"
        f'fields: {{email: E-mail, mobile_phone: Fone, cf_a: {{column: "{odd}", '
        f'values: {{"{odd}": a, b: b}}, otherwise: invalid}}}}\n'
    )
    found = []
    for rows in ("ana@exemplo.com.br;;b", f"bia@exemplo.com.br;{odd};{odd}", "sem arroba;;b"):
        path = workspace.home / "odd.csv"
        path.write_text(f"E-mail;Fone;{odd}\n{rows}\n", encoding="utf-8")
        done = workspace.run(path, mapping=mapping)
        book = openpyxl.load_workbook(done.summary.failures_xlsx)
        found.append(
            {
                (sheet.title, cell.coordinate)
                for sheet in book.worksheets
                for row in sheet.iter_rows()
                for cell in row
                if cell.value == odd
            }
        )
    nothing, dropped, failed = found
    assert nothing == {("Rows", "D1")}
    assert dropped == {
        ("Rows", "D1"),
        *(("sent without", cell) for cell in ("C1", "B2", "C2", "G2")),
    }
    assert failed == {("Rows", "D1"), ("rdimport lists", "A1")}


@pytest.mark.filterwarnings("ignore:Print area")  # it is all columns
def test_columns_beyond_those_of_a_sheet_are_left_to_the_csv(workspace: ApiWorkspace) -> None:
    columns = 16_380
    path = workspace.home / "wide.csv"
    names = ["E-mail", *(f"c{i}" for i in range(1, columns))]
    path.write_text(f"{';'.join(names)}\nsem arroba{';' * (columns - 1)}\n", "utf-8")
    done = workspace.run(path, mapping="conversion_identifier: L\nfields: {email: E-mail}")
    sheet = rows_sheet(done.summary.failures_xlsx)
    assert sheet.dimensions == "A1:XFD2"
    assert "has no @" in str(sheet["B2"].value)
    assert len(csv_rows(done.summary.failures_csv)[0]) == columns + len(REPORTED)


def test_what_is_in_a_row_is_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Nome " * 400
    for rows_kept in ("COMMENTED", "_MEASURED"):
        monkeypatch.setattr(sheets, rows_kept, 100)

    def most(ledger: Ledger, name: str, rows: int) -> int:
        """The peak memory in bytes of writing `rows` rows."""
        run = ledger.start_run(name, "x", datetime.now(UTC), RunRecord())
        run.record_input(0, Input("a.csv", ("E-mail", "Nome")))
        problems = (Problem("email.no_at", "email", "E-mail", "errado"),)
        for start in range(0, rows, 100):
            ends = (
                Outcome(0, start + i, State.INVALID, problems, ("errado", f"{text}{i}"))
                for i in range(100)
            )
            run.record_rows(100, 0, list(ends))
        story = load_report_data(run, tmp_path)
        tracemalloc.start()
        try:
            assert sheets.write(run, tmp_path / f"{name}.xlsx", story) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with store_of(tmp_path).open() as ledger:
        most(ledger, "first", 100)  # loads the libraries
        few = most(ledger, "few", 200)
        assert most(ledger, "many", 1000) - few < 800 * len(text) // 4


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed nowhere")
def test_a_ledger_that_fails_meanwhile_leaves_no_file_open(workspace: ApiWorkspace) -> None:
    workspace.run(workspace.write(*((f"errado {i}", f"P{i}") for i in range(25))))

    def fail(_: int) -> None:
        raise LedgerError("no answer", "")

    with workspace.ledger() as ledger:
        run = ledger.run()
        story = load_report_data(run, workspace.home)
        with pytest.raises(LedgerError) as held:  # and with it the frames that it passed
            sheets.write(run, workspace.home / "failures.xlsx", story, advance=fail)
        opened = [os.path.realpath(number) for number in Path("/proc/self/fd").iterdir()]
    assert held.value.message == "no answer"
    assert [path for path in opened if "failures.xlsx" in path] == []
    assert not list(workspace.home.glob("*failures.xlsx*"))


@pytest.mark.parametrize("name", ["[a]:b", "rdimport resumo", "x" * 40, "'Leads'", "History"])
def test_any_name_of_a_sheet_of_the_input_gives_one_that_excel_takes(
    workspace: ApiWorkspace, name: str
) -> None:
    found = sheets.sheet_name({0: Input("a.ods", ("a",), sheet=name)}, Words("en"))
    assert 0 < len(found) <= 31
    assert not set(found) & set("[]:*?/\\")
    assert not fold(found).startswith("rdimport")
