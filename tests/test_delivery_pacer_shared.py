"""Runs of one account on one machine: together they keep its quota, and use all of it."""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support.windows import WINDOW, Windows

from rdimport.core.quota import Quota
from rdimport.delivery.pacing.pacer import EvenPacer
from rdimport.delivery.pacing.shared import SharedPacer, shared
from rdimport.destination.rdstation.endpoint import RDStation

RD = Quota(120, 60.0)
KEY = "k3y-0f-th3-sh4r3d-4cc0unt"


class Machine:
    """A directory through which runs share a quota, and those runs."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place = place
        self.notes: list[str] = []
        self._stack = stack

    def run(
        self, now: float = 0.0, *, key: str = KEY, quota: Quota = RD
    ) -> EvenPacer | SharedPacer:
        to = RDStation(key, base_url="https://api.exemplo.com.br")
        return self._stack.enter_context(shared(quota, to, self.place, now, self.notes.append))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with ExitStack() as stack:
        yield Machine(tmp_path / "quota", stack)


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("runs", [2, 5])
def test_runs_of_one_account_use_its_quota_and_no_more(
    machine: Machine, runs: int, headers: bool
) -> None:
    seen = Windows(30, headers=headers).play([machine.run() for _ in range(runs)])
    assert seen.used >= 0.99
    assert seen.turned_away <= 0.001
    parts = [seen.of(run) for run in range(runs)]
    assert min(parts) >= 0.95 * max(parts)


def test_two_runs_that_do_not_share_would_be_refused() -> None:
    assert Windows(30, headers=False).play([EvenPacer(RD), EvenPacer(RD)]).turned_away > 0.001


def test_a_run_alone_takes_several_slots_by_one_statement_and_none_twice_when_another_joins(
    machine: Machine,
) -> None:
    quota = Quota(500, 60.0)
    first = machine.run(quota=quota)
    statements: list[object] = []
    sys.setprofile(lambda _, event, of: statements.append(of) if _is_statement(event, of) else None)
    alone = sent_by(first, 0.0, 100)
    sys.setprofile(None)
    assert len(statements) <= 0.5 * len(alone)  # recorded: 0.4
    now = alone[-1]
    second = machine.run(now, quota=quota)
    of_second = sent_by(second, now, 1)
    assert of_second[0] - now <= 1
    both = sorted([*alone, *sent_by(first, now, 3), *of_second])
    for _ in range(50):
        both += [*sent_by(first, both[-1], 1), *sent_by(second, both[-1], 1)]
    # a run's first slot makes up for half a slot
    apart = [later - earlier for earlier, later in itertools.pairwise(sorted(both)[1:])]
    assert min(apart) >= 0.99 * quota.interval


def _is_statement(event: str, of: object) -> bool:
    return event == "c_call" and getattr(of, "__name__", "") == "execute"


def sent_by(run: EvenPacer | SharedPacer, now: float, rows: int) -> list[float]:
    """When the next rows of a run are sent, if it waits for nothing else."""
    times = []
    for _ in range(rows):
        while (wait := run.wait(now)) > 0:
            now += wait
        run.acquire(now)
        times.append(now)
    return times


@pytest.mark.parametrize("seed", range(2))
def test_together_they_fill_what_another_client_leaves(machine: Machine, seed: int) -> None:
    windows = Windows(60, others=0.3, seed=seed)
    seen = windows.play([machine.run(), machine.run()])
    assert seen.used >= 0.98
    assert seen.turned_away <= 0.002
    assert seen.others_turned_away <= 0.01


def test_slots_of_a_run_that_died_are_free_a_moment_later(machine: Machine) -> None:
    alive, killed = machine.run(), machine.run()
    seen = Windows(30, missed=11).play([alive, killed], until=[float("inf"), 10 * WINDOW])
    assert seen.used >= 0.99


def test_a_run_that_comes_later_gets_its_part_at_once(machine: Machine) -> None:
    first = machine.run()
    for _ in range(10):
        first.acquire(first.wait(0))
    second = machine.run(5.0)
    assert second.wait(5.0) <= 2 * RD.interval * 1.01


def test_a_run_that_was_alone_shares_its_slots_with_one_that_comes(machine: Machine) -> None:
    runs, now, left = [machine.run()], 0.0, []
    for turn in range(60):
        if turn == 20:
            runs.append(machine.run(now))
        one = runs[turn % len(runs)]
        now += one.wait(now)
        one.acquire(now)
        left.append(now)
    # each makes up for half a slot when it starts
    gaps = sorted(after - before for before, after in itertools.pairwise(left))
    assert gaps[0] >= 0
    assert gaps[2] >= RD.interval
    assert gaps[-1] <= 2 * RD.interval * 1.01


def test_a_429_of_one_run_holds_the_other_until_the_window_ends(machine: Machine) -> None:
    one, other = machine.run(), machine.run()
    assert other.wait(0) <= RD.interval * 1.01
    one.on_quota_exceeded(0.1, 20, blind=True)
    assert other.wait(1) == pytest.approx(19.1)
    assert other.wait(20.1) <= 2 * RD.interval * 1.01


def test_what_keeps_one_run_from_the_endpoint_does_not_hold_the_other(machine: Machine) -> None:
    one, other = machine.run(), machine.run()
    one.hold(0, 30)
    assert one.held(0) == one.wait(0) == 30
    assert other.held(0) == 0
    assert other.wait(0) <= 2 * RD.interval * 1.01


def test_a_hold_of_a_dead_run_does_not_outlast_a_window(machine: Machine) -> None:
    machine.run().on_quota_exceeded(0, 3000, blind=False)
    assert machine.run(1).wait(1) <= RD.seconds
    assert machine.run(3 * WINDOW).wait(3 * WINDOW) <= RD.interval * 1.01


@pytest.mark.parametrize("now", [-1e6, 10.0, 1e6])
def test_a_clock_that_began_anew_makes_nobody_wait(machine: Machine, now: float) -> None:
    before = machine.run(0.0)
    for _ in range(50):
        before.acquire(before.wait(0.0))
    assert machine.run(now).wait(now) <= 51 * RD.interval * 1.01


def test_another_key_has_another_quota(machine: Machine) -> None:
    one, other = machine.run(), machine.run(key=KEY + "2")
    one.on_quota_exceeded(0, 30, blind=True)
    assert other.wait(0) == 0


def test_at_a_high_rate_slots_are_taken_several_at_once(machine: Machine) -> None:
    fast = machine.run(quota=Quota(1_000, 1.0))
    left, now = 0, 0.0
    while now < 1.0:
        now += fast.wait(now)
        fast.acquire(now)
        left += 1
    assert 990 <= left <= 1_001
    first, other = (machine.run(now, quota=Quota(1_000, 1.0)) for _ in range(2))
    assert first.wait(now) <= other.wait(now) - 0.019  # after the twenty that the first one took


def rows(machine: Machine, sql: str) -> list[tuple[object, ...]]:
    (path,) = machine.place.glob("*.sqlite3")
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def test_the_file_is_its_owners_and_its_name_tells_no_key(machine: Machine) -> None:
    machine.run().wait(0)
    for path in machine.place.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert re.match(r"quota-1-[0-9a-f]{24}\.sqlite3", path.name)
        assert KEY.encode() not in path.read_bytes()
    assert stat.S_IMODE(machine.place.stat().st_mode) == 0o700


def test_a_run_that_ends_removes_itself(tmp_path: Path) -> None:
    with ExitStack() as stack:
        Machine(tmp_path, stack).run().wait(0)
    with ExitStack() as stack:
        assert rows(Machine(tmp_path, stack), "SELECT * FROM run") == []


@pytest.mark.parametrize("what", ["a file", "a later table"])
def test_a_place_that_cannot_be_used_is_reported_and_stops_nobody(
    machine: Machine, what: str
) -> None:
    if what == "a file":
        machine.place.write_bytes(b"")
    else:
        machine.run()
        (path,) = machine.place.glob("*.sqlite3")
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE standing SET value = x'00'")
    alone = machine.run()
    assert len(machine.notes) == 1
    assert str(machine.place) in machine.notes[0]
    assert KEY not in machine.notes[0]
    assert alone.wait(0) == 0


@pytest.mark.parametrize("torn", ["all of it", "its table"])
def test_a_file_that_a_power_cut_has_torn_is_made_anew_and_shared(
    machine: Machine, tmp_path: Path, torn: str
) -> None:
    with ExitStack() as stack:
        Machine(machine.place, stack).run()
    (path,) = machine.place.glob("*.sqlite3")
    data = path.read_bytes()
    path.write_bytes(os.urandom(4096) if torn == "all of it" else data[:4096] + b"\xff" * 8192)
    one, other = machine.run(), machine.run()
    assert machine.notes == []
    one.on_quota_exceeded(0.1, 20, blind=True)
    assert other.wait(1) == pytest.approx(19.1)


def test_a_run_that_finds_the_file_busy_continues_alone_and_says_so_at_the_end(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        machine = Machine(tmp_path / "quota", stack)
        goes_on_alone(machine)
        assert machine.notes == []
    (message,) = machine.notes
    assert "by itself for 1 s" in message
    assert "database is locked" in message


def goes_on_alone(machine: Machine) -> None:
    run = machine.run()
    (path,) = machine.place.glob("*.sqlite3")
    halted = sqlite3.connect(path, isolation_level=None)
    halted.execute("BEGIN IMMEDIATE")
    now = 0.0
    for _ in range(3):
        now += run.wait(now)
        run.acquire(now)
    halted.close()
    assert RD.interval < now <= 2 * RD.interval * 1.01
