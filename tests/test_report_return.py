"""Correcting a report as a person does: LibreOffice opens it, cells are corrected, it saves.

Corrections are made in the workbook that LibreOffice has written, and LibreOffice also writes the
final version, each format with its defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from support.programs import convert, working_office
from support.reports import ApiWorkspace, csv_rows, xlsx_rows
from support.samples import mapping, sample

from rdimport.api.results import RunResult
from rdimport.core.row import REPORTED, State
from rdimport.sandbox.embedded import RunningSandbox

pytestmark = pytest.mark.xdist_group("libreoffice")

ROWS = (
    ("sem arroba", "Zoé Araújo", "(11) 98765-4321", "SP", "00123456789", "", "", "=1+1"),
    ("bia@exemplo.com.br", "Bia", "99", "SP", "00000000191", "", "", "+55 linha\ncom quebra"),
    ("caio@exemplo.com.br", "Caio", "", "XX", "12345678909", "", "", "-"),
    ("dora@exemplo.com.br", "Dora", "", "RJ", "007", "Loja própria", "Sim", ""),
)
FIXED = {"sem arroba": {"E-mail": "zoe@exemplo.com.br"}, "bia@exemplo.com.br": {"Celular": ""}}


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox) -> ApiWorkspace:
    return ApiWorkspace(tmp_path, box)


class Program:
    """LibreOffice, which opens a file and saves it under another name."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile

    def save(self, file: Path, kind: str, folder: str, *, opened: str = "") -> Path:
        """`kind` and `opened` are the choices in the dialogues for saving and opening text."""
        target = file.parent / folder
        read = [f"--infilter={opened}"] if opened else []
        convert(self._profile, *read, "--convert-to", kind, "--outdir", str(target), str(file))
        return target / f"{file.stem}.{kind.partition(':')[0]}"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """LibreOffice with its own profile, created once."""
    profile = tmp_path_factory.mktemp("libreoffice")
    with working_office(profile):
        yield Program(profile)


def correct(path: Path, fixed: dict[str, dict[str, str]], key: str = "E-mail") -> Path:
    """Change cells of the sheet of rows, each row identified by its value in one column."""
    book = openpyxl.load_workbook(path)
    sheet = next(s for s in book if "rdimport_row" in [cell.value for cell in s[1]])
    at = {cell.value: i for i, cell in enumerate(sheet[1])}
    for row in sheet.iter_rows(min_row=2):
        for column, value in fixed.get(str(row[at[key]].value), {}).items():
            row[at[column]].value = value or None
    book.save(path)
    return path


def text_filter(encoding: int, *, text_cells: bool) -> str:
    """The choices in LibreOffice's dialogue: `;`, `"`, the encoding, and quoted cells as text."""
    quoted = str(text_cells).lower()
    return f"CSV:59,34,{encoding},1,,0,{quoted},false"


def save_filter(encoding: int) -> str:
    """`Keep current format` when saving a text file: as it was opened."""
    return f"csv:Text - txt - csv (StarCalc):59,34,{encoding},1,,0,false,true,false"


UTF8, CP1252 = 76, 1


def assert_came_in(workspace: ApiWorkspace, first: RunResult, second: RunResult) -> None:
    """Assert that corrected rows arrived, none twice, and that what is still wrong is reported
    again.
    """
    assert first.counts[State.ACCEPTED] == 1
    assert second.counts == {
        **dict.fromkeys(State, 0),
        State.ACCEPTED: 2,
        State.INVALID: 1,
    }
    arrived = [c["email"] for c in workspace.box.conversions()]
    assert sorted(arrived) == ["bia@exemplo.com.br", "dora@exemplo.com.br", "zoe@exemplo.com.br"]
    (still,) = csv_rows(second.summary.failures_csv)
    assert still["E-mail"] == "caio@exemplo.com.br"
    assert still["rdimport_code"] == "uf.unknown"
    assert still["rdimport_column"] == "UF"


def arrived(workspace: ApiWorkspace, email: str) -> dict[str, str]:
    found = [c for c in workspace.box.conversions() if c["email"] == email]
    assert len(found) == 1
    return dict(found[0])


def test_a_corrected_failures_xlsx_comes_in_as_libreoffice_saves_it(
    workspace: ApiWorkspace, program: Program
) -> None:
    first = workspace.run(workspace.write(*ROWS))
    saved = program.save(Path(first.summary.failures_xlsx), "xlsx", "opened")
    back = program.save(correct(saved, FIXED), "ods", "saved")
    second = workspace.run(back)
    assert_came_in(workspace, first, second)
    zoe = arrived(workspace, "zoe@exemplo.com.br")
    assert zoe["name"] == "Zoé Araújo"
    assert zoe["cf_documento"] == "00123456789"


@pytest.mark.parametrize(("encoding", "number"), [("utf-8", UTF8), ("cp1252", CP1252)])
def test_a_corrected_failures_csv_comes_in_as_libreoffice_saves_it(
    workspace: ApiWorkspace, program: Program, encoding: str, number: int
) -> None:
    first = workspace.run(workspace.write(*ROWS, encoding=encoding))
    opened = text_filter(number, text_cells=True)
    file = Path(first.summary.failures_csv)
    book = correct(program.save(file, "xlsx", "opened", opened=opened), FIXED)
    second = workspace.run(program.save(book, save_filter(number), "saved"))
    assert_came_in(workspace, first, second)
    zoe = arrived(workspace, "zoe@exemplo.com.br")
    assert zoe["name"] == "Zoé Araújo"
    assert zoe["cf_documento"] == "00123456789"


def test_all_values_of_both_reports_survive_libreoffice(
    workspace: ApiWorkspace, program: Program
) -> None:
    done = workspace.run(workspace.write(*ROWS))
    was = csv_rows(done.summary.failures_csv)
    assert xlsx_rows(done.summary.failures_xlsx) == was
    saved = program.save(Path(done.summary.failures_xlsx), "ods", "saved")
    assert xlsx_rows(program.save(saved, "xlsx", "back")) == was
    text = Path(done.summary.failures_csv)
    opened = program.save(text, save_filter(UTF8), "s", opened=text_filter(UTF8, text_cells=True))
    assert csv_rows(opened) == was


def test_a_csv_opened_without_text_cells_loses_zeros_and_runs_formulas_but_still_comes_in(
    workspace: ApiWorkspace, program: Program
) -> None:
    """What the documentation warns of; none of it makes a row arrive twice or get lost."""
    first = workspace.run(workspace.write(*ROWS))
    opened = text_filter(UTF8, text_cells=False)
    file = Path(first.summary.failures_csv)
    book = correct(program.save(file, "xlsx", "opened", opened=opened), FIXED)
    second = workspace.run(program.save(book, save_filter(UTF8), "saved"))
    assert_came_in(workspace, first, second)
    assert arrived(workspace, "zoe@exemplo.com.br")["cf_documento"] == "123456789"


@pytest.mark.parametrize("report", ["failures_xlsx", "failures_csv"])
def test_the_fairs_list_comes_in_with_the_mapping_that_names_its_sheet_and_its_fourth_row(
    workspace: ApiWorkspace, program: Program, report: str
) -> None:
    mapping_path = mapping("feira_abf_2026.xlsx")
    first = workspace.run(sample("feira_abf_2026.xlsx"), mapping=mapping_path)
    assert first.counts[State.INVALID] == 15
    file = Path(first.summary.as_json()[report])
    opened = text_filter(UTF8, text_cells=True) if report == "failures_csv" else ""
    book = program.save(file, "xlsx", "opened", opened=opened)
    fixed = {
        row["rdimport_row"]: {
            "E-mail": f"corrigido{row['rdimport_row']}@exemplo.com.br",
            "Celular/WhatsApp": "(11) 98765-4321",
            "UF": "SP",
        }
        for row in csv_rows(first.summary.failures_csv)
        if row["rdimport_code"] != "boolean.unknown"
    }
    correct(book, fixed, "rdimport_row")
    kind = save_filter(UTF8) if report == "failures_csv" else "xlsx"
    second = workspace.run(program.save(book, kind, "saved"), mapping=mapping_path)
    assert second.counts[State.ACCEPTED] == 14
    assert second.counts[State.INVALID] == 1
    emails = [(c["email"], c["conversion_identifier"]) for c in workspace.box.conversions()]
    assert len(set(emails)) == len(emails) == 219 + 14


def test_the_report_of_a_report_holds_the_first_files_columns_once(workspace: ApiWorkspace) -> None:
    first = workspace.run(workspace.write(*ROWS))
    second = workspace.run(first.summary.failures_csv)
    header = list(csv_rows(second.summary.failures_csv)[0])
    assert header == list(csv_rows(first.summary.failures_csv)[0])
    assert header[-len(REPORTED) :] == list(REPORTED)


def test_a_portuguese_failures_xlsx_has_portuguese_headings_and_states_and_comes_in_again(
    workspace: ApiWorkspace,
) -> None:
    path = workspace.write(*ROWS)
    first = workspace.run(path, lang="pt-BR")
    sheet = openpyxl.load_workbook(first.summary.failures_xlsx)["Linhas"]
    head, row = (list(line) for line in sheet.iter_rows(max_row=2, values_only=True))
    assert "rdimport_row" not in head
    assert row[head.index("rdimport_estado")] == "inválida"
    second = workspace.run(first.summary.failures_xlsx)
    header, *_ = (list(line) for line in csv_rows(second.summary.failures_csv))
    assert header == list(csv_rows(first.summary.failures_csv)[0])
    places = [
        [(line["rdimport_row"], line["rdimport_file"]) for line in csv_rows(run.failures_csv)]
        for run in (first.summary, second.summary)
    ]
    assert places[0] == places[1]


def test_a_row_that_fails_again_keeps_its_place_in_the_list_that_it_came_from(
    workspace: ApiWorkspace,
) -> None:
    good = [(f"p{i}@exemplo.com.br", "Pessoa") for i in range(8)]
    path = workspace.write(*good, *ROWS)
    first = workspace.run(path)
    second = workspace.run(first.summary.failures_xlsx)
    third = workspace.run(second.summary.failures_csv)
    for done in (second, third):
        lines = csv_rows(done.summary.failures_csv)
        assert [line["rdimport_row"] for line in lines] == ["10", "11", "13"]
        assert {line["rdimport_file"] for line in lines} == {path}


def test_a_failure_report_is_read_anew_whatever_was_said_of_the_first_file(
    workspace: ApiWorkspace,
) -> None:
    """Another encoding and delimiter than in the mapping, and a header in another row."""
    first = workspace.run(workspace.write(*ROWS))
    text = Path(first.summary.failures_csv).read_text("utf-8-sig")
    source = (
        "source: {sheet: Leads, header_row: 4, delimiter: ';', encoding: windows-1252}\n"
        "conversion_identifier: Lista\nfields: {email: E-mail, name: Nome}\n"
    )
    for encoding in ("utf-8", "utf-16"):
        back = workspace.home / f"corrigido-{encoding}.csv"
        back.write_text(text.replace('";"', '"\t"'), encoding)
        again = workspace.run(back, mapping=source)
        assert csv_rows(again.summary.failures_csv)[0]["Nome"] == "Zoé Araújo"
    again = workspace.run(first.summary.failures_xlsx, mapping=source)
    assert csv_rows(again.summary.failures_csv)[0]["Nome"] == "Zoé Araújo"


def test_a_report_without_its_first_sheet_is_still_known(workspace: ApiWorkspace) -> None:
    first = workspace.run(workspace.write(*ROWS))
    book = openpyxl.load_workbook(first.summary.failures_xlsx)
    for name in book.sheetnames:
        if name.startswith("rdimport"):
            del book[name]
    back = workspace.home / "corrigido.xlsx"
    book.save(back)
    assert sum(workspace.run(back).counts.values()) == 3
