"""`rdimport ledger check` and `copy`: damage is reported, and a copy is complete."""

from __future__ import annotations

import sqlite3
import stat
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from support.posix import small_files
from support.waiting import until

from rdimport.core.row import State
from rdimport.ledger import store_of
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

PAGE = 4096
MANY = people(300) + "nobody,Ninguém\n"
RUN = ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json")


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    workspace.write("list.csv", people(40) + "nobody,Ninguém\n")
    workspace.write("list.yaml", MAPPING)
    return workspace


def change(workspace: Workspace, statement: str) -> None:
    """Change the ledger as only a disk, or another program, would."""
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db, db:
        db.execute(statement)


def test_a_whole_ledger_is_said_to_be_whole(ready: Workspace) -> None:
    none = ready.here("ledger", "check")
    assert (none.code, ready.state.exists()) == (0, False)
    run = ready.here(*RUN).summary["run_id"]
    ready.here("purge", "--older-than", "0s")
    found = ready.here("ledger", "check")
    assert (found.code, found.err) == (0, "")
    assert "is sound" in found.out
    assert run in found.out
    assert "40 accepted" in found.out
    assert "40 aceitas" in ready.here("ledger", "check", "--lang", "pt-BR").out


SPOILT = {
    "UPDATE posted SET state = 'gone' WHERE row = 5": "an unknown state",
    "UPDATE posted SET run = 99 WHERE row = 5": "belong to no run",
    "UPDATE posted SET identity = x'00' WHERE row = 5": "not a hash",
    "UPDATE posted SET destination = 9": "belong to no destination",
    "UPDATE run SET row_count = 7": "more outcomes than rows",
    "UPDATE run SET row_count = row_count + 1": "1 of its rows did not",
    "UPDATE run SET facts = 'no facts'": "unreadable facts",
    "UPDATE minute SET accepted = accepted - 1": "did not",
    "DELETE FROM outcome": "counts 1 row as invalid, and lists 0",
    "UPDATE outcome SET cells = '['": "unreadable cells or problems",
    "DELETE FROM setting": "the key of its hashes is missing",
    "DROP TABLE outcome": "no such table",
}


def test_a_ledger_whose_sums_do_not_agree_is_damaged(ready: Workspace) -> None:
    ready.here(*RUN)
    ledger = ready.state / "ledger.sqlite3"
    good = ledger.read_bytes()
    for statement, message in SPOILT.items():
        ledger.write_bytes(good)
        change(ready, statement)
        found = ready.here("ledger", "check")
        assert (found.code, found.out) == (2, ""), statement
        assert "is damaged" in found.err
        assert message in found.err
        assert f"rdimport ledger new --state-dir {ready.state}" in found.err


def pages(ledger: Path) -> list[int]:
    """The first page of each table and index, and the last page in use."""
    with closing(sqlite3.connect(ledger)) as db:
        found = db.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0 ORDER BY 1")
        first = [page for (page,) in found]
        db.execute("VACUUM")  # leaves no free page
    return [*first, ledger.stat().st_size // PAGE]


def spoil(ledger: Path, page: int) -> None:
    """Overwrite a page; SQLite counts them from 1."""
    with ledger.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xa5" * PAGE)


def test_a_damaged_page_is_reported_and_nothing_is_sent_whatever_it_held(
    ready: Workspace, box: RunningSandbox
) -> None:
    ready.write("list.csv", MANY)
    ready.here(*RUN)
    ledger = ready.state / "ledger.sqlite3"
    places, before = pages(ledger), box.requests
    good = ledger.read_bytes()
    assert len(places) >= 14
    for page in places:
        ledger.write_bytes(good)
        spoil(ledger, page)
        for words in (RUN, ("ledger", "check")):
            done = ready.here(*words)
            assert (done.code, done.out) == (2, ""), (page, words)
            assert "is damaged" in done.err
            assert "rdimport ledger copy" in done.err
        for words in (("status",), ("report",)):
            done = ready.here(*words)  # what they need may be on another page
            assert done.code in (0, 1, 2), (page, words)
            assert "The ledger is correct" not in done.err
    assert box.requests == before


@pytest.mark.parametrize("facts", ["no facts", "7", "{}"])
def test_every_command_reports_a_damaged_ledger(facts: str, ready: Workspace) -> None:
    ready.here(*RUN)
    change(ready, f"UPDATE run SET facts = '{facts}'")  # noqa: S608
    for words in (("status",), ("report",)):
        done = ready.here(*words)
        assert done.code == 2
        assert "is damaged" in done.err
        assert "Traceback" not in done.err


def test_a_copy_is_whole_and_its_owners_only_also_while_a_run_is_at_work(
    ready: Workspace, box: RunningSandbox
) -> None:
    ready.write("list.csv", MANY)
    box.set_faults(Faults(latency=0.1))
    run = ready.start(*RUN, "--concurrency", 4)
    until(lambda: box.counts()["accepted"] >= 20)
    assert ready.here("ledger", "copy", "state", "backup/tonight").code == 0
    copied = ready.home / "backup" / "tonight"
    assert [path.name for path in copied.iterdir()] == ["ledger.sqlite3"]
    assert stat.S_IMODE((copied / "ledger.sqlite3").stat().st_mode) == 0o600
    assert stat.S_IMODE(copied.stat().st_mode) == 0o700
    assert ready.here("ledger", "check", "--state-dir", "backup/tonight").code == 0
    box.set_faults(Faults())
    assert ready.wait(run).code == 1
    with store_of(copied).open() as ledger:
        counts = ledger.run().counts()
    assert counts[State.ACCEPTED] + counts[State.UNCERTAIN] >= 20
    assert set(Counter(p["email"] for p in box.conversions()).values()) == {1}


def test_a_copy_may_be_a_file_too(ready: Workspace) -> None:
    ready.here(*RUN)
    assert ready.here("ledger", "copy", "state/ledger.sqlite3", "monday.sqlite3").code == 0
    assert ready.here("ledger", "copy", "monday.sqlite3", "again").code == 0
    assert ready.here("ledger", "check", "--state-dir", "again").code == 0


@pytest.mark.parametrize("name", ["full/ledger.sqlite3", "full/notes.txt"])
def test_a_copy_replaces_nothing(name: str, ready: Workspace) -> None:
    ready.here(*RUN)
    (ready.home / "full").mkdir()
    ready.write(name, "mine")
    done = ready.here("ledger", "copy", "state", "full")
    assert done.code == 2
    assert "full is not empty" in done.err
    assert [path.name for path in (ready.home / "full").iterdir()] == [Path(name).name]
    assert (ready.home / name).read_text() == "mine"


@pytest.mark.parametrize("size", [1_000, 20_000])
@pytest.mark.parametrize("place", ["aside", "monday.sqlite3"])
def test_a_copy_that_finds_no_room_names_the_place_without_room(
    size: int, place: str, ready: Workspace
) -> None:
    ready.here(*RUN)
    with small_files(size):
        done = ready.here("ledger", "copy", "state", place)
    assert done.code == 2
    assert f"The ledger {place}" in done.err
    assert "state/ledger.sqlite3" not in done.err
    left = ready.home / place
    assert not left.is_file()
    assert not left.is_dir() or list(left.iterdir()) == []


def test_no_copy_is_made_of_what_is_damaged_or_not_there(ready: Workspace) -> None:
    assert "no ledger in state" in ready.here("ledger", "copy", "state", "to").err
    ready.here(*RUN)
    spoil(ready.state / "ledger.sqlite3", 9)
    done = ready.here("ledger", "copy", "state", "to")
    assert done.code == 2
    assert "is damaged" in done.err
    assert list((ready.home / "to").iterdir()) == []
