"""Workers with one ledger: killed, paused, drained, and two of them that keep time."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.clients import Machine, set_up
from support.lists import people
from support.postgres import Server
from support.waiting import until

from rdimport.core.errors import (
    ExitCode,
    LedgerDamagedError,
    LedgerError,
    LedgerLostError,
    UsageError,
)
from rdimport.core.stop import StopReason
from rdimport.fleet import JobEnd, Next, following, is_time, last_tick, next_tick
from rdimport.sandbox.embedded import RunningSandbox

ROWS = 30
CLIENTS = ("acme", "lua")


@pytest.fixture(scope="module")
def secrets(one_sandbox: RunningSandbox) -> dict[str, str]:
    return {client: one_sandbox.create_key("fleet", client) for client in CLIENTS}


@pytest.fixture
def office(
    tmp_path: Path, box: RunningSandbox, postgres: Server, secrets: dict[str, str]
) -> Callable[[str], Machine]:
    """Two clients with 40 people each, due since a moment ago, at a quota."""

    def at(quota: str) -> Machine:
        machine = Machine(tmp_path, box.api_key, box.base_url)
        machine.ledger = postgres.new_database()
        set_up(machine, secrets, 'report_dir = "reports"')
        moment = datetime.now().astimezone() - timedelta(minutes=2)
        every = f'every = "{moment.minute} {moment.hour} * * *"\nmapping ='
        path = machine.home / "rdimport.toml"
        text = path.read_text().replace('"none"', f'"{quota}"').replace("mapping =", every)
        path.write_text(text)
        for client in CLIENTS:
            machine.write(f"{client}.csv", people(ROWS).replace("@", f"@{client}."))
        assert machine.here("fleet", "init").code == 0
        return machine

    return at


def arrived(box: RunningSandbox) -> Counter[str]:
    return Counter(one["email"] for one in box.conversions())


def of_client(box: RunningSandbox, client: str) -> int:
    return sum(f"@{client}." in email for email in arrived(box))


def at_work(machine: Machine) -> dict[str, bool]:
    """The accounts in the queue, and whether a worker is at them."""
    found: dict[str, bool] = {}
    for one in machine.status()["queue"]:
        found[one["account"]] = found.get(one["account"], False) or one["at_work"]
    return found


def see_all_accounted_for(machine: Machine, box: RunningSandbox, *, most_in_doubt: int) -> None:
    """Each row arrived once, or is in doubt; the ledger counts all of them."""
    assert set(arrived(box).values()) == {1}
    for one in machine.status()["jobs"]:
        rows = one["run"]["counts"]
        known = rows["accepted"] + rows["already_imported"]
        assert known + rows["uncertain"] == ROWS, one
        assert known <= of_client(box, one["account"])
        assert rows["uncertain"] <= most_in_doubt


def test_the_jobs_of_a_worker_that_is_killed_go_to_another_one(
    office: Callable[[str], Machine], box: RunningSandbox, postgres: Server
) -> None:
    machine = office("10/s")
    one = machine.start("worker")
    until(lambda: min(of_client(box, client) for client in CLIENTS) > 3)
    two = machine.start("worker", "--slots", "5")
    one.kill()
    machine.wait(one)
    database = machine.ledger.rpartition("/")[2].replace("%20", " ")
    left = "SELECT count(*) FROM rdimport_queue.procrastinate_jobs WHERE queue_name = 'jobs'"
    until(lambda: not postgres.ask(left, database=database))
    assert not machine.status()["queue"]
    see_all_accounted_for(machine, box, most_in_doubt=30)
    states = {worker["state"] for worker in machine.status()["workers"]}
    assert "working" in states
    two.send_signal(signal.SIGTERM)
    ended = machine.wait(two)
    assert (ended.code, "has ended" in ended.out) == (0, True)


def test_accounts_rest_and_go_on_and_a_worker_that_drains_leaves_nothing_in_doubt(
    office: Callable[[str], Machine], box: RunningSandbox
) -> None:
    machine = office("4/s")
    worker = machine.start("worker")
    until(lambda: min(of_client(box, client) for client in CLIENTS) > 1)
    assert machine.here("fleet", "pause", "acme").code == 0
    until(lambda: at_work(machine) == {"lua": True, "acme": False})
    resting = of_client(box, "acme")
    until(lambda: of_client(box, "lua") > resting + 4)
    assert of_client(box, "acme") == resting < ROWS
    assert [one["account"] for one in machine.status()["paused"]] == ["acme"]
    page = machine.here("fleet", "status", "--html", "fleet.html")
    assert "acme" in (machine.home / "fleet.html").read_text(encoding="utf-8")
    assert page.code == 0
    assert machine.here("fleet", "resume", "acme").code == 0
    until(lambda: of_client(box, "acme") > resting)
    assert machine.here("fleet", "drain").code == 0
    assert machine.wait(worker).code == 0
    assert sum(arrived(box).values()) < 2 * ROWS
    left = machine.start("worker", "--once")
    assert machine.wait(left).code == 0
    see_all_accounted_for(machine, box, most_in_doubt=0)
    assert len(arrived(box)) == 2 * ROWS


def test_two_workers_that_keep_time_run_what_is_due_once(
    office: Callable[[str], Machine], box: RunningSandbox
) -> None:
    machine = office("none")
    both = [machine.start("worker", "--once") for _ in range(2)]
    ends = [machine.wait(one) for one in both]
    assert [end.code for end in ends] == [0, 0]
    said = "".join(end.out for end in ends)
    assert [said.count(f"== {client}-fair") for client in CLIENTS] == [1, 1]
    assert len(arrived(box)) == 2 * ROWS
    see_all_accounted_for(machine, box, most_in_doubt=0)


def test_a_worker_without_a_ledger_or_with_an_unreadable_time_does_not_begin(
    office: Callable[[str], Machine], box: RunningSandbox, postgres: Server
) -> None:
    machine = office("none")
    path = machine.home / "rdimport.toml"
    path.write_text(path.read_text().replace('every = "', 'every = "9'))
    wrong = machine.here("worker", "--once")
    assert (wrong.code, "is no time" in wrong.err) == (2, True)
    path.write_text(path.read_text().replace('every = "9', 'every = "'))
    machine.ledger = postgres.new_database()
    nowhere = machine.here("worker", "--once")
    assert (nowhere.code, "rdimport fleet init" in nowhere.err) == (2, True)
    unknown = machine.here("fleet", "drain", "nobody")
    assert unknown.code == 2
    assert not box.requests


NOW = datetime(2026, 11, 28, 22, 40, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
MINUTE = NOW + timedelta(minutes=1)
STOPPED = ExitCode.STOPPED


@pytest.mark.parametrize(
    ("end", "next_", "at"),
    [
        (JobEnd(ExitCode.DONE), Next.NOBODY, None),
        (JobEnd(ExitCode.FAILED_ROWS), Next.NOBODY, None),
        (JobEnd(ExitCode.NOTHING_SENT, error=UsageError("no key")), Next.PERSON, None),
        (JobEnd(ExitCode.BUG), Next.PERSON, None),
        (JobEnd(ExitCode.BUSY), Next.AGAIN, MINUTE),
        (JobEnd(STOPPED, StopReason.ACCOUNT_QUOTA, LATER), Next.AGAIN, LATER),
        (JobEnd(STOPPED, StopReason.LEASE), Next.AGAIN, MINUTE),
        (JobEnd(STOPPED, StopReason.ENDPOINT_DOWN), Next.AGAIN, NOW + timedelta(minutes=5)),
        (JobEnd(STOPPED, StopReason.KEY_REFUSED), Next.PERSON, None),
        (JobEnd(STOPPED, StopReason.MAX_DURATION), Next.NOBODY, None),
        (JobEnd(ExitCode.NOTHING_SENT, error=LedgerError("cut off")), Next.AGAIN, MINUTE),
        (JobEnd(STOPPED, error=LedgerLostError("gone")), Next.REST, None),
        (JobEnd(ExitCode.NOTHING_SENT, error=LedgerDamagedError("bad")), Next.REST, None),
    ],
)
def test_what_follows_an_end(end: JobEnd, next_: Next, at: datetime | None) -> None:
    assert following(end, NOW) == (next_, at)


def test_what_was_taken_from_a_worker_goes_on_at_once_elsewhere() -> None:
    stopped = JobEnd(STOPPED, StopReason.SIGNAL)
    assert following(stopped, NOW, taken_away=True) == (Next.AGAIN, NOW)
    assert following(JobEnd(ExitCode.DONE), NOW, taken_away=True).next is Next.NOBODY


def test_a_moment_that_nobody_saw_counts_for_an_hour() -> None:
    here = NOW.astimezone()
    every = f"{(here - timedelta(minutes=10)).minute} {(here - timedelta(minutes=10)).hour} * * *"
    assert last_tick(every, NOW) == NOW - timedelta(minutes=10)
    assert last_tick(every, NOW + timedelta(minutes=51)) is None
    assert next_tick(every, NOW) > NOW + timedelta(hours=23)
    assert is_time("30 22 * * 1-5")
    assert not is_time("99 22 * * *")
