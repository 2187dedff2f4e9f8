"""A mistyped ledger is refused: a new one in its place would send everybody again."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from support.lists import MAPPING, people

import rdimport
from rdimport.sandbox.embedded import RunningSandbox

if TYPE_CHECKING:
    from support.command import Workspace

MISTAKEN = {
    "a slip": "postgresq://me:pw@db/leads",
    "capitals": "PostgreSQL://me:pw@db/leads",
    "a blank before it": " postgresql://me:pw@db/leads",
    "in quotation marks": '"postgresql://me:pw@db/leads"',
    "one slash": "postgresql:/me:pw@db/leads",
    "words of libpq": "host=db user=me password=:pw@",
    "another database": "sqlite:///leads.db",
    "a folder": "state",
}


@pytest.fixture
def words(workspace: Workspace) -> list[str]:
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    return ["list.csv", "-m", "list.yaml"]


@pytest.mark.parametrize("place", MISTAKEN.values(), ids=MISTAKEN)
@pytest.mark.parametrize("command", ["run", "check", "status", "in the environment"])
def test_what_is_no_address_of_a_database_is_no_new_ledger(
    command: str, place: str, workspace: Workspace, box: RunningSandbox, words: list[str]
) -> None:
    before = sorted(workspace.home.rglob("*"))
    if command == "in the environment":
        workspace.environment["RDIMPORT_LEDGER"] = place
        done = workspace.here("run", *words)
    else:
        done = workspace.here(command, *(words if command != "status" else ()), "--ledger", place)
    assert (done.code, done.out, box.requests) == (2, "", 0)
    assert "postgresql://USER@HOST/DATABASE" in done.err
    assert ":pw@" not in done.err
    assert sorted(workspace.home.rglob("*")) == before


@pytest.mark.parametrize("place", ["postgresql://me:pw@db/leads", "sqlite:///leads.db"])
@pytest.mark.parametrize("command", ["run", "check", "status"])
def test_an_address_is_no_state_directory(
    command: str, place: str, workspace: Workspace, box: RunningSandbox, words: list[str]
) -> None:
    before = sorted(workspace.home.rglob("*"))
    given = words if command != "status" else ()
    done = workspace.here(command, *given, "--state-dir", place)
    assert (done.code, done.out, box.requests) == (2, "", 0)
    assert "--ledger" in done.err
    assert ":pw@" not in done.err
    assert sorted(workspace.home.rglob("*")) == before


@pytest.mark.parametrize("place", [MISTAKEN["a slip"], MISTAKEN["another database"]])
def test_no_ledger_is_copied_to_a_mistaken_address(
    place: str, workspace: Workspace, box: RunningSandbox, words: list[str]
) -> None:
    assert workspace.here("run", *words).code == 0
    before = sorted(workspace.home.rglob("*"))
    done = workspace.here("ledger", "copy", str(workspace.state), place)
    assert done.code == 2
    assert ":pw@" not in done.err
    assert sorted(workspace.home.rglob("*")) == before


@pytest.mark.parametrize("place", [*MISTAKEN.values(), ""])
def test_the_api_refuses_it_too(
    place: str, workspace: Workspace, box: RunningSandbox, words: list[str]
) -> None:
    to = rdimport.RDStation(workspace.key, base_url=box.base_url)
    files, mapping = workspace.home / "list.csv", workspace.home / "list.yaml"
    for verb in (rdimport.run, rdimport.check):
        with pytest.raises(rdimport.UsageError):
            verb(files, mapping, to=to, state_dir=workspace.state, ledger=place)
    assert box.requests == 0


LEDGER_COMMANDS = {
    "run": ("run", "list.csv", "-m", "list.yaml"),
    "run with a sandbox": ("run", "list.csv", "-m", "list.yaml", "--sandbox"),
    "check": ("check", "list.csv", "-m", "list.yaml"),
    "status": ("status",),
    "report": ("report",),
    "settle": ("settle", "calls.jsonl"),
    "settle --listen": ("settle", "--listen", "127.0.0.1:0"),
    "forget": ("forget", "ana@exemplo.com.br"),
    "purge": ("purge", "--older-than", "1d"),
    "accounts": ("accounts", "list"),
    "ledger check": ("ledger", "check"),
    "ledger accept": ("ledger", "accept"),
    "ledger new": ("ledger", "new"),
    "ledger key": ("ledger", "key", "--move-to", "hash.key"),
}
UNFIT = {
    "dangling": "is a link to {home}/gone, which is not there.\nRestore {home}/gone, or mount",
    "dangling/below": "is a link to {home}/gone, which is not there.\nRestore {home}/gone, or",
    "loop": "loop is a link that leads back to itself.\nCorrect the link",
    "pipe": "pipe is a device, a pipe or a socket.\nName a directory",
    "to-device": "to-device is a device, a pipe or a socket.\nName a directory",
    "to-file": "to-file is a file.\nName a directory",
}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("place", UNFIT)
@pytest.mark.parametrize("command", LEDGER_COMMANDS)
def test_what_is_no_state_directory_is_no_new_ledger_and_nothing_is_changed(
    command: str, place: str, workspace: Workspace, box: RunningSandbox, words: list[str]
) -> None:
    del words
    home = workspace.home
    for link, target in {
        "dangling": "gone",
        "loop": "loop",
        "to-device": "/dev/null",
        "to-file": "list.csv",
    }.items():
        (home / link).symlink_to(target)
    os.mkfifo(home / "pipe", 0o644)
    before = {path: path.lstat().st_mode for path in home.rglob("*")}
    done = workspace.here(*LEDGER_COMMANDS[command], "--state-dir", place)
    assert (done.code, done.out, box.requests) == (2, "", 0), done.err
    assert UNFIT[place].format(home=home.resolve()) in done.err
    assert {path: path.lstat().st_mode for path in home.rglob("*")} == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize(
    "places",
    [
        ("state", "dangling"),
        ("dangling", "copy"),
        ("dangling/ledger.sqlite3", "copy"),
        ("dangling", "postgresql://nobody@localhost:1/none"),
    ],
)
def test_no_ledger_is_copied_to_or_from_a_link_that_leads_nowhere(
    workspace: Workspace, box: RunningSandbox, words: list[str], places: tuple[str, str]
) -> None:
    assert workspace.here("run", *words, "--quiet").code == 0
    (workspace.home / "dangling").symlink_to("gone")
    done = workspace.here("ledger", "copy", *places)
    assert (done.code, done.out) == (2, ""), done.err
    assert "dangling is a link to" in done.err
    assert len(box.conversions()) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_the_api_refuses_a_link_that_leads_nowhere(
    workspace: Workspace, box: RunningSandbox, words: list[str]
) -> None:
    (workspace.home / "dangling").symlink_to("gone")
    to = rdimport.RDStation(api_key=box.api_key, base_url=box.base_url)
    with pytest.raises(rdimport.LedgerError, match="which is not there"):
        rdimport.run(
            workspace.home / words[0],
            workspace.home / words[2],
            to=to,
            state_dir=workspace.home / "dangling",
            report_dir=workspace.reports,
        )
    assert box.requests == 0
