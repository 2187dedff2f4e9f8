"""The tests' ledgers that reach the developer's own folder are noticed, and only those."""

from __future__ import annotations

import sys

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from support.litter import entries, ledgers_behind


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_DATA_HOME counts on Linux")
def test_a_ledger_of_a_command_without_the_tests_folder_is_named(workspace: Workspace) -> None:
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    users = workspace.home / "of the user"
    workspace.environment["XDG_DATA_HOME"] = str(users)
    assert workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "none").code == 0
    found = entries([users / "rdimport-ledgers", users / "none"]) - {"first-runs"}
    assert len(found) == 1
    assert ledgers_behind(found, workspace.home) == [workspace.state]
    assert ledgers_behind(found, users) == []
    assert ledgers_behind({"of another test run"}, workspace.home) == []
