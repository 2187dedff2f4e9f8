"""The same list on several sheets: `source: {sheets: all}`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
import xlsxwriter

if TYPE_CHECKING:
    from pathlib import Path

    from support.command import Workspace

    from rdimport.sandbox.embedded import RunningSandbox

HEADER = ["Nome", "E-mail"]
SHEETS = {
    "Capa": [["Feira ABF"], ["Março"]],
    "SP": [HEADER, ["Ana", "ana@example.com"], ["Bia", "sem-arroba"]],
    "RJ": [["Lista do Rio"], HEADER, ["Caio", "caio@example.com"], ["Duda", "duda@example.com"]],
    "Velha": [HEADER, ["Eva", "eva@example.com"]],
    "Resumo": [["UF", "Pessoas"], ["SP", "2"]],
}
MAPPING = "conversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"


def book(path: Path, sheets: dict[str, list[list[str]]], hidden: str = "") -> None:
    with xlsxwriter.Workbook(path) as whole:
        for name, rows in sheets.items():
            sheet = whole.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
            if name == hidden:
                sheet.hide()


@pytest.mark.parametrize(
    ("wish", "people"),
    [("all", "ana caio duda"), ("All", "ana caio duda"), ("?J", "caio duda"), ("velha", "eva")],
)
def test_each_sheet_that_fits_is_read(
    workspace: Workspace, box: RunningSandbox, wish: str, people: str
) -> None:
    book(workspace.home / "leads.xlsx", SHEETS, hidden="Velha")
    workspace.write("m.yaml", f"{MAPPING}source: {{sheets: '{wish}'}}\n")
    done = workspace.here("run", "leads.xlsx", "-m", "m.yaml", "--quota", "none", "--json")
    assert done.code in (0, 1), done.err
    sent = [str(each["email"]).partition("@")[0] for each in box.conversions()]
    assert sorted(sent) == people.split()


def test_what_is_read_and_what_is_not_is_reported_and_a_row_names_its_sheet(
    workspace: Workspace, box: RunningSandbox
) -> None:
    book(workspace.home / "leads.xlsx", SHEETS, hidden="Velha")
    workspace.write("m.yaml", f"{MAPPING}source: {{sheets: all}}\n")
    notes = workspace.here("check", "leads.xlsx", "-m", "m.yaml", "--json").summary["notes"]
    assert notes[0] == "Sheets “SP”, “RJ” are read; not read: “Capa”, “Velha”, “Resumo”."
    done = workspace.here("run", "leads.xlsx", "-m", "m.yaml", "--quota", "none", "--json")
    with (workspace.home / done.summary["failures_csv"]).open(
        encoding="utf-8-sig", newline=""
    ) as file:
        (row,) = csv.DictReader(file, delimiter=done_delimiter(file.readline(), file))
    assert (row["rdimport_file"], row["rdimport_row"]) == ("leads.xlsx [SP]", "3")


def done_delimiter(line: str, file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return ";" if ";" in line else ","


@pytest.mark.parametrize("wish", ["MG*", "all"])
def test_sheets_that_are_not_there_end_the_run_before_anything_is_sent(
    workspace: Workspace, box: RunningSandbox, wish: str
) -> None:
    book(
        workspace.home / "leads.xlsx", {"Capa": [["Feira"], ["x"]], "B": [["UF", "N"], ["SP", "2"]]}
    )
    workspace.write("m.yaml", f"{MAPPING}source: {{sheets: '{wish}'}}\n")
    done = workspace.here("run", "leads.xlsx", "-m", "m.yaml", "--quota", "none")
    assert (done.code, box.requests) == (2, 0)
    assert "Capa" in done.err
