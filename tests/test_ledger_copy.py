"""`ledger copy` from a state directory to a shared ledger and back: nobody is sent again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.claims import KEY
from support.command import Workspace
from support.ledgers import sqlite_ledger
from support.lists import MAPPING, people
from support.postgres import Server
from support.waiting import until
from test_ledger_contract import row
from test_ledger_upgrade import AGAIN, OLD, brought, imported

from rdimport.core.errors import LedgerBusyError
from rdimport.core.row import State
from rdimport.ledger import Counters, RunRecord, copy_ledger, store_of
from rdimport.ledger.content import TABLES
from rdimport.ledger.postgres import renewing
from rdimport.ledger.postgres.store import PostgresStore
from rdimport.sandbox.embedded import RunningSandbox

KEPT = Path(__file__).parent / "ledgers"
RUN = ("run", "list.csv", "-m", "m.yaml", "--quota", "none", "--json")
SHARED = ("--state-dir", "work", "--ledger")
"""As on another machine: a state directory records which shared ledger was used with it."""


class Machine(Workspace):
    """A workspace whose key for shared ledgers is in its own file."""

    def _variables(self) -> dict[str, str]:
        return super()._variables() | {"RDIMPORT_LEDGER_KEY_FILE": str(self.home / "ledger.key")}


@pytest.fixture
def machine(tmp_path: Path, box: RunningSandbox) -> Machine:
    (tmp_path / "workspace").mkdir()
    machine = Machine(tmp_path / "workspace", box.api_key, box.base_url)
    machine.write("m.yaml", MAPPING)
    machine.write("list.csv", people(30))
    return machine


def content(ledger: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(ledger)) as db:
        return {
            table: db.execute(
                f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2"  # noqa: S608
            ).fetchall()
            for table, columns in TABLES.items()
        }


@pytest.mark.parametrize("old", sorted(KEPT.glob("*.sqlite3")), ids=lambda path: path.stem)
def test_all_that_a_ledger_knows_goes_to_postgresql_and_comes_back(
    old: Path, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RDIMPORT_LEDGER_KEY_FILE", str(tmp_path / "ledger.key"))
    for name in ("here", "back"):
        (tmp_path / name).mkdir(mode=0o700)
    shutil.copy(old, tmp_path / "here" / "ledger.sqlite3")
    (tmp_path / "here" / "ledger.sqlite3").chmod(0o600)
    url = postgres.new_database()
    copy_ledger(str(tmp_path / "here"), url)
    copy_ledger(url, str(tmp_path / "back"))
    before = content(tmp_path / "here" / "ledger.sqlite3")
    assert content(tmp_path / "back" / "ledger.sqlite3") == before
    assert before["conversion"]
    with store_of(tmp_path / "here").open() as one, store_of(tmp_path / "back").open() as other:
        assert one.key == other.key
        numbers = [number for number, *_ in before["destination"]]
        assert [one.knows_of_0_1(n) for n in numbers] == [other.knows_of_0_1(n) for n in numbers]


def test_who_was_sent_from_a_state_directory_is_not_sent_from_the_copy(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    url = postgres.new_database()
    assert machine.here(*RUN).code == 0
    copied = machine.here("ledger", "copy", "state", url)
    assert copied.code == 0
    assert "The copy is complete" in copied.out
    again = machine.here(*RUN, "--ledger", url)
    assert (again.code, again.summary["already_imported"]) == (0, 30)
    checked = machine.here("ledger", "check", "--ledger", url)
    assert "2 runs" in checked.out
    assert "30 accepted" in checked.out
    assert machine.here("ledger", "copy", url, "third").code == 0
    assert machine.here("ledger", "accept", "--yes", "--state-dir", "third").code == 0
    third = machine.here(*RUN, "--state-dir", "third")
    assert (third.code, third.summary["already_imported"]) == (0, 30)
    assert len(box.conversions()) == 30


def test_a_backup_is_tried_with_check_and_a_run_with_it_keeps_the_original_away(
    machine: Machine, box: RunningSandbox
) -> None:
    copied = ("--state-dir", "backup")
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", "backup").code == 0
    assert machine.here("ledger", "check", *copied).code == 0
    checked = machine.here("check", *RUN[1:], *copied)
    assert (checked.code, checked.summary["already_imported"]) == (0, 30)
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", "later").code == 0
    assert machine.here(*RUN, "--state-dir", "later").summary["requests"] == 0
    refused = machine.here(*RUN)
    assert (refused.code, "ledger accept" in refused.err) == (2, True)
    assert machine.here("ledger", "accept", "--yes").code == 0
    assert machine.here(*RUN).summary["already_imported"] == 30
    assert len(box.conversions()) == 30


@pytest.mark.parametrize("again", AGAIN[::3])
def test_a_list_that_an_earlier_release_imported_is_not_sent_from_the_copy(
    machine: Machine, box: RunningSandbox, postgres: Server, again: tuple[str, str, list[str]]
) -> None:
    file, mapping, words = again
    url = postgres.new_database()
    old = brought(machine, box, OLD)
    assert old.here("ledger", "copy", "state", url).code == 0
    found = imported(old, file, mapping, *words, "--ledger", url)
    assert set(found) <= {"already_imported", "duplicate", "invalid", "refused"}
    assert box.requests == 0


def test_a_key_stays_bound_to_its_account(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    url = postgres.new_database()
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", url).code == 0
    other = machine.here(*RUN, "--ledger", url, "--account", "other")
    assert other.code == 2
    assert "belongs to account “default”" in other.err


def test_what_a_killed_run_left_on_its_way_is_in_doubt_in_the_copy(
    machine: Machine, postgres: Server
) -> None:
    url = postgres.new_database()
    with sqlite_ledger(machine.state) as ledger:
        record = RunRecord(account="a")
        run = ledger.start_run("20261128-120000-aaaa", "there", datetime.now(UTC), record)
        run.record_rows(1, 0, ())
        run.apply([row(ledger, 1)], [], Counters(1))
    assert machine.here("ledger", "copy", "state", url).code == 0
    back = machine.here("ledger", "copy", url, "back")
    assert back.code == 0, back.err
    with store_of(machine.home / "back").open() as ledger:
        run = ledger.run()
        assert run.counts()[State.UNCERTAIN] == 1
        assert run.facts().stopped_because == "killed"


def test_a_copy_replaces_nothing(machine: Machine, postgres: Server) -> None:
    url = postgres.new_database()
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", url).code == 0
    for target in (url, "state"):
        refused = machine.here("ledger", "copy", "state" if target == url else url, target)
        assert refused.code == 2
        assert "is not empty" in refused.err


def resting(machine: Machine, *where: str, used: str) -> None:
    """Assert that no run sends from that ledger; each says which one is used, and how to
    continue.
    """
    for command in ("run", "check"):
        refused = machine.here(command, "list.csv", "-m", "m.yaml", *where)
        assert refused.code == 2
        assert "are copies of each other" in refused.err
        assert f"--ledger {used}" in refused.err
        assert "rdimport ledger accept" in refused.err
    assert machine.here("status", *where).code == 0
    assert machine.here("report", *where).code == 0


def test_a_directory_that_was_copied_to_a_shared_ledger_is_used_no_more(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    url = postgres.new_database()
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", url).code == 0
    machine.write("list.csv", people(35))
    resting(machine, used=url)
    assert machine.here(*RUN, *SHARED, url).summary["accepted"] == 5
    resting(machine, used=url)
    assert machine.here("ledger", "copy", "state", "backup").code == 0
    resting(machine, "--state-dir", "backup", used=url)
    again = machine.here("ledger", "copy", "state", postgres.new_database())
    assert (again.code, "are copies of each other" in again.err) == (2, True)
    assert len(box.conversions()) == 35
    assert machine.here("ledger", "accept", "--yes").code == 0
    assert machine.here(*RUN).summary["accepted"] == 5  # a person has confirmed it


def test_a_directory_that_a_shared_ledger_was_copied_to_waits_for_a_person(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    url = postgres.new_database()
    assert machine.here("fleet", "init", "--ledger", url).code == 0
    assert machine.here(*RUN, *SHARED, url).code == 0
    assert machine.here("ledger", "copy", url, "backup").code == 0
    machine.write("list.csv", people(35))
    assert machine.here(*RUN, *SHARED, url).summary["accepted"] == 5
    resting(machine, "--state-dir", "backup", used=url)
    other = postgres.new_database()
    refused = machine.here("ledger", "copy", "backup", other)
    assert (refused.code, f"--ledger {url}" in refused.err) == (2, True)
    assert len(box.conversions()) == 35
    assert machine.here("ledger", "accept", "--yes", "--state-dir", "backup").code == 0
    assert machine.here("ledger", "copy", "backup", other).code == 0
    assert machine.here(*RUN, *SHARED, other).summary["accepted"] == 5


def test_of_two_shared_ledgers_the_one_that_was_copied_is_used_no_more(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    old, new = postgres.new_database(), postgres.new_database()
    assert machine.here("fleet", "init", "--ledger", old).code == 0
    assert machine.here(*RUN, *SHARED, old).code == 0
    assert machine.here("ledger", "copy", old, new).code == 0
    machine.write("list.csv", people(35))
    assert machine.here(*RUN, *SHARED, new).summary["accepted"] == 5
    resting(machine, "--ledger", old, used=new)
    assert len(box.conversions()) == 35
    assert machine.here("ledger", "accept", "--yes", "--ledger", old).code == 0
    assert machine.here(*RUN, *SHARED, old).code == 0


def test_an_older_copy_is_not_copied_to_a_shared_ledger(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    machine.write("list.csv", people(20))
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", "older").code == 0
    machine.write("list.csv", people(30))
    assert machine.here(*RUN).code == 0
    refused = machine.here("ledger", "copy", "older", postgres.new_database())
    assert (refused.code, "Rows were sent from a copy" in refused.err) == (2, True)


def test_a_copy_that_was_interrupted_is_made_again(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    """Nothing was sent from either of them in the meantime."""
    url = postgres.new_database()
    assert machine.here(*RUN).code == 0
    with closing(sqlite3.connect(machine.state / "ledger.sqlite3")) as db:
        db.execute("INSERT INTO setting VALUES ('twin', ?)", (url,))
        db.commit()
    resting(machine, used=url)
    assert machine.here("ledger", "copy", "state", url).code == 0
    resting(machine, used=url)


def test_a_copy_that_fails_changes_nothing(machine: Machine, postgres: Server) -> None:
    url = postgres.new_database()
    assert machine.here("fleet", "init", "--ledger", url).code == 0
    assert machine.here(*RUN, *SHARED, url).code == 0
    (machine.home / "ledger.key").rename(machine.home / "another.key")
    assert machine.here("ledger", "new", "--state-dir", "state", "--yes").code == 0
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", url).code == 2
    assert machine.here(*RUN).code == 0


def test_another_key_of_this_machine_is_not_replaced(machine: Machine, postgres: Server) -> None:
    assert machine.here(*RUN).code == 0
    machine.write("ledger.key", "ab" * 32)
    refused = machine.here("ledger", "copy", "state", postgres.new_database())
    assert refused.code == 2
    assert "RDIMPORT_LEDGER_KEY_FILE" in refused.err
    assert (machine.home / "ledger.key").read_text() == "ab" * 32


def test_a_ledger_in_use_does_not_become_one_of_another_kind(
    machine: Machine, postgres: Server
) -> None:
    assert machine.here(*RUN).code == 0
    with store_of(machine.state).hold("default"):
        busy = machine.here("ledger", "copy", "state", postgres.new_database())
    assert busy.code == 75
    assert "would be missing from the copy" in " ".join(busy.err.split())


@pytest.mark.parametrize("shared", [False, True])
def test_no_run_of_a_new_account_begins_while_a_ledger_is_copied(
    machine: Machine, box: RunningSandbox, postgres: Server, *, shared: bool
) -> None:
    url = postgres.new_database()
    assert machine.here(*RUN).code == 0
    if shared:
        assert machine.here("ledger", "copy", "state", url).code == 0
    place = ("--ledger", url) if shared else ()
    key = (machine.home / "ledger.key").read_text() if shared else None
    new = (*RUN, *place, "--account", "new", "--yes", "--wait", "0s")
    machine.environment["RDIMPORT_API_KEY"] = box.create_key("second", f"new {shared}")
    with store_of(url if shared else machine.state, key).nobody_at_work() as free:
        assert free
        assert machine.here(*new).code == 75
        assert len(box.conversions()) == 30
    assert machine.here(*new).code == 0
    assert len(box.conversions()) == 60


def test_a_copy_that_takes_long_keeps_runs_away_until_its_end(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "EVERY", 0.05)
    url = postgres.new_database()
    store = PostgresStore(url, KEY.hex())
    store.make()
    with store.hold("default"):
        pass
    name = url.rpartition("/")[2].replace("%20", " ")
    soon = "UPDATE rdimport.lease SET until = clock_timestamp() + interval '5 seconds'"
    left = "SELECT min(until - clock_timestamp()) > interval '20 seconds' FROM rdimport.lease"
    with store.nobody_at_work() as free:
        assert free
        postgres.do(soon, database=name)
        until(lambda: postgres.ask(left, database=name))
        with pytest.raises(LedgerBusyError), store.hold("default"):
            pass
    for _ in range(20):  # none is renewed after it was released
        with store.hold("default"):
            pass


def test_there_must_be_something_to_copy(machine: Machine, postgres: Server) -> None:
    url = postgres.new_database()
    for source, target in (("nowhere", url), (url, "state")):
        nothing = machine.here("ledger", "copy", source, target)
        assert nothing.code == 2
        assert "There is no ledger in" in nothing.err
    assert not machine.state.exists()


def test_a_password_in_an_address_is_never_shown(machine: Machine, postgres: Server) -> None:
    url = postgres.new_database().replace("postgres@", "postgres:s3cret-p4ss@")
    assert machine.here(*RUN).code == 0
    assert machine.here("ledger", "copy", "state", url).code == 0
    for words in (
        ("ledger", "copy", "state", url),
        ("ledger", "check", "--ledger", url),
        ("status", "--ledger", url),
        (*RUN, "--ledger", url),
        (*RUN, "--ledger", url + "?nonsense=1"),
        (*RUN, "--ledger", url.replace("127.0.0.1", "127.0.0.1:1,x")),
    ):
        machine.here(*words)
    for name, what in machine.artefacts().items():
        assert b"s3cret" not in what, name


@pytest.mark.parametrize("source", [".", "list.csv", "list.csv/state", "mysql://x"])
def test_a_place_without_a_ledger_is_named_and_no_option_that_copy_does_not_have(
    source: str, workspace: Workspace
) -> None:
    workspace.write("list.csv", "E-mail\nana@exemplo.com.br\n" * 50)
    done = workspace.here("ledger", "copy", source, "copies")
    assert (done.code, done.out) == (2, "")
    assert "damaged" not in done.err
    assert "--state-dir" not in done.err
    assert "in .." not in done.err
    moved = workspace.here("ledger", "key", "--state-dir", ".", "--move-to", "../moved.key")
    assert (moved.code, "in .." in moved.err) == (2, False), moved.err
    assert not (workspace.home / "copies").exists()


def test_a_ledger_that_is_no_database_is_said_to_be_damaged_in_portuguese(
    workspace: Workspace,
) -> None:
    workspace.state.mkdir(mode=0o700)
    (workspace.state / "ledger.sqlite3").write_bytes(b"no database, but long enough" * 99)
    (workspace.state / "ledger.sqlite3").chmod(0o600)
    done = workspace.here("--lang", "pt-BR", "ledger", "check", "--state-dir", "state")
    assert (done.code, done.out) == (2, "")
    assert "está danificado: o arquivo não é um banco de dados." in done.err
