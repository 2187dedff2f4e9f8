"""The key of a SQLite ledger's hashes, stored separately from it."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from support.posix import pipe_at, small_files

from rdimport.core import small_file
from rdimport.core.key_file import write_key
from rdimport.ledger import store_of
from rdimport.sandbox.embedded import RunningSandbox

VARIABLE, FILE = "RDIMPORT_LEDGER_KEY", "RDIMPORT_LEDGER_KEY_FILE"
RUN = ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json")


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(5))
    return workspace


def settings(workspace: Workspace) -> dict[str, object]:
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db:
        return dict(db.execute("SELECT name, value FROM setting"))


@pytest.mark.parametrize("way", [VARIABLE, FILE])
def test_a_key_that_is_kept_apart_is_not_in_the_ledger_and_nobody_is_sent_again(
    workspace: Workspace, box: RunningSandbox, way: str
) -> None:
    key = secrets.token_hex(32)
    value = key if way == VARIABLE else str(workspace.home / "ledger.key")
    workspace.environment[way] = value
    assert workspace.here(*RUN).summary["accepted"] == 5
    assert "hash_key" not in settings(workspace)
    if way == FILE:
        made = workspace.home / "ledger.key"
        assert made.stat().st_mode & 0o777 == 0o600
        key = made.read_text().strip()
    whole = b"".join(path.read_bytes() for path in workspace.state.iterdir() if path.is_file())
    assert bytes.fromhex(key) not in whole
    assert key.encode() not in whole
    assert workspace.here(*RUN).summary["already_imported"] == 5
    assert len(box.conversions()) == 5


@pytest.mark.parametrize("key", ["", "00" * 32, "0x12", "00"])
def test_without_it_or_with_another_one_nobody_is_sent(
    workspace: Workspace, box: RunningSandbox, key: str
) -> None:
    workspace.environment[VARIABLE] = secrets.token_hex(32)
    workspace.here(*RUN)
    workspace.environment[VARIABLE] = key
    workspace.write("list.csv", people(9))
    for words in (RUN, ("check", *RUN[1:-1]), ("status",), ("ledger", "check"), ("report",)):
        ended = workspace.here(*words)
        assert ended.code == 2, words
        assert "key" in ended.err
        assert not key or key not in ended.err
    assert len(box.conversions()) == 5


def test_a_ledger_that_has_its_key_goes_on_whatever_key_is_there(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert workspace.here(*RUN).summary["accepted"] == 5
    assert "hash_key" in settings(workspace)
    workspace.environment[VARIABLE] = secrets.token_hex(32)
    assert workspace.here(*RUN).summary["already_imported"] == 5
    assert len(box.conversions()) == 5


def test_a_copy_keeps_it_apart_too(workspace: Workspace, box: RunningSandbox) -> None:
    workspace.environment[VARIABLE] = secrets.token_hex(32)
    workspace.here(*RUN)
    assert workspace.here("ledger", "copy", workspace.state, workspace.home / "copy").code == 0
    again = workspace.here(*RUN, "--state-dir", workspace.home / "copy").summary
    assert again["already_imported"] == 5
    assert len(box.conversions()) == 5


def holds(workspace: Workspace, key: bytes) -> list[str]:
    """The files in the state directory that contain the key, as bytes or as text."""
    files = (path for path in workspace.state.rglob("*") if path.is_file())
    return [
        path.name for path in files if key in (b := path.read_bytes()) or key.hex().encode() in b
    ]


def test_the_key_of_an_old_ledger_is_moved_out_and_nobody_is_sent_again(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert workspace.here(*RUN).summary["accepted"] == 5
    key = settings(workspace)["hash_key"]
    assert isinstance(key, bytes)
    file = workspace.home / "away" / "ledger.key"
    moved = workspace.here("ledger", "key", "--move-to", file)
    assert moved.code == 0, moved.err
    assert f"{FILE}={file}" in moved.out
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() == key.hex()
    assert holds(workspace, key) == []
    assert "hash_key" not in settings(workspace)
    refused = workspace.here(*RUN)
    assert refused.code == 2
    assert "keeps the key of its hashes in another place" in refused.err
    workspace.environment[FILE] = str(file)
    workspace.write("list.csv", people(6))
    again = workspace.here(*RUN).summary
    assert (again["already_imported"], again["accepted"]) == (5, 1)
    assert workspace.here("ledger", "check").code == 0
    assert len(box.conversions()) == 6


def test_a_key_is_moved_once_to_a_new_file_elsewhere_and_never_under_a_run(
    workspace: Workspace, box: RunningSandbox
) -> None:
    away = workspace.home / "ledger.key"
    assert workspace.here("ledger", "key", "--move-to", away).code == 2  # nothing there yet
    workspace.here(*RUN)
    key = settings(workspace)["hash_key"]
    assert isinstance(key, bytes)
    away.write_text("something else\n")
    away.chmod(0o600)
    for taken in (away, workspace.state / "ledger.key"):
        ended = workspace.here("ledger", "key", "--move-to", taken)
        assert ended.code == 2, taken
        assert str(taken) in ended.err
    assert away.read_text() == "something else\n"
    with store_of(workspace.state).hold("default"):
        assert workspace.here("ledger", "key", "--move-to", workspace.home / "k").code == 75
    assert settings(workspace)["hash_key"] == key
    assert not (workspace.home / "k").exists()
    away.write_text(f"{key.hex()}\n")  # as left by a killed attempt
    assert workspace.here("ledger", "key", "--move-to", away).code == 0
    workspace.environment[FILE] = str(away)
    again = workspace.here("ledger", "key", "--move-to", workspace.home / "k")
    assert again.code == 2
    assert "already kept apart" in again.err


def test_older_copies_that_hold_the_key_are_named(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.here(*RUN)
    old = workspace.state / "ledger-schema3-20260101-000000.sqlite3"
    assert workspace.here("ledger", "copy", workspace.state, old).code == 0
    moved = workspace.here("ledger", "key", "--move-to", workspace.home / "ledger.key")
    assert moved.code == 0
    assert old.name in moved.err


@pytest.mark.parametrize("way", ["open to all", "a pipe that says nothing", "a device", "a folder"])
def test_a_key_file_is_private_and_a_file(
    workspace: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(small_file, "WAIT", 0.1)
    file = workspace.home / "ledger.key"
    workspace.environment[FILE] = str(file)
    workspace.here(*RUN)
    if way == "open to all":
        file.chmod(0o644)
    elif way == "a device":
        workspace.environment[FILE] = "/dev/zero"
    else:
        file.unlink()
        file.mkdir() if way == "a folder" else pipe_at(file)
    workspace.write("list.csv", people(9))
    ended = workspace.here(*RUN)
    assert ended.code == 2
    assert workspace.environment[FILE] in ended.err
    assert len(box.conversions()) == 5


def test_a_key_that_cannot_be_written_stays_where_it_is(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.here(*RUN)
    ended = workspace.here("ledger", "key", "--move-to", workspace.home / "list.csv" / "key")
    assert ended.code in (2, 3)
    assert "cannot be written" in ended.err
    assert "hash_key" in settings(workspace)
    assert workspace.here(*RUN).summary["already_imported"] == 5


def test_a_copy_that_cannot_be_read_is_named_and_one_without_the_key_is_not(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.here(*RUN)
    broken, apart = (workspace.state / f"ledger-schema3-2026010{n}-000000.sqlite3" for n in (1, 2))
    broken.write_bytes(b"no database" * 100)
    with closing(sqlite3.connect(apart)) as db:
        db.execute("CREATE TABLE setting (name, value)")
    for file in (broken, apart):
        file.chmod(0o600)
    moved = workspace.here("ledger", "key", "--move-to", workspace.home / "ledger.key")
    assert broken.name in moved.err
    assert apart.name not in moved.err


def test_a_key_for_which_the_disk_has_no_room_leaves_no_part_of_a_file(
    workspace: Workspace,
) -> None:
    file = workspace.home / "ledger.key"
    with small_files(16), pytest.raises(OSError, match=r"No space left|too large"):
        write_key(file, secrets.token_hex(32))
    assert not file.exists()
    write_key(file, "ab" * 32)
    assert file.read_bytes() == b"ab" * 32 + b"\n"
