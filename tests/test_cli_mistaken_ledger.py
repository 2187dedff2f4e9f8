"""A mistyped ledger is refused: a new one in its place would send everybody again."""

from __future__ import annotations

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
