"""`rdimport init --job`: a mapping, and a job in the settings, which keep all their content."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.command import Workspace
from support.lists import people

from rdimport.sandbox.embedded import RunningSandbox

BEFORE = """\
# our clients
[defaults]
lang = "en"   # the office reads English

[accounts.acme]
api_key = {file = "acme.key"}   # from Ana
"""


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.write("fair.csv", people(5))
    workspace.write("rdimport.toml", BEFORE)
    workspace.write("acme.key", str(workspace.key))
    (workspace.home / "acme.key").chmod(0o600)
    return workspace


def init(workspace: Workspace, *words: object, code: int = 0) -> dict[str, Any]:
    done = workspace.here("init", "fair.csv", "--config", "rdimport.toml", *words)
    assert done.code == code, done.err
    return tomllib.loads((workspace.home / "rdimport.toml").read_text("utf-8"))


def test_the_job_is_added_and_all_that_stood_there_stays(workspace: Workspace) -> None:
    settings = init(workspace, "--job", "acme-fair")
    assert (workspace.home / "rdimport.toml").read_text("utf-8").startswith(BEFORE)
    assert settings["jobs"] == {
        "acme-fair": {"account": "acme", "files": ["fair.csv"], "mapping": "acme-fair.yaml"}
    }
    assert list(settings["accounts"]) == ["acme"]


def test_the_job_that_was_added_runs(workspace: Workspace, box: RunningSandbox) -> None:
    init(workspace, "--job", "acme-fair")
    assert workspace.here("jobs", "check", "--config", "rdimport.toml").code == 0
    workspace.key = None
    assert workspace.here("jobs", "run", "--config", "rdimport.toml", "--quiet").code == 0
    assert len(box.conversions()) == 5


@pytest.mark.parametrize("name", ["lua", "Padaria “Lua” & Cia", 'a "b" \\ c', "ação.nova"])
def test_an_account_that_is_new_is_added_with_the_place_of_its_key(
    workspace: Workspace, name: str
) -> None:
    done = workspace.here(
        "init", "fair.csv", "--config", "rdimport.toml", "--job", "new", "--account", name
    )
    assert done.code == 0
    settings = tomllib.loads((workspace.home / "rdimport.toml").read_text("utf-8"))
    assert settings["jobs"]["new"]["account"] == name
    (place,) = settings["accounts"][name]["api_key"].values()
    assert Path(place).parent == Path("keys")
    assert str(workspace.home / place) in done.err
    assert workspace.here("jobs", "list", "--config", "rdimport.toml").code == 0


def test_an_account_is_known_whatever_its_capitals_and_a_key_file_can_be_named(
    workspace: Workspace,
) -> None:
    assert init(workspace, "--job", "a", "--account", "ACME")["jobs"]["a"]["account"] == "acme"
    settings = init(workspace, "--job", "b", "--account", "lua", "--api-key-file", "lua.key")
    assert settings["accounts"]["lua"] == {"api_key": {"file": "lua.key"}}


def test_settings_that_are_not_there_are_made_for_their_owner_only(workspace: Workspace) -> None:
    words = ("--config", "new/rdimport.toml", "--job", "a", "--account", "acme")
    assert workspace.here("init", "fair.csv", *words).code == 0
    made = workspace.home / "new" / "rdimport.toml"
    assert made.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(made.read_text("utf-8"))["jobs"]["a"]["files"] == [
        str(workspace.home / "fair.csv")
    ]
    assert (workspace.home / "new" / "a.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--job", "a b"), "jobs"),
        (("--job", "Old"), "already"),
        (("--job", "new", "-o", "there.yaml"), "already exists"),
        (("--account", "acme"), "--job"),
        (("--job", "new", "--account", " "), "account"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    workspace: Workspace, words: tuple[str, ...], said: str
) -> None:
    init(workspace, "--job", "old")
    workspace.write("there.yaml", "mine")
    before = (workspace.home / "rdimport.toml").read_bytes()
    done = workspace.here("init", "fair.csv", "--config", "rdimport.toml", *words)
    assert done.code == 2
    assert said in done.err
    assert (workspace.home / "rdimport.toml").read_bytes() == before
    assert (workspace.home / "there.yaml").read_text() == "mine"
    assert sorted(p.name for p in workspace.home.glob("*.yaml")) == ["old.yaml", "there.yaml"]


def test_of_several_accounts_one_must_be_named(workspace: Workspace) -> None:
    init(workspace, "--job", "a", "--account", "lua")
    for settings, accounts in (("rdimport.toml", "2 accounts"), ("new.toml", "none yet")):
        done = workspace.here("init", "fair.csv", "--config", settings, "--job", "b")
        assert done.code == 2
        assert f"Which account does b belong to? {settings} has {accounts}." in done.err


def test_settings_of_windows_keep_their_ends_of_lines_and_a_link_stays_one(
    workspace: Workspace,
) -> None:
    real = workspace.home / "real.toml"
    real.write_bytes(BEFORE.rstrip("\n").replace("\n", "\r\n").encode())
    real.chmod(0o640)
    (workspace.home / "rdimport.toml").unlink()
    (workspace.home / "rdimport.toml").symlink_to("real.toml")
    init(workspace, "--job", "a")
    assert (workspace.home / "rdimport.toml").is_symlink()
    assert real.read_bytes().replace(b"\r\n", b"").count(b"\n") == 0
    assert real.stat().st_mode & 0o777 == 0o640


def test_standard_input_is_no_list_for_a_job(workspace: Workspace) -> None:
    done = workspace.here("init", "-", "--config", "rdimport.toml", "--job", "a")
    assert done.code == 2
    assert "standard input" in done.err
