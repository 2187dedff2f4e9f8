"""`rdimport init --job`: a mapping, and a job in the settings, which keep all their content."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.command import Desk
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
def office(desk: Desk) -> Desk:
    desk.write("fair.csv", people(5))
    desk.write("rdimport.toml", BEFORE)
    desk.write("acme.key", str(desk.key))
    (desk.home / "acme.key").chmod(0o600)
    return desk


def init(desk: Desk, *words: object, code: int = 0) -> dict[str, Any]:
    done = desk.here("init", "fair.csv", "--config", "rdimport.toml", *words)
    assert done.code == code, done.err
    return tomllib.loads((desk.home / "rdimport.toml").read_text("utf-8"))


def test_the_job_is_added_and_all_that_stood_there_stays(office: Desk) -> None:
    settings = init(office, "--job", "acme-fair")
    assert (office.home / "rdimport.toml").read_text("utf-8").startswith(BEFORE)
    assert settings["jobs"] == {
        "acme-fair": {"account": "acme", "files": ["fair.csv"], "mapping": "acme-fair.yaml"}
    }
    assert list(settings["accounts"]) == ["acme"]


def test_the_job_that_was_added_runs(office: Desk, box: RunningSandbox) -> None:
    init(office, "--job", "acme-fair")
    assert office.here("jobs", "check", "--config", "rdimport.toml").code == 0
    office.key = None
    assert office.here("jobs", "run", "--config", "rdimport.toml", "--quiet").code == 0
    assert len(box.conversions()) == 5


@pytest.mark.parametrize("name", ["lua", "Padaria “Lua” & Cia", 'a "b" \\ c', "ação.nova"])
def test_an_account_that_is_new_is_added_with_the_place_of_its_key(office: Desk, name: str) -> None:
    done = office.here(
        "init", "fair.csv", "--config", "rdimport.toml", "--job", "new", "--account", name
    )
    assert done.code == 0
    settings = tomllib.loads((office.home / "rdimport.toml").read_text("utf-8"))
    assert settings["jobs"]["new"]["account"] == name
    (place,) = settings["accounts"][name]["api_key"].values()
    assert Path(place).parent == Path("keys")
    assert str(office.home / place) in done.err
    assert office.here("jobs", "list", "--config", "rdimport.toml").code == 0


def test_an_account_is_known_whatever_its_capitals_and_a_key_file_can_be_named(
    office: Desk,
) -> None:
    assert init(office, "--job", "a", "--account", "ACME")["jobs"]["a"]["account"] == "acme"
    settings = init(office, "--job", "b", "--account", "lua", "--api-key-file", "lua.key")
    assert settings["accounts"]["lua"] == {"api_key": {"file": "lua.key"}}


def test_settings_that_are_not_there_are_made_for_their_owner_only(office: Desk) -> None:
    words = ("--config", "new/rdimport.toml", "--job", "a", "--account", "acme")
    assert office.here("init", "fair.csv", *words).code == 0
    made = office.home / "new" / "rdimport.toml"
    assert made.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(made.read_text("utf-8"))["jobs"]["a"]["files"] == [
        str(office.home / "fair.csv")
    ]
    assert (office.home / "new" / "a.yaml").exists()


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
    office: Desk, words: tuple[str, ...], said: str
) -> None:
    init(office, "--job", "old")
    office.write("there.yaml", "mine")
    before = (office.home / "rdimport.toml").read_bytes()
    done = office.here("init", "fair.csv", "--config", "rdimport.toml", *words)
    assert done.code == 2
    assert said in done.err
    assert (office.home / "rdimport.toml").read_bytes() == before
    assert (office.home / "there.yaml").read_text() == "mine"
    assert sorted(p.name for p in office.home.glob("*.yaml")) == ["old.yaml", "there.yaml"]


def test_of_several_accounts_one_must_be_named(office: Desk) -> None:
    init(office, "--job", "a", "--account", "lua")
    done = office.here("init", "fair.csv", "--config", "rdimport.toml", "--job", "b")
    assert done.code == 2
    assert "Which account does b belong to?" in done.err


def test_settings_of_windows_keep_their_ends_of_lines_and_a_link_stays_one(office: Desk) -> None:
    real = office.home / "real.toml"
    real.write_bytes(BEFORE.rstrip("\n").replace("\n", "\r\n").encode())
    real.chmod(0o640)
    (office.home / "rdimport.toml").unlink()
    (office.home / "rdimport.toml").symlink_to("real.toml")
    init(office, "--job", "a")
    assert (office.home / "rdimport.toml").is_symlink()
    assert real.read_bytes().replace(b"\r\n", b"").count(b"\n") == 0
    assert real.stat().st_mode & 0o777 == 0o640


def test_standard_input_is_no_list_for_a_job(office: Desk) -> None:
    done = office.here("init", "-", "--config", "rdimport.toml", "--job", "a")
    assert done.code == 2
    assert "standard input" in done.err
