"""The command with a shared ledger: each machine has its own folder and home."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.cable import TO_CLIENT, TO_SERVER, Cable, cable
from support.claims import KEY
from support.command import Workspace
from support.lists import MAPPING, people
from support.postgres import Server, release
from support.waiting import TIMEOUT, until

from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox


class Machine(Workspace):
    """A workspace whose commands use a shared ledger."""

    ledger = ""

    def _variables(self) -> dict[str, str]:
        shared = {"RDIMPORT_LEDGER": self.ledger, "RDIMPORT_LEDGER_KEY": KEY.hex()}
        return super()._variables() | shared


@pytest.fixture
def machines(tmp_path: Path, box: RunningSandbox, postgres: Server) -> Iterator[list[Machine]]:
    """Two machines with the same list."""
    found = []
    url = postgres.new_database()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        machine = Machine(tmp_path / name, box.api_key, box.base_url)
        machine.ledger = url
        machine.write("m.yaml", MAPPING)
        machine.write("list.csv", people(60))
        found.append(machine)
    assert found[0].here("fleet", "init").code == 0
    return found


MOMENT = "Data da conversão"
EXPORT = (
    "version: 1\nconversion_identifier: {column: Evento de conversão}\nfields: {email: Email}\n"
)
RUN = ("run", "list.csv", "-m", "m.yaml", "--quota", "none", "--json")


def arrived(box: RunningSandbox) -> Counter[str]:
    return Counter(one["email"] for one in box.conversions())


_AN_HOUR_BEHIND = """
CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql
AS $$ SELECT statement_timestamp() - interval '1 hour' $$
"""


def test_a_list_from_before_the_rows_proves_nothing_if_the_databases_clock_is_behind(
    machines: list[Machine], box: RunningSandbox, postgres: Server
) -> None:
    if release() < 13:
        pytest.skip("a test cannot change this function there")
    one, name = machines[0], machines[0].ledger.rpartition("/")[2].replace("%20", " ")
    postgres.do("SET allow_system_table_mods = on", _AN_HOUR_BEHIND, database=name)
    one.write("first.csv", people(1))
    one.write("export.yaml", EXPORT)
    assert one.here("run", "first.csv", *RUN[2:]).code == 0
    one.write("export.csv", box.export())
    box.set_faults(Faults(reset_after=1.0, skip=4, at_most=3))
    lost = one.here(*RUN).summary["uncertain"]
    box.set_faults(Faults())
    assert lost > 0
    since, end = (f"{datetime.now(UTC) - timedelta(minutes=m):%Y-%m-%dT%H:%M}" for m in (300, 30))
    span = ("--complete-from", since, "--complete-until", end, "--utc-offset", "+00:00")
    done = one.here("settle", "export.csv", "-m", "export.yaml", "--moment", MOMENT, *span)
    assert done.code == 0, done.err
    again = one.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert (again["requests"], again["uncertain"]) == (0, lost)
    assert set(arrived(box).values()) == {1}


def test_what_one_machine_has_sent_the_other_knows(
    machines: list[Machine], box: RunningSandbox
) -> None:
    one, two = machines
    assert one.here(*RUN).summary["accepted"] == 60
    again = two.here(*RUN)
    assert (again.code, again.summary["already_imported"]) == (0, 60)
    assert len(arrived(box)) == 60
    status = json.loads(two.here("status", "--json").out)
    assert status
    assert not (two.state / "ledger.sqlite3").exists()


def test_two_machines_with_the_same_list_at_the_same_time_send_each_row_once(
    machines: list[Machine], box: RunningSandbox
) -> None:
    one, two = machines
    first = one.start(*RUN[:-3], "--quota", "10/s", "--json")
    until(lambda: box.counts()["accepted"] > 3)
    busy = two.here(*RUN)
    assert busy.code == 75
    assert "is in use: by a run on" in busy.err
    waited = two.here(*RUN, "--wait", "2m")
    assert one.wait(first).code == 0
    assert (waited.code, waited.summary["already_imported"]) == (0, 60)
    assert set(arrived(box).values()) == {1}


CLAIM = b"INSERT INTO rdimport.conversion"


class Freezer:
    """Freezes a run at a named point: what is on the cable stays there."""

    def __init__(self, line: Cable, point: str) -> None:
        self._line, self._point = line, point
        self._claims = 0
        self.pid = 0
        self.frozen = threading.Event()
        line.watch(self._seen)

    def _seen(self, way: str, data: bytes) -> None:
        if self.frozen.is_set() or not self.pid:
            return
        self._claims += way == TO_SERVER and CLAIM in data
        reached = {
            "before the claim": way == TO_SERVER and CLAIM in data and self._claims == 2,
            "after its commit": way == TO_CLIENT and self._claims == 2,
            "before the end is noted": self._claims == 2
            and way == TO_SERVER
            and b"rdimport.written" in data
            and CLAIM not in data,
        }
        if reached[self._point]:
            self._line.hold(TO_SERVER, TO_CLIENT)
            os.kill(self.pid, signal.SIGSTOP)
            self.frozen.set()


@pytest.mark.parametrize("wakes", [True, False])
@pytest.mark.parametrize("point", ["before the claim", "after its commit"])
def test_a_run_that_is_frozen_and_taken_over_sends_nobody_twice(
    machines: list[Machine], box: RunningSandbox, postgres: Server, point: str, *, wakes: bool
) -> None:
    one, two = machines
    with cable(postgres.port) as line:
        one.ledger = one.ledger.replace(str(postgres.port), str(line.port))
        freezer = Freezer(line, point)
        first = one.start(*RUN, "--concurrency", "4")
        freezer.pid = first.pid
        assert freezer.frozen.wait(TIMEOUT)
        name = two.ledger.rpartition("/")[2].replace("%20", " ")
        lapse = "UPDATE rdimport.lease SET until = '-infinity'"  # as if half a minute had passed
        postgres.do(lapse, database=name)
        second = two.here(*RUN)
        if second.summary["uncertain"]:  # the frozen run may still send them
            refused = two.here(*RUN, "--resend", "uncertain")
            said = " ".join(refused.err.split())
            assert (refused.code, "only asleep" in said, "--now" in said) == (75, True, True)
        os.kill(first.pid, signal.SIGCONT if wakes else signal.SIGKILL)
        line.mend()
        ended = one.wait(first)
    assert ended.code == (3 if wakes else -signal.SIGKILL)
    assert set(arrived(box).values()) == {1}
    summary = second.summary
    held = summary["uncertain"]
    assert summary["accepted"] + summary["already_imported"] + held == 60
    last = two.here(*RUN).summary
    if wakes:  # its late answers have settled all doubt
        assert (last["already_imported"], len(arrived(box))) == (60, 60)
    else:
        assert (last["already_imported"], last["uncertain"]) == (60 - held, held)
        assert 60 - held <= len(arrived(box)) <= 60
        again = two.here(*RUN, "--resend", "uncertain")  # their sender has certainly ended
        assert again.summary["accepted"] == held
    if point == "after its commit":
        assert held > 0


def test_a_run_that_was_killed_is_gone_on_with_at_once_on_the_same_machine(
    machines: list[Machine], box: RunningSandbox
) -> None:
    one, _two = machines
    first = one.start(*RUN[:-3], "--quota", "100/s", "--json")
    until(lambda: box.counts()["accepted"] > 3)
    first.kill()
    one.wait(first)
    again = one.here(*RUN)
    assert again.code in (0, 1)
    summary = again.summary
    assert summary["accepted"] + summary["already_imported"] + summary["uncertain"] == 60
    assert set(arrived(box).values()) == {1}


def test_a_ledger_that_nobody_made_is_not_sent_from(
    machines: list[Machine], box: RunningSandbox, postgres: Server
) -> None:
    one, _two = machines
    one.ledger = postgres.new_database()
    done = one.here(*RUN)
    assert done.code == 2
    assert "rdimport fleet init" in done.err
    assert not box.requests


def test_who_forgets_to_name_the_shared_ledger_sends_nobody_again(
    machines: list[Machine], box: RunningSandbox
) -> None:
    one, _two = machines
    assert one.here(*RUN).code == 0
    forgetful = Workspace(one.home, one.key, one.base_url)
    done = forgetful.here(*RUN)
    assert done.code == 2
    assert "use the shared ledger postgresql://" in done.err
    assert set(arrived(box).values()) == {1}
    (one.state / "shared-ledger").unlink()
    assert forgetful.here(*RUN).code == 0


def with_its_own_ledger(home: Path, machine: Machine) -> Workspace:
    """The same user, whose commands do not name the shared ledger."""
    alone = Workspace(home, machine.key, machine.base_url)
    alone.environment["RDIMPORT_LEDGER_KEY"] = KEY.hex()
    return alone


def test_who_moves_to_a_shared_ledger_without_a_copy_sends_nobody_again(
    machines: list[Machine], box: RunningSandbox, postgres: Server
) -> None:
    one, _two = machines
    alone = with_its_own_ledger(one.home, one)
    assert alone.here(*RUN).code == 0
    for words in (RUN, ("check", "list.csv", "-m", "m.yaml")):
        refused = one.here(*words)
        assert refused.code == 2
        assert "with the directory's own ledger" in refused.err
    assert alone.here(*RUN).summary["already_imported"] == 60
    one.ledger = postgres.new_database()
    assert one.here("ledger", "copy", one.state, one.ledger).code == 0
    assert one.here(*RUN).summary["already_imported"] == 60
    assert set(arrived(box).values()) == {1}


def test_who_has_used_a_shared_ledger_beside_the_directorys_own_goes_on(
    machines: list[Machine], box: RunningSandbox, tmp_path: Path
) -> None:
    """As an earlier release let it begin."""
    one, _two = machines
    (tmp_path / "alone").mkdir()
    alone = with_its_own_ledger(tmp_path / "alone", one)
    alone.write("m.yaml", MAPPING)
    alone.write("list.csv", people(1))
    assert alone.here(*RUN).code == 0
    assert one.here(*RUN).summary["accepted"] == 60
    shutil.copy(alone.state / "ledger.sqlite3", one.state)
    again = one.here(*RUN)
    assert (again.code, again.summary["already_imported"]) == (0, 60), again.err
    (one.state / "shared-ledger").write_text(f"{one.ledger}2\n")
    assert "with the directory's own ledger" in one.here(*RUN).err


def test_who_names_another_shared_ledger_sends_nobody_again(
    machines: list[Machine], box: RunningSandbox, postgres: Server
) -> None:
    """Such as a mistyped database, or the one that a move has left behind."""
    one, _two = machines
    right, wrong = one.ledger, postgres.new_database()
    assert one.here(*RUN).summary["accepted"] == 60
    one.ledger = wrong
    assert one.here("fleet", "init").code == 0
    for words in (RUN, RUN, ("check", "list.csv", "-m", "m.yaml")):
        refused = one.here(*words)
        assert (refused.code, f"--ledger {right}" in refused.err) == (2, True)
    check = one.here("check", "list.csv", "-m", "m.yaml", "--account", "another", "--yes")
    assert check.code == 0  # nobody of that account was sent with either
    one.ledger = right
    assert one.here(*RUN).summary["already_imported"] == 60
    assert set(arrived(box).values()) == {1}
    copied = one.here("ledger", "copy", right, postgres.new_database())
    assert copied.code == 0
    one.ledger = copied.out.split(" to ")[1].split()[0].rstrip(".")
    mark = one.state / "shared-ledger"
    mark.write_text(mark.read_text("utf-8").rstrip(), "utf-8")  # as some editors leave it
    assert one.here(*RUN).summary["already_imported"] == 60
    addresses = [line.split("\t")[0] for line in mark.read_text("utf-8").splitlines()]
    assert addresses == [right, one.ledger]


def test_who_says_so_begins_with_another_shared_ledger(
    machines: list[Machine], box: RunningSandbox, postgres: Server
) -> None:
    one, _two = machines
    assert one.here(*RUN).summary["accepted"] == 60
    old, one.ledger = one.ledger, postgres.new_database()
    assert one.here("fleet", "init").code == 0
    postgres.do(f'DROP DATABASE "{old.rpartition("/")[2].replace("%20", " ")}" WITH (FORCE)')
    refused = one.here(*RUN)  # the other one cannot be asked any more
    assert (refused.code, "delete the lines of" in refused.err) == (2, True)
    mark = one.state / "shared-ledger"
    lines = mark.read_text("utf-8").splitlines(keepends=True)
    mark.write_text("".join(line for line in lines if old not in line), "utf-8")
    assert one.here(*RUN).summary["accepted"] == 60
    assert one.here(*RUN).summary["already_imported"] == 60
    assert set(arrived(box).values()) == {2}


def test_a_directory_that_was_copied_to_one_shared_ledger_does_not_send_with_another(
    machines: list[Machine], box: RunningSandbox, postgres: Server
) -> None:
    one, _two = machines
    alone = with_its_own_ledger(one.home, one)
    assert alone.here(*RUN).code == 0
    right, wrong = postgres.new_database(), one.ledger
    assert one.here("ledger", "copy", one.state, right).code == 0
    refused = one.here(*RUN)
    assert (refused.code, f"--ledger {right}" in refused.err) == (2, True)
    assert f"rdimport ledger new --state-dir {one.state}" in refused.err
    assert one.ledger == wrong
    one.ledger = right
    assert one.here(*RUN).summary["already_imported"] == 60
    assert set(arrived(box).values()) == {1}


def test_who_starts_over_in_a_shared_ledger_sets_the_directorys_own_aside(
    machines: list[Machine], box: RunningSandbox
) -> None:
    one, two = machines
    assert Workspace(one.home, one.key, one.base_url).here(*RUN).code == 0
    assert one.here(*RUN).code == 2
    assert two.here(*RUN).summary["accepted"] == 60  # its directory has no ledger
    refused = one.here(*RUN)
    (new,) = [line for line in refused.err.splitlines() if "ledger new" in line]
    begun = one.here(*shlex.split(new.partition(": rdimport ")[2]), "--yes")
    assert begun.code == 0
    assert str(one.state) in begun.out  # not the shared one, though the environment names it
    assert one.here(*RUN).summary["already_imported"] == 60
    assert set(arrived(box).values()) == {2}
