"""A state directory whose name only looks like that of another one: nobody is sent again."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from support.command import Done, Workspace
from support.lists import MAPPING, people

from rdimport.sandbox.embedded import RunningSandbox

NAME = "São Paulo/estado"
NFD = unicodedata.normalize("NFD", NAME)


@pytest.fixture
def used(workspace: Workspace) -> Workspace:
    """A workspace that has sent a list, with its ledger in a directory of that name."""
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    assert run(workspace, NAME).code == 0
    return workspace


def run(workspace: Workspace, state_dir: str, *more: object) -> Done:
    there = ("--quota", "none", "--state-dir", state_dir)
    return workspace.here("run", "list.csv", "-m", "list.yaml", *there, *more)


def begin(workspace: Workspace, state_dir: str) -> None:
    """Make a ledger, with which everybody may be sent again."""
    assert workspace.here("ledger", "new", "--yes", "--state-dir", state_dir).code == 0


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(NFD, id="accents-decomposed"),
        pytest.param(NAME + " ", id="blank-at-the-end"),
        pytest.param(NAME.replace(" ", "\xa0"), id="no-break-space"),
        pytest.param(NAME.replace(" ", "  "), id="two-blanks"),
        pytest.param(NAME.replace("/", "\u200b/\u2060"), id="invisible"),
        pytest.param(NAME.replace("P", "\u2060P\ufe0f"), id="word-joiner-variation-selector"),
        pytest.param(NAME.replace("e", "ｅ"), id="full-width"),
        pytest.param(NAME.upper(), id="capitals"),
    ],
)
def test_a_directory_whose_name_looks_the_same_is_no_new_ledger(
    used: Workspace, box: RunningSandbox, name: str
) -> None:
    sent = len(box.conversions())
    if (used.home / name).exists():
        pytest.skip("for this file system it is the same directory")
    done = run(used, name)
    assert done.code == 2
    assert str(Path("São Paulo", "estado")) in done.err
    assert not (used.home / name).exists()
    for command in ("status", "check list.csv -m list.yaml"):
        assert used.here(*command.split(), "--state-dir", name).code == 2
    assert len(box.conversions()) == sent


def test_once_both_are_there_each_of_them_goes_on(used: Workspace) -> None:
    if (used.home / NFD).exists():
        pytest.skip("for this file system it is the same directory")
    other = used.home / "other"
    begin(used, str(other))
    assert run(used, str(other)).code == 0
    (used.home / NFD).parent.mkdir(exist_ok=True)
    other.rename(used.home / NFD)
    assert run(used, NFD).code == 0
    assert used.here("ledger", "accept", "--yes", "--state-dir", NAME).code == 0
    assert run(used, NAME).code == 0


@pytest.mark.parametrize("name", ["Sao Paulo/estado", "São Paulo/estado 2", "São Paulos/estado"])
def test_a_name_that_looks_different_is_another_ledger(
    used: Workspace, box: RunningSandbox, name: str
) -> None:
    sent = len(box.conversions())
    begin(used, name)
    assert run(used, name).code == 0
    assert len(box.conversions()) == sent + 3
