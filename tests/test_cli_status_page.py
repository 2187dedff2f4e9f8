"""`rdimport status --html`: the nights of each account on one page."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.command import Workspace
from support.lists import MAPPING, people

from rdimport.core.errors import ExitCode
from rdimport.ledger import Attempt, store_of

LIST = ("list.csv", "-m", "list.yaml")
NOON = timedelta(hours=12)

pytestmark = pytest.mark.usefixtures("morning")


def night_ago(nights: int) -> datetime:
    """A moment in that night by this machine's clock: one hour after the noon before it."""
    here = (datetime.now(UTC).astimezone() - NOON).replace(hour=13, minute=0)
    return here - timedelta(days=nights)


def ended(
    workspace: Workspace, at: datetime, code: ExitCode, account: str = "acme", job: str = "a"
) -> None:
    attempt = Attempt(at, account, job, "list.yaml", ("list.csv",), code, "It <failed>.")
    with store_of(workspace.state).open() as ledger:
        ledger.note_attempt(attempt)


def page(workspace: Workspace, *words: object) -> str:
    assert workspace.here("status", "--html", "status.html", *words).code == 0
    return Path(workspace.home / "status.html").read_text(encoding="utf-8")


def strip(text: str) -> list[str]:
    """The kind of each night of the first account, the oldest first."""
    (found, *_others) = re.findall(r'<ol class="nights".*?</ol>', text, re.DOTALL)
    return re.findall(r'class="mark (\w+)"', found)


def test_the_last_thirty_nights_are_a_strip_whose_last_is_tonight(workspace: Workspace) -> None:
    for nights, code in ((29, 0), (3, 2), (2, 1), (1, 0), (40, 2)):
        ended(workspace, night_ago(nights), ExitCode(code))
    found = strip(page(workspace))
    assert len(found) == 30
    assert found[0] == "fine"
    assert found[-4:] == ["failed", "rows", "fine", "none"]
    assert set(found[1:-4]) == {"none"}


def test_a_night_is_as_bad_as_its_worst_job_and_a_job_as_its_last_word(
    workspace: Workspace,
) -> None:
    ended(workspace, night_ago(1), ExitCode.DONE, job="a")
    ended(workspace, night_ago(1), ExitCode.NOTHING_SENT, job="b")
    ended(workspace, night_ago(2), ExitCode.NOTHING_SENT, job="a")
    ended(workspace, night_ago(2) + timedelta(hours=1), ExitCode.FAILED_ROWS, job="a")
    text = page(workspace)
    assert strip(text)[-3:] == ["rows", "failed", "none"]
    assert ": 1 worked, 1 failed" in text


def test_what_ran_after_midnight_belongs_to_the_night_before(workspace: Workspace) -> None:
    start = night_ago(2)
    ended(workspace, start.replace(hour=23), ExitCode.NOTHING_SENT, job="a")
    ended(workspace, start.replace(hour=2) + timedelta(days=1), ExitCode.DONE, job="b")
    assert strip(page(workspace))[-3:] == ["failed", "none", "none"]


def test_the_page_needs_nothing_else_and_runs_nothing_of_what_it_shows(
    workspace: Workspace,
) -> None:
    ended(
        workspace, night_ago(1), ExitCode.NOTHING_SENT, account="<script>alert(1)</script>\x1b[2J"
    )
    text = page(workspace)
    assert not re.search(r"<script|src=|href=|url\(|@import|\x1b", text)
    assert "It &lt;failed&gt;." in text
    assert (workspace.home / "status.html").stat().st_mode & 0o077 == 0


def test_rows_quota_and_the_next_command_of_a_real_run(workspace: Workspace, box: object) -> None:
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(3) + "ninguem,Fulano\n")
    assert workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "none").code == 1
    text = page(workspace, "--lang", "pt-BR")
    assert '<html lang="pt-BR">' in text
    assert "3 aceitas" in text
    assert "1 inválida" in text
    assert "failures.xlsx" in text
    assert strip(text)[-1] == "rows"


def test_what_to_do_stands_below_what_happened(workspace: Workspace) -> None:
    workspace.write("list.csv", people(1))
    workspace.key = None
    assert workspace.here("run", "list.csv", "-m", "absent.yaml").code == 2
    assert "No such file or directory<br>Check the path" in page(workspace)


def test_only_the_account_and_job_that_were_asked_for(workspace: Workspace) -> None:
    for account in ("acme", "lua"):
        ended(workspace, night_ago(1), ExitCode.DONE, account=account)
    text = page(workspace, "--account", "lua")
    assert "lua</h2>" in text
    assert "acme</h2>" not in text


def test_an_empty_ledger_makes_a_page_too(workspace: Workspace) -> None:
    assert "There are no jobs yet." in page(workspace)


@pytest.mark.parametrize("way", ["--json", "--check"])
def test_the_page_is_written_beside_what_else_is_asked_for(workspace: Workspace, way: str) -> None:
    ended(workspace, night_ago(1), ExitCode.NOTHING_SENT)
    done = workspace.here("status", way, "--html", "status.html")
    assert done.code == (2 if way == "--check" else 0)
    assert (workspace.home / "status.html").exists()
    assert way != "--json" or done.summary["jobs"][0]["account"] == "acme"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
@pytest.mark.parametrize("words", [("status", "--html"), ("run", *LIST, "--metrics-file")])
def test_what_is_no_file_is_not_replaced(
    workspace: Workspace, box: object, words: tuple[str, ...]
) -> None:
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(1))
    os.mkfifo(workspace.home / "pipe")
    done = workspace.here(*words, "pipe")
    assert done.code == (2 if words[0] == "status" else 0)
    assert "it is not a file, but a device or a socket" in done.err
    assert (workspace.home / "pipe").is_fifo()


READS = [
    ("--log-file", "list.yaml", "list.csv"),
    ("--log-file", "./list.csv", "list.csv"),
    ("--log-file", "list.log", "list.*"),
    ("--metrics-file", "list.csv", "list.csv"),
]


@pytest.mark.parametrize(("option", "name", "given"), READS)
def test_what_a_command_reads_is_not_what_it_writes(
    workspace: Workspace, option: str, name: str, given: str
) -> None:
    texts = {"list.yaml": MAPPING, "list.csv": people(1)}
    for file, text in texts.items():
        workspace.write(file, text)
    for verb in ("check", "run"):
        done = workspace.here(verb, given, "-m", "list.yaml", option, name)
        assert done.code == 2
        assert f"{option} names" in done.err
    for file, text in texts.items():
        assert (workspace.home / file).read_text("utf-8") == text


@pytest.mark.parametrize("words", [("status", "--html"), ("run", *LIST, "--metrics-file")])
def test_a_file_of_somebody_else_is_not_replaced(
    workspace: Workspace, box: object, words: tuple[str, ...]
) -> None:
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(1))
    workspace.write("other.csv", "E-mail\n")
    done = workspace.here(*words, "other.csv")
    assert "was not created by rdimport" in done.err
    assert (workspace.home / "other.csv").read_text("utf-8") == "E-mail\n"
    for name in ("new", "new"):
        assert "was not created by rdimport" not in workspace.here(*words, name).err


@pytest.mark.parametrize("name", [".", "..", "folder"])
def test_a_folder_is_no_page(workspace: Workspace, name: str) -> None:
    (workspace.home / "folder").mkdir()
    done = workspace.here("status", "--html", name)
    assert done.code == 2
    assert done.err.startswith(f"rdimport: The page {name} cannot be written: Is a directory")


@pytest.mark.parametrize("name", [".", "..", "folder"])
def test_a_folder_takes_no_metrics(workspace: Workspace, box: object, name: str) -> None:
    (workspace.home / "folder").mkdir()
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(1))
    done = workspace.here("run", *LIST, "--metrics-file", name)
    assert done.code == 0
    assert f"rdimport: The metrics {name} cannot be written: Is a directory." in done.err


def test_a_place_that_takes_no_page_is_a_sentence(workspace: Workspace) -> None:
    workspace.write("file", "")
    done = workspace.here("status", "--html", "file/status.html")
    assert done.code == 2
    assert "file/status.html" in done.err
