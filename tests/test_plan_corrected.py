"""A list whose failed rows were corrected in its failure report, and imported again as it was."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

import openpyxl
import pytest
from support.claims import KEY
from support.command import Workspace
from support.postgres import Server
from support.reports import COLUMNS, MAPPING, ApiWorkspace, csv_rows
from support.shared_ledgers import PostgresPlace

from rdimport import api
from rdimport.api.results import RunResult
from rdimport.core.errors import ExitCode
from rdimport.core.row import State
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.mapping import Mapping
from rdimport.sandbox.embedded import RunningSandbox
from rdimport.sandbox.faults import Faults

GOOD = ("ana@exemplo.com.br", "Ana", "", "SP")
NO_AT = ("sem arroba", "Zoé Araújo", "(11) 98765-4321", "SP")
NO_UF = ("caio@exemplo.com.br", "Caio", "", "XX")
ZOE = {"E-mail": "zoe@exemplo.com.br"}
CAIO = {"UF": "RJ"}
LATER = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def api_workspace(tmp_path: Path, box: RunningSandbox) -> ApiWorkspace:
    return ApiWorkspace(tmp_path, box)


def corrected(report: str | Path, *fixes: dict[str, str], to: Path | None = None) -> Path:
    """Correct the first rows of a failures.csv, in place or in a copy `to` elsewhere."""
    rows = csv_rows(report)
    rows = [row | fix for row, fix in zip_longest(rows, fixes, fillvalue={})]
    path = to or Path(report)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]), delimiter=";")
        out.writeheader()
        out.writerows(rows)
    return path


def ends(done: RunResult) -> dict[str, int]:
    return {str(state): rows for state, rows in done.counts.items() if rows}


def test_the_list_comes_again_as_it_was_and_nothing_in_it_fails(
    api_workspace: ApiWorkspace,
) -> None:
    path = api_workspace.write(GOOD, NO_AT, NO_UF)
    first = api_workspace.run(path)
    assert ends(first) == {"accepted": 1, "invalid": 2}
    second = api_workspace.run(corrected(first.summary.failures_csv, ZOE, CAIO))
    assert ends(second) == {"accepted": 2}
    assert any("correct rows of lista.csv" in note for note in second.notes)
    for _ in range(2):
        again = api_workspace.run(path)
        assert (ends(again), again.exit_code) == ({"already_imported": 3}, ExitCode.DONE)
        assert again.summary.corrected == {second.summary.run_id: 2}
        assert csv_rows(again.summary.failures_csv) == []
        assert "2 rows of the list were corrected" in Path(again.summary.report_html).read_text()
    assert len(api_workspace.box.conversions()) == 3


def test_only_rows_that_were_corrected_and_accepted_count_as_imported(
    api_workspace: ApiWorkspace,
) -> None:
    path = api_workspace.write(GOOD, NO_AT, NO_UF)
    first = api_workspace.run(path)
    second = api_workspace.run(corrected(first.summary.failures_csv, ZOE))
    assert ends(second) == {"accepted": 1, "invalid": 1}
    again = api_workspace.run(path)
    assert (ends(again), again.exit_code) == (
        {"already_imported": 2, "invalid": 1},
        ExitCode.FAILED_ROWS,
    )
    (still,) = csv_rows(again.summary.failures_csv)
    assert still["E-mail"] == "caio@exemplo.com.br"


@pytest.mark.parametrize(
    "changed",
    [("sem arroba", "Zoé Araújo", "(11) 98765-4321", "RJ"), ("sem arroba", "Outra", "", "SP")],
)
def test_a_row_of_which_a_cell_has_changed_is_another_one_and_fails(
    api_workspace: ApiWorkspace, changed: tuple[str, ...]
) -> None:
    path = api_workspace.write(NO_AT)
    api_workspace.run(corrected(api_workspace.run(path).summary.failures_csv, ZOE))
    again = api_workspace.run(api_workspace.write(changed))
    assert ends(again) == {"invalid": 1}
    assert again.summary.corrected == {}


def test_rows_that_moved_in_their_list_are_known_and_as_many_as_were_corrected(
    api_workspace: ApiWorkspace,
) -> None:
    twice = api_workspace.run(api_workspace.write(NO_AT, NO_AT, NO_UF))
    rows = csv_rows(twice.summary.failures_csv)
    assert len(rows) == 3
    api_workspace.run(corrected(twice.summary.failures_csv, ZOE))
    again = api_workspace.run(api_workspace.write(GOOD, NO_UF, NO_AT, NO_AT))
    assert ends(again) == {"accepted": 1, "already_imported": 1, "invalid": 2}


def test_a_correction_that_fails_again_and_is_corrected_again_counts_for_the_first_list(
    api_workspace: ApiWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each report is imported from its folder."""
    path = api_workspace.write(NO_AT)
    first = api_workspace.run(path)
    report = corrected(first.summary.failures_csv, {"E-mail": "zoe@", "Nome": "Zoé A."})
    monkeypatch.chdir(report.parent)
    second = api_workspace.run("failures.csv")
    assert ends(second) == {"invalid": 1}
    monkeypatch.chdir(corrected(second.summary.failures_csv, ZOE).parent)
    third = api_workspace.run("failures.csv")
    assert ends(third) == {"accepted": 1}
    again = api_workspace.run(path)
    assert again.summary.corrected == {third.summary.run_id: 1}


@pytest.mark.parametrize(("fix", "known"), [(ZOE, 1), (ZOE | {"Nome": "Zoé de Araújo"}, 0)])
def test_a_report_that_was_moved_is_matched_by_its_cells_and_otherwise_says_so(
    api_workspace: ApiWorkspace, fix: dict[str, str], known: int
) -> None:
    path = api_workspace.write(NO_AT)
    moved = api_workspace.home / "corrigido.csv"
    second = api_workspace.run(
        corrected(api_workspace.run(path).summary.failures_csv, fix, to=moved)
    )
    assert ends(second) == {"accepted": 1}
    assert any("could not be matched" in note for note in second.notes) is not bool(known)
    assert api_workspace.run(path).counts[State.ALREADY_IMPORTED] == known


def test_rows_of_two_nights_at_the_same_place_are_told_apart(api_workspace: ApiWorkspace) -> None:
    """Each night's list has the same name: only the one whose report it was counts as corrected."""
    other = ("outra sem", "Zoé Araújo", "(11) 98765-4321", "SP")
    first = api_workspace.run(api_workspace.write(NO_AT))
    kept = api_workspace.home / "noite1.csv"
    shutil.copy(first.summary.failures_csv, kept)
    path = api_workspace.write(other)
    api_workspace.run(path)
    api_workspace.run(corrected(kept, ZOE))
    assert ends(api_workspace.run(path)) == {"invalid": 1}
    assert ends(api_workspace.run(api_workspace.write(NO_AT))) == {"already_imported": 1}


def test_a_failures_xlsx_in_portuguese_counts_too(api_workspace: ApiWorkspace) -> None:
    path = api_workspace.write(NO_AT)
    first = api_workspace.run(path, lang="pt-BR")
    book = openpyxl.load_workbook(first.summary.failures_xlsx)
    sheet = book["Linhas"]
    (cell,) = [c for line in sheet.iter_rows() for c in line if c.value == "sem arroba"][:1]
    cell.value = "zoe@exemplo.com.br"
    book.save(first.summary.failures_xlsx)
    second = api_workspace.run(first.summary.failures_xlsx)
    assert ends(second) == {"accepted": 1}
    assert api_workspace.run(path).summary.corrected == {second.summary.run_id: 1}


def test_a_refused_row_that_was_corrected_counts_too(api_workspace: ApiWorkspace) -> None:
    path = api_workspace.write(GOOD)
    api_workspace.box.set_faults(Faults(odd=1.0, odd_status=413))
    first = api_workspace.run(path)
    assert ends(first) == {"refused": 1}
    api_workspace.box.set_faults(Faults())
    assert ends(api_workspace.run(path)) == {"refused": 1}
    api_workspace.run(corrected(first.summary.failures_csv, {"E-mail": "ana.lima@exemplo.com.br"}))
    assert ends(api_workspace.run(path)) == {"already_imported": 1}


TWO = ("zoe@exemplo.com.br; bia@exemplo.com.br", "Zoé", "", "SP")
FIRST = MAPPING.replace("email: E-mail", "email: {column: E-mail, several: first}")
SENDS = MAPPING + "on_change: send\n"
DROPS = SENDS + "invalid: {state: drop}\n"
LATER_VALID = [
    (TWO, {"E-mail": "bia@exemplo.com.br"}, MAPPING, FIRST),
    (TWO, {"E-mail": "bia@exemplo.com.br"}, SENDS, FIRST + "on_change: send\n"),
    (NO_UF, CAIO, SENDS, DROPS),
    (NO_UF, CAIO, SENDS + "on_duplicate: merge\n", DROPS + "on_duplicate: merge\n"),
]


@pytest.mark.parametrize(("row", "fix", "before", "now"), LATER_VALID)
def test_nobody_is_sent_again_because_the_mapping_takes_the_original_row_now(
    api_workspace: ApiWorkspace, row: tuple[str, ...], fix: dict[str, str], before: str, now: str
) -> None:
    path = api_workspace.write(GOOD, row)
    first = api_workspace.run(path, mapping=before)
    assert ends(first) == {"accepted": 1, "invalid": 1}
    second = api_workspace.run(corrected(first.summary.failures_csv, fix), mapping=before)
    assert ends(second) == {"accepted": 1}
    for _ in range(2):
        again = api_workspace.run(path, mapping=now)
        assert ends(again) == {"already_imported": 2}
        assert again.summary.corrected == {second.summary.run_id: 1}
    assert len(api_workspace.box.conversions()) == 2


MERGES = MAPPING + "on_duplicate: merge\n"


@pytest.mark.parametrize("mapping", [MAPPING, SENDS, MERGES])
@pytest.mark.parametrize("resend", [(), (State.REFUSED,)])
def test_nor_because_a_refused_row_differs_or_is_resent(
    api_workspace: ApiWorkspace, mapping: str, resend: tuple[State, ...]
) -> None:
    path = api_workspace.write(GOOD)
    api_workspace.box.set_faults(Faults(odd=1.0, odd_status=413))
    first = api_workspace.run(path, mapping=mapping)
    assert ends(first) == {"refused": 1}
    api_workspace.box.set_faults(Faults())
    fixed = corrected(first.summary.failures_csv, {"E-mail": "ana.lima@exemplo.com.br"})
    assert ends(api_workspace.run(fixed, mapping=mapping)) == {"accepted": 1}
    assert ends(api_workspace.run(path, mapping=mapping)) == {"already_imported": 1}
    tagged = mapping.replace("fields:", "fields:\n  traffic_source: {value: feira}")
    again = api_workspace.run(path, mapping=tagged, resend=resend)
    assert ends(again) == {"already_imported": 1}


def test_a_row_that_was_resent_from_the_report_as_it_was_changes_with_the_mapping(
    api_workspace: ApiWorkspace,
) -> None:
    path = api_workspace.write(GOOD, NO_AT)
    api_workspace.box.set_faults(Faults(odd=1.0, odd_status=413))
    first = api_workspace.run(path, mapping=SENDS)
    assert ends(first) == {"refused": 1, "invalid": 1}
    api_workspace.box.set_faults(Faults())
    report = corrected(first.summary.failures_csv, {}, ZOE)
    done = api_workspace.run(report, mapping=SENDS, resend=(State.REFUSED,))
    assert ends(done) == {"accepted": 2}
    assert ends(api_workspace.run(path, mapping=SENDS)) == {"already_imported": 2}
    tagged = SENDS.replace("fields:", "fields:\n  traffic_source: {value: feira}")
    assert ends(api_workspace.run(path, mapping=tagged)) == {"accepted": 1, "already_imported": 1}


def test_a_report_that_another_mapping_takes_as_it_is_counts_for_the_first_one(
    api_workspace: ApiWorkspace,
) -> None:
    path = api_workspace.write(GOOD, NO_UF)
    first = api_workspace.run(path)
    drops = MAPPING + "invalid: {state: drop}\n"
    assert ends(api_workspace.run(first.summary.failures_csv, mapping=drops)) == {"accepted": 1}
    for mapping in (MAPPING, drops):
        assert ends(api_workspace.run(path, mapping=mapping)) == {"already_imported": 2}


def test_the_list_of_another_campaign_has_nobody_corrected(api_workspace: ApiWorkspace) -> None:
    path = api_workspace.write(NO_AT)
    api_workspace.run(corrected(api_workspace.run(path).summary.failures_csv, ZOE))
    again = api_workspace.run(path, mapping=MAPPING.replace("Lista", "Outra campanha"))
    assert ends(again) == {"invalid": 1}


def test_a_purge_takes_the_cells_and_not_what_was_corrected(api_workspace: ApiWorkspace) -> None:
    path = api_workspace.write(NO_AT)
    api_workspace.run(corrected(api_workspace.run(path).summary.failures_csv, ZOE))
    with api_workspace.ledger() as ledger:
        assert ledger.people.forget(LATER, LATER) == 2
    assert ends(api_workspace.run(path)) == {"already_imported": 1}


def test_check_says_what_a_run_would(api_workspace: ApiWorkspace) -> None:
    path = api_workspace.write(GOOD, NO_AT)
    api_workspace.run(corrected(api_workspace.run(path).summary.failures_csv, ZOE))
    to = RDStation(api_workspace.box.api_key, base_url=api_workspace.box.base_url)
    found = api.check(path, Mapping.parse(MAPPING), to=to, state_dir=api_workspace.home / "state")
    assert {str(s): n for s, n in found.counts.items() if n} == {"already_imported": 2}
    assert found.exit_code == ExitCode.DONE
    assert sum(found.book.corrected.values()) == 1
    assert [view.invalid for view in found.preview.fields if view.invalid] == []


def test_a_shared_ledger_knows_it_too(api_workspace: ApiWorkspace, postgres: Server) -> None:
    place = PostgresPlace(postgres)
    place.store.make()
    shared = {"ledger": place.url, "ledger_key": KEY.hex()}
    path = api_workspace.write(GOOD, NO_AT, NO_UF)
    first = api_workspace.run(path, **shared)
    second = api_workspace.run(corrected(first.summary.failures_csv, ZOE), **shared)
    again = api_workspace.run(path, **shared)
    assert ends(again) == {"already_imported": 2, "invalid": 1}
    assert again.summary.corrected == {second.summary.run_id: 1}


def test_the_command_says_it_in_portuguese_and_ends_with_0(
    workspace: Workspace, box: RunningSandbox
) -> None:
    (workspace.home / "lista.yaml").write_text(MAPPING, "utf-8")
    (workspace.home / "lista.csv").write_text(
        ";".join(COLUMNS) + "\n" + ";".join([*NO_AT, "", "", "", ""]) + "\n", "utf-8"
    )
    words = ("lista.csv", "-m", "lista.yaml", "--quota", "none")
    first = workspace.here("run", *words, "--json")
    assert first.code == 1
    report = corrected(workspace.home / first.summary["failures_csv"], ZOE)
    assert workspace.here("run", str(report), *words[1:]).code == 0
    again = workspace.here("run", *words, "--lang", "pt-BR")
    assert again.code == 0
    assert (
        "1 linha da lista foi corrigida no relatório de falhas e já foi importada"
        in again.out + again.err
    )
    data = json.loads(workspace.here("run", *words, "--json").out)
    assert (data["already_imported"], len(data["corrected"])) == (1, 1)
