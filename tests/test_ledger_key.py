"""The key of a SQLite ledger's hashes, stored separately from it."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing

import pytest
from support.command import Desk
from support.lists import MAPPING, people

from rdimport.core import small_file
from rdimport.ledger import store_of
from rdimport.sandbox.embedded import RunningSandbox

VARIABLE, FILE = "RDIMPORT_LEDGER_KEY", "RDIMPORT_LEDGER_KEY_FILE"
RUN = ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json")


@pytest.fixture
def office(desk: Desk) -> Desk:
    desk.write("list.yaml", MAPPING)
    desk.write("list.csv", people(5))
    return desk


def settings(desk: Desk) -> dict[str, object]:
    with closing(sqlite3.connect(desk.state / "ledger.sqlite3")) as db:
        return dict(db.execute("SELECT name, value FROM setting"))


@pytest.mark.parametrize("way", [VARIABLE, FILE])
def test_a_key_that_is_kept_apart_is_not_in_the_ledger_and_nobody_is_sent_again(
    office: Desk, box: RunningSandbox, way: str
) -> None:
    key = secrets.token_hex(32)
    value = key if way == VARIABLE else str(office.home / "ledger.key")
    office.environment[way] = value
    assert office.here(*RUN).summary["accepted"] == 5
    assert "hash_key" not in settings(office)
    if way == FILE:
        made = office.home / "ledger.key"
        assert made.stat().st_mode & 0o777 == 0o600
        key = made.read_text().strip()
    whole = b"".join(path.read_bytes() for path in office.state.iterdir() if path.is_file())
    assert bytes.fromhex(key) not in whole
    assert key.encode() not in whole
    assert office.here(*RUN).summary["already_imported"] == 5
    assert len(box.conversions()) == 5


@pytest.mark.parametrize("key", ["", "00" * 32, "0x12", "00"])
def test_without_it_or_with_another_one_nobody_is_sent(
    office: Desk, box: RunningSandbox, key: str
) -> None:
    office.environment[VARIABLE] = secrets.token_hex(32)
    office.here(*RUN)
    office.environment[VARIABLE] = key
    office.write("list.csv", people(9))
    for words in (RUN, ("check", *RUN[1:-1]), ("status",), ("ledger", "check"), ("report",)):
        ended = office.here(*words)
        assert ended.code == 2, words
        assert "key" in ended.err
        assert not key or key not in ended.err
    assert len(box.conversions()) == 5


def test_a_ledger_that_has_its_key_goes_on_whatever_key_is_there(
    office: Desk, box: RunningSandbox
) -> None:
    assert office.here(*RUN).summary["accepted"] == 5
    assert "hash_key" in settings(office)
    office.environment[VARIABLE] = secrets.token_hex(32)
    assert office.here(*RUN).summary["already_imported"] == 5
    assert len(box.conversions()) == 5


def test_a_copy_keeps_it_apart_too(office: Desk, box: RunningSandbox) -> None:
    office.environment[VARIABLE] = secrets.token_hex(32)
    office.here(*RUN)
    assert office.here("ledger", "copy", office.state, office.home / "copy").code == 0
    again = office.here(*RUN, "--state-dir", office.home / "copy").summary
    assert again["already_imported"] == 5
    assert len(box.conversions()) == 5


def holds(desk: Desk, key: bytes) -> list[str]:
    """The files in the state directory that contain the key, as bytes or as text."""
    files = (path for path in desk.state.rglob("*") if path.is_file())
    return [
        path.name for path in files if key in (b := path.read_bytes()) or key.hex().encode() in b
    ]


def test_the_key_of_an_old_ledger_is_moved_out_and_nobody_is_sent_again(
    office: Desk, box: RunningSandbox
) -> None:
    assert office.here(*RUN).summary["accepted"] == 5
    key = settings(office)["hash_key"]
    assert isinstance(key, bytes)
    file = office.home / "away" / "ledger.key"
    moved = office.here("ledger", "key", "--move-to", file)
    assert moved.code == 0, moved.err
    assert f"{FILE}={file}" in moved.out
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() == key.hex()
    assert holds(office, key) == []
    assert "hash_key" not in settings(office)
    refused = office.here(*RUN)
    assert refused.code == 2
    assert "keeps the key of its hashes in another place" in refused.err
    office.environment[FILE] = str(file)
    office.write("list.csv", people(6))
    again = office.here(*RUN).summary
    assert (again["already_imported"], again["accepted"]) == (5, 1)
    assert office.here("ledger", "check").code == 0
    assert len(box.conversions()) == 6


def test_a_key_is_moved_once_to_a_new_file_elsewhere_and_never_under_a_run(
    office: Desk, box: RunningSandbox
) -> None:
    away = office.home / "ledger.key"
    assert office.here("ledger", "key", "--move-to", away).code == 2  # nothing there yet
    office.here(*RUN)
    key = settings(office)["hash_key"]
    assert isinstance(key, bytes)
    away.write_text("something else\n")
    away.chmod(0o600)
    for taken in (away, office.state / "ledger.key"):
        ended = office.here("ledger", "key", "--move-to", taken)
        assert ended.code == 2, taken
        assert str(taken) in ended.err
    assert away.read_text() == "something else\n"
    with store_of(office.state).hold("default"):
        assert office.here("ledger", "key", "--move-to", office.home / "k").code == 75
    assert settings(office)["hash_key"] == key
    assert not (office.home / "k").exists()
    away.write_text(f"{key.hex()}\n")  # as left by a killed attempt
    assert office.here("ledger", "key", "--move-to", away).code == 0
    office.environment[FILE] = str(away)
    again = office.here("ledger", "key", "--move-to", office.home / "k")
    assert again.code == 2
    assert "already kept apart" in again.err


def test_older_copies_that_hold_the_key_are_named(office: Desk, box: RunningSandbox) -> None:
    office.here(*RUN)
    old = office.state / "ledger-schema3-20260101-000000.sqlite3"
    assert office.here("ledger", "copy", office.state, old).code == 0
    moved = office.here("ledger", "key", "--move-to", office.home / "ledger.key")
    assert moved.code == 0
    assert old.name in moved.err


@pytest.mark.parametrize("way", ["open to all", "a pipe that says nothing", "a device", "a folder"])
def test_a_key_file_is_private_and_a_file(
    office: Desk, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(small_file, "WAIT", 0.1)
    file = office.home / "ledger.key"
    office.environment[FILE] = str(file)
    office.here(*RUN)
    if way == "open to all":
        file.chmod(0o644)
    elif way == "a device":
        office.environment[FILE] = "/dev/zero"
    else:
        file.unlink()
        file.mkdir() if way == "a folder" else os.mkfifo(file, 0o600)
    office.write("list.csv", people(9))
    ended = office.here(*RUN)
    assert ended.code == 2
    assert office.environment[FILE] in ended.err
    assert len(box.conversions()) == 5


def test_a_key_that_cannot_be_written_stays_where_it_is(office: Desk, box: RunningSandbox) -> None:
    office.here(*RUN)
    ended = office.here("ledger", "key", "--move-to", office.home / "list.csv" / "key")
    assert ended.code in (2, 3)
    assert "cannot be written" in ended.err
    assert "hash_key" in settings(office)
    assert office.here(*RUN).summary["already_imported"] == 5


def test_a_copy_that_cannot_be_read_is_named_and_one_without_the_key_is_not(
    office: Desk, box: RunningSandbox
) -> None:
    office.here(*RUN)
    broken, apart = (office.state / f"ledger-schema3-2026010{n}-000000.sqlite3" for n in (1, 2))
    broken.write_bytes(b"no database" * 100)
    with closing(sqlite3.connect(apart)) as db:
        db.execute("CREATE TABLE setting (name, value)")
    for file in (broken, apart):
        file.chmod(0o600)
    moved = office.here("ledger", "key", "--move-to", office.home / "ledger.key")
    assert broken.name in moved.err
    assert apart.name not in moved.err
