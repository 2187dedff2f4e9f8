"""Output to a terminal or pipe whose code page lacks characters, as on Windows (simulated)."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryFile

import pytest
from support.command import Workspace, command_in
from support.lists import MAPPING, people
from support.waiting import TIMEOUT

from rdimport.ledger.sqlite.schema import uri_of

PAGES = ["cp850", "cp1252", "cp437", "ascii"]
NAME = "Łódź “2026”.csv"


def printed(workspace: Workspace, page: str, *words: str) -> bytes:
    """What a command writes in a code page."""
    environment = {**workspace._variables(), "PYTHONIOENCODING": page}
    with TemporaryFile() as out, TemporaryFile() as err:
        process = command_in(
            workspace.home, environment, [*words, "--lang", "pt-BR"], out=out, err=err
        )
        code = process.wait(TIMEOUT)
        for file in (out, err):
            file.seek(0)
        assert code in (0, 1), err.read()
        return out.read()


@pytest.fixture
def lists(workspace: Workspace) -> Workspace:
    workspace.write(NAME, people(2) + "Carla,carla.exemplo.com.br\n")
    workspace.write("list.yaml", MAPPING)
    return workspace


@pytest.mark.parametrize("page", PAGES)
def test_marks_that_a_code_page_lacks_are_shown_as_the_nearest_ones(
    page: str, lists: Workspace
) -> None:
    shown = printed(lists, page, "check", NAME, "-m", "list.yaml").decode(page)
    arrow, opening = ("->", '"') if page != "cp1252" else ("->", "“")
    assert f"{arrow} corrija-o ou tire a linha do arquivo" in shown
    assert f"coluna {opening}" in shown
    assert "?" in shown.splitlines()[0], "a letter without a likeness"
    assert ("não é um" in shown) == (page not in ("ascii", "cp437"))


@pytest.mark.parametrize("page", PAGES)
def test_json_loses_no_character(page: str, lists: Workspace) -> None:
    found = printed(lists, page, "check", NAME, "-m", "list.yaml", "--json")
    assert json.loads(found.decode("utf-8"))["files"] == [NAME]


@pytest.mark.parametrize("page", PAGES)
def test_a_mapping_that_goes_into_a_file_is_in_utf_8(page: str, workspace: Workspace) -> None:
    workspace.write("lista.csv", "Razão social;E-mail;Situação\nPão & Cia;a@exemplo.com.br;ativo\n")
    Path(workspace.home / "lista.yaml").write_bytes(printed(workspace, page, "init", "lista.csv"))
    assert "Razão social" in (workspace.home / "lista.yaml").read_text("utf-8")
    assert b"1  a enviar" in printed(workspace, page, "check", "lista.csv", "-m", "lista.yaml")


@pytest.mark.filterwarnings("ignore:pathlib.PurePath.as_uri")  # a Path in real use
def test_a_ledger_in_a_shared_folder_of_windows_has_an_address_that_sqlite_takes() -> None:
    there = uri_of(PureWindowsPath(r"\\servidor\leads\ledger.sqlite3"))
    assert there == "file:////servidor/leads/ledger.sqlite3?mode=ro"
    assert (
        uri_of(PureWindowsPath(r"C:\leads\ledger.sqlite3"))
        == "file:///C:/leads/ledger.sqlite3?mode=ro"
    )
