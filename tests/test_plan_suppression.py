"""People on a suppression list are never sent, and that is no failure."""

from __future__ import annotations

from hashlib import sha256

import pytest
import xlsxwriter
from support.command import Done, Workspace
from support.lists import MAPPING, address, people
from support.waiting import until

from rdimport.core.row import State
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

COMMAND = ("list.csv", "-m", "list.yaml")


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.write("list.csv", people(6))
    workspace.write("list.yaml", MAPPING)
    return workspace


def run(workspace: Workspace, *words: str, files: tuple[str, ...] = COMMAND) -> Done:
    return workspace.here("run", *files, "--quota", "none", "--json", *words)


def adds_up(done: Done) -> bool:
    return sum(done.summary[state] for state in State) == done.summary["rows"]


def arrived(box: RunningSandbox) -> set[str]:
    return {payload["email"] for payload in box.conversions()}


def hashed(email: str) -> str:
    return sha256(email.encode()).hexdigest()


LISTS = {
    "a column among others": f"Nome;E-mail;Motivo\nP;{address(1)};saiu\nQ;{address(4)};reclamou\n",
    "no header, capitals, blanks": f"  {address(1).upper()} \n{address(4)}\n",
    "hashes in any case": f"sha256\n{hashed(address(1))}\n{hashed(address(4)).upper()}\n",
    "hashes without a header": f"{hashed(address(1))}\n{hashed(address(4))}\n",
    "both": f"E-mail,Hash\n{address(1)},\n,{hashed(address(4))}\n",
    "a title above": f"Descadastros\n\nData;E-mail\n1/3;{address(1)}\n2/3;<{address(4)}>\n",
    "a ragged list": f"x\n{address(1)}, {address(4)}; fim\n",
    "several in a cell": f"E-mails\n{address(1)}; {address(4)}\n",
    "an address among words": f"Obs\nfalar com Ana ({address(1)})\nmailto:{address(4)}\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_who_is_on_a_list_of_any_kind_is_not_sent(
    workspace: Workspace, box: RunningSandbox, kind: str
) -> None:
    workspace.write("saiu.csv", LISTS[kind])
    checked = workspace.here("check", *COMMAND, "--suppress", "saiu.csv", "--json")
    assert (checked.code, checked.summary["suppressed"], checked.summary["to_send"]) == (0, 2, 4)
    done = run(workspace, "--suppress", "saiu.csv")
    assert (done.code, done.summary["suppressed"], done.summary["accepted"]) == (0, 2, 4)
    assert adds_up(done)
    assert arrived(box) == {address(n) for n in (0, 2, 3, 5)}


def test_several_lists_and_all_sheets_of_a_workbook_count(
    workspace: Workspace, box: RunningSandbox
) -> None:
    with xlsxwriter.Workbook(workspace.home / "saiu.xlsx") as book:
        for name, cells in (("Capa", ["Descadastros"]), ("SP", [address(0)]), ("RJ", [address(1)])):
            book.add_worksheet(name).write_column(0, 0, ["Lista", *cells])
    workspace.write("mais.txt", address(2))
    done = run(workspace, "--suppress", "saiu.xlsx", "--suppress=mais.txt")
    assert (done.code, done.summary["suppressed"]) == (0, 3)
    assert arrived(box) == {address(n) for n in (3, 4, 5)}


MANY = """\
version: 1
conversion_identifier: Teste
fields: {email: [E-mail, E-mail 2], name: Nome, mobile_phone: Celular}
"""


def test_every_address_of_the_field_counts_as_written_and_as_cleaned(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.yaml", MANY)
    rows = [
        "ANA@Exemplo.com.br ,,Ana,",
        "bia@exemplo.com.br,bia@trabalho.com.br,Bia,",
        "caio @ exemplo.com.br,,Caio,",
        "davi@gmial.com,,Davi,",
        "eva@gmial.com,,Eva,",
        "fabio@exemplo.com.br,,Fábio,1",
        "gil@exemplo.com.br,,Gil,",
    ]
    workspace.write("list.csv", "\n".join(["E-mail,E-mail 2,Nome,Celular", *rows]))
    listed = "ana caio fabio".split()
    people = [f"{name}@exemplo.com.br" for name in listed]
    people += ["bia@trabalho.com.br", "davi@gmial.com", "xgil@exemplo.com.br"]
    workspace.write("saiu.txt", "\n".join(people))
    done = run(workspace, "--suppress", "saiu.txt")
    assert done.summary["suppressed"] == 5, "also the row with a phone that is none"
    assert (done.summary["invalid"], done.code) == (0, 0)
    assert adds_up(done)
    assert len(arrived(box)) == 2


BAD = {
    "missing": (None, "no.csv"),
    "empty": ("", "no.csv"),
    "without an address": ("Nome\nAna\nBia\n", "no.csv"),
    "hashes of another kind": ("d41d8cd98f00b204e9800998ecf8427e\n", "no.csv"),
    "no table": ("%PDF-1.7 ...\x00", "no.csv"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_list_that_keeps_nobody_back_stops_the_run(
    workspace: Workspace, box: RunningSandbox, kind: str
) -> None:
    text, name = BAD[kind]
    if text is not None:
        workspace.write(name, text)
    workspace.write("saiu.csv", address(1))
    for verb in ("run", "check"):
        done = workspace.here(verb, *COMMAND, "--suppress", "saiu.csv", "--suppress", name)
        assert (done.code, box.requests) == (2, 0)
        assert name in done.err
        assert "uppression list" in done.err
    assert "supressão" in run(workspace, "--suppress", name, "--lang", "pt-BR").err


def test_rows_of_a_list_that_name_nobody_are_reported(workspace: Workspace) -> None:
    workspace.write("saiu.csv", f"E-mail\n{address(1)}\nana (arroba) exemplo.com.br\n")
    for verb in ("run", "check"):
        done = workspace.here(verb, *COMMAND, "--suppress", "saiu.csv")
        assert "saiu.csv: 1 row without an address" in done.out + done.err


def test_what_the_ledger_knows_of_a_row_stays_what_it_is(
    workspace: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(reset_after=1.0, at_most=1))
    first = run(workspace, "--concurrency", "1", "--limit", "3")
    assert (first.summary["uncertain"], first.summary["accepted"]) == (1, 2)
    workspace.write("saiu.csv", "\n".join(address(n) for n in range(5)))
    again = run(workspace, "--suppress", "saiu.csv")
    summary = again.summary
    assert (summary["already_imported"], summary["uncertain"], summary["suppressed"]) == (2, 1, 2)
    assert (summary["accepted"], again.code) == (1, 1)
    asked = run(workspace, "--suppress", "saiu.csv", "--resend", "uncertain")
    assert (asked.summary["suppressed"], asked.summary["requests"], asked.code) == (3, 0, 0)


@pytest.mark.parametrize("keep", ["first", "last", "merge"])
def test_doubles_of_a_suppressed_person_are_suppressed_too(
    workspace: Workspace, box: RunningSandbox, keep: str
) -> None:
    workspace.write("list.yaml", f"{MAPPING}on_duplicate: {keep}\n")
    workspace.write("list.csv", people(3) + f"{address(0).upper()},Outra\n{address(1)},Outra\n")
    workspace.write("saiu.csv", address(0))
    done = run(workspace, "--suppress", "saiu.csv")
    counts = {state: done.summary[state] for state in ("suppressed", "duplicate", "accepted")}
    assert counts == {"suppressed": 2, "duplicate": 1, "accepted": 2}
    assert address(0) not in arrived(box)


def test_counts_add_up_after_a_kill_and_a_resume(workspace: Workspace, box: RunningSandbox) -> None:
    workspace.write("list.csv", people(40))
    workspace.write("saiu.csv", "\n".join(address(n) for n in range(0, 40, 4)))
    box.set_faults(Faults(hang_after=1.0, skip=10))
    words = ("run", *COMMAND, "--quota", "none", "--json", "--suppress", "saiu.csv")
    process = workspace.start(*words, "--concurrency", 2)
    until(lambda: box.requests > 10)
    process.kill()
    process.communicate()
    box.set_faults(Faults())
    done = run(workspace, "--suppress", "saiu.csv")
    assert adds_up(done)
    assert (done.summary["suppressed"], done.summary["rows"]) == (10, 40)
    assert not arrived(box) & {address(n) for n in range(0, 40, 4)}
    status = workspace.here("status", "--json").summary
    assert status["runs"][0]["counts"]["suppressed"] == 10
    whole = workspace.here("ledger", "check")
    assert whole.code == 0, whole.err


def test_the_way_back_of_a_failure_report_is_guarded_too(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.csv", "E-mail,Nome\nsem arroba,Ana\ntambém não,Bia\n")
    workspace.write("saiu.csv", address(0))
    first = run(workspace, "--suppress", "saiu.csv")
    assert (first.code, first.summary["invalid"]) == (1, 2)
    report = workspace.home / first.summary["failures_csv"]
    text = report.read_text(encoding="utf-8")
    for wrong, right in (("sem arroba", address(0)), ("também não", address(1))):
        text = text.replace(wrong, right)
    report.write_text(text, encoding="utf-8")
    back = run(workspace, "--suppress", "saiu.csv", files=(str(report), "-m", "list.yaml"))
    assert (back.code, back.summary["suppressed"], back.summary["accepted"]) == (0, 1, 1)
    assert arrived(box) == {address(1)}


def test_commands_that_are_printed_keep_the_lists(workspace: Workspace) -> None:
    workspace.write("list.csv", people(3) + "sem arroba,Ana\n")
    workspace.write("saiu.csv", address(1))
    done = workspace.here(
        "run", *COMMAND, "--quota", "none", "--suppress", "saiu.csv", "--limit", "1"
    )
    commands = [line for line in done.out.splitlines() if line.startswith("  rdimport run")]
    assert len(commands) == 2
    assert all(f"--suppress {workspace.home / 'saiu.csv'}" in command for command in commands)
    again = run(workspace, "--suppress", "saiu.csv").summary["again"]
    assert again[-2:] == ["--suppress", str(workspace.home / "saiu.csv")]


def test_the_reports_show_the_state(workspace: Workspace) -> None:
    workspace.write("saiu.csv", address(1))
    done = workspace.here(
        "run", *COMMAND, "--quota", "none", "--suppress", "saiu.csv", "--lang=pt-BR"
    )
    assert "1  suprimidas" in done.out
    page = next(workspace.reports.rglob("report.html")).read_text(encoding="utf-8")
    assert "suprimida" in page
    assert address(1) not in page


SETTINGS = """\
[accounts.acme]
api_key = {{file = "acme.key"}}
quota = "none"
base_url = "{url}"
state_dir = "state"
suppress = {lists}
[jobs.feira]
account = "acme"
files = "list.csv"
mapping = "list.yaml"
"""


def test_an_account_of_the_settings_has_its_lists(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("acme.key", workspace.key or "")
    (workspace.home / "acme.key").chmod(0o600)
    workspace.key = None
    (workspace.home / "listas").mkdir()
    workspace.write("listas/saiu.csv", address(1))
    lists = '["listas/saiu.csv"]'
    workspace.write("rdimport.toml", SETTINGS.format(url=box.base_url, lists=lists))
    checked = workspace.here("jobs", "check", "--config", "rdimport.toml")
    assert (checked.code, "listas/saiu.csv" in checked.out) == (0, True)
    done = workspace.here("jobs", "run", "--config", "rdimport.toml", "--json")
    assert done.code == 0
    assert done.summary["jobs"][0]["summary"]["suppressed"] == 1
    workspace.write("rdimport.toml", SETTINGS.format(url=box.base_url, lists='["no.csv"]'))
    for action in ("check", "run"):
        done = workspace.here("jobs", action, "--config", "rdimport.toml", "--json")
        assert done.code == 2
        assert "no.csv" in done.out + done.err
    assert address(1) not in arrived(box)
