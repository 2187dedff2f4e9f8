"""A database server whose disk is reverted, such as to a snapshot, with no active run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.claims import KEY
from support.command import Workspace
from support.lists import MAPPING, people
from support.postgres import Server, serving

from rdimport.sandbox.embedded import RunningSandbox

RUN = ("run", "list.csv", "-m", "m.yaml", "--quota", "none", "--json")


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox) -> Workspace:
    workspace = Workspace(tmp_path, box.api_key, box.base_url)
    workspace.environment = {"RDIMPORT_LEDGER_KEY": KEY.hex()}
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", people(20))
    return workspace


def set_back(server: Server, snapshot: Path) -> None:
    server.stop()
    shutil.rmtree(server.data)
    shutil.copytree(snapshot, server.data, copy_function=shutil.copy2)
    owner = snapshot.stat()
    for path in (server.data, *server.data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    server.start()


def test_what_was_sent_since_a_snapshot_is_not_sent_again_from_it(
    workspace: Workspace, box: RunningSandbox
) -> None:
    with serving() as server:
        url = server.new_database()
        workspace.environment["RDIMPORT_LEDGER"] = url
        assert workspace.here("fleet", "init").code == 0
        assert workspace.here(*RUN).code == 0
        server.stop()
        snapshot = server.data.with_name("snapshot")
        shutil.copytree(server.data, snapshot)
        shutil.chown(snapshot, server.data.stat().st_uid, server.data.stat().st_gid)
        server.start()
        workspace.write("list.csv", people(25))
        assert workspace.here(*RUN).summary["accepted"] == 5
        set_back(server, snapshot)
        for command in ("check", "run", "run"):
            lost = workspace.here(command, "list.csv", "-m", "m.yaml")
            assert lost.code == 2
            assert "has lost what run" in lost.err
        elsewhere = workspace.here(*RUN, "--account", "another", "--api-key-file", "none")
        assert elsewhere.code == 2
        assert len(box.conversions()) == 25
        assert workspace.here("ledger", "accept", "--yes").code == 0
        assert workspace.here(*RUN).summary["accepted"] == 5  # a person has confirmed it
        assert workspace.here(*RUN).summary["already_imported"] == 25


def test_a_database_that_is_made_anew_is_no_new_ledger_until_a_person_says_so(
    workspace: Workspace, box: RunningSandbox, postgres: Server
) -> None:
    """Without its tables, the message is to type `fleet init`."""
    url = workspace.environment["RDIMPORT_LEDGER"] = postgres.new_database()
    name = url.rpartition("/")[2].replace("%20", " ")
    assert workspace.here("fleet", "init").code == 0
    assert workspace.here(*RUN).code == 0
    dropped = f'DROP DATABASE "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}" TEMPLATE template0'
    postgres.do(*dropped)
    assert "rdimport fleet init" in workspace.here(*RUN).err
    assert workspace.here("fleet", "init").code == 0
    for command in ("check", "run", "run"):
        lost = workspace.here(command, "list.csv", "-m", "m.yaml")
        assert lost.code == 2
        assert "has lost what run" in lost.err
    assert len(box.conversions()) == 20
    assert workspace.here("ledger", "accept", "--yes").code == 0
    assert workspace.here(*RUN).summary["accepted"] == 20  # a person has confirmed it
    assert workspace.here(*RUN).summary["already_imported"] == 20


def test_a_ledger_that_is_begun_anew_lacks_nothing(
    workspace: Workspace, box: RunningSandbox, postgres: Server
) -> None:
    workspace.environment["RDIMPORT_LEDGER"] = postgres.new_database()
    assert workspace.here("fleet", "init").code == 0
    assert workspace.here(*RUN).code == 0
    assert workspace.here("ledger", "new", "--yes").code == 0
    assert workspace.here(*RUN).summary["accepted"] == 20
