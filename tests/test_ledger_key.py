"""The key of a SQLite ledger's hashes, kept apart from it."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing

import pytest
from support.command import Desk
from support.lists import MAPPING, people

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
    told = key if way == VARIABLE else str(office.home / "ledger.key")
    office.environment[way] = told
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
