"""Workers with one ledger: paused, drained, sharing accounts, and two schedulers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.fleet import CLIENTS, FleetWorkspace
from support.postgres import Server
from support.waiting import until

from rdimport.sandbox.embedded import RunningSandbox

_NOTHING_RUNS_OUT = """
UPDATE rdimport.lease SET until = 'infinity', machine = 'another' WHERE process = {0};
UPDATE rdimport.worker SET seen = now() + interval '1 h' WHERE name LIKE '%-{0}';
UPDATE rdimport_queue.procrastinate_workers SET last_heartbeat = 'infinity'
WHERE id IN (SELECT queue FROM rdimport.worker WHERE name LIKE '%-{0}')
"""
"""Nothing a worker holds expires, as if it were on another machine."""

_SILENCE = """
UPDATE rdimport_queue.procrastinate_workers SET last_heartbeat = '-infinity'
WHERE id IN (SELECT queue FROM rdimport.worker WHERE name LIKE '%-{0}')
"""
_PLACES_NOTED = """
CREATE TABLE public.placed (id serial, place text, job text);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.placed (place, job)
VALUES (new.queue_name, new.args ->> 'job'); RETURN new; END $$;
CREATE TRIGGER note BEFORE INSERT ON rdimport_queue.procrastinate_jobs
FOR EACH ROW WHEN (new.task_name = 'rdimport.job') EXECUTE FUNCTION public.note()
"""
_WAITING = """
WITH seen AS (INSERT INTO rdimport.due VALUES ('acme acme-fair', now()), ('lua lua-fair', now()))
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
SELECT 'jobs ' || %s, 'rdimport.job', account, account || '-fair',
    jsonb_build_object('account', account, 'job', account || '-fair')
FROM unnest(ARRAY['acme', 'lua']) AS account
"""
_PLACES = "SELECT string_agg(place, ' ') FROM public.placed"
_JOBS_PLACED = "SELECT string_agg(job, ' ' ORDER BY id) FROM public.placed"
_LAST_FIRST = """
SELECT string_agg(args ->> 'job', ' ' ORDER BY id DESC) FROM rdimport_queue.procrastinate_jobs
WHERE status = 'doing' AND task_name = 'rdimport.job'
"""
_TURNS = "SELECT count(*) FROM rdimport.lease WHERE process = %s AND until > now()"
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, 'rdimport ')
"""


@pytest.fixture
def secrets(key_of: Callable[[str], str]) -> dict[str, str]:
    return {client: key_of(client) for client in CLIENTS}


@pytest.fixture
def workspace(
    tmp_path: Path, box: RunningSandbox, postgres: Server, secrets: dict[str, str]
) -> Callable[[str, int], FleetWorkspace]:
    def at(quota: str, rows: int) -> FleetWorkspace:
        one = FleetWorkspace.new(tmp_path, box, postgres, secrets)
        one.write_lists(rows)
        one.due(quota=quota)
        return one

    return at


@pytest.mark.waits
def test_a_worker_that_joins_gets_its_share_of_the_accounts(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("2/s", 100)
    one = at.start("worker")
    until(lambda: at.jobs_of_workers() == [2])
    until(at.all_begun)
    two = at.start("worker")
    until(lambda: at.jobs_of_workers() == [1, 1])
    at.until_all_send()
    at.finish(one, two)
    at.see_all_accounted_for(most_in_doubt=0)
    assert sum(at.arrived().values()) == 2 * 100


@pytest.mark.waits
def test_a_worker_that_was_killed_is_known_by_its_connection(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("1/s", 100)
    workers = [at.start("worker") for _ in range(2)]
    until(lambda: at.jobs_of_workers() == [1, 1])
    until(at.all_begun)
    killed = workers[0]
    killed.kill()
    at.wait(killed)
    at.server.do(_NOTHING_RUNS_OUT.format(killed.pid), database=at.database)
    until(lambda: at.jobs_of_workers() == [2])
    at.until_all_send()
    assert "silent" in {worker["state"] for worker in at.status()["workers"]}
    at.finish(workers[1])
    at.see_all_accounted_for(most_in_doubt=64)
    assert at.box.counts()["throttled"] == 0


@pytest.mark.waits
def test_a_dead_workers_jobs_go_to_the_least_loaded_and_nothing_else_moves(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("1/s", 100)
    workers = [at.start("worker") for _ in range(2)]
    until(lambda: at.jobs_of_workers() == [1, 1])
    until(at.all_begun)
    free = at.start("worker")
    until(lambda: at.jobs_of_workers() == [0, 1, 1])
    killed, other = workers
    killed.kill()
    at.wait(killed)
    at.server.do(_PLACES_NOTED, _SILENCE.format(killed.pid), database=at.database)
    until(lambda: at.jobs_of_workers() == [1, 1])
    at.until_all_send()
    placed = at.server.ask(_PLACES, database=at.database)
    assert placed == f"jobs {socket.gethostname()}-{free.pid}"
    at.finish(free, other)
    at.see_all_accounted_for(most_in_doubt=64)


@pytest.mark.waits
def test_what_a_dead_worker_took_last_begins_first_at_the_next(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("1/s", 100)
    killed = at.start("worker")
    until(at.all_begun)
    killed.kill()
    at.wait(killed)
    last_first = at.server.ask(_LAST_FIRST, database=at.database)
    assert sorted(last_first.split()) == [f"{client}-fair" for client in CLIENTS]
    at.server.do(_PLACES_NOTED, _SILENCE.format(killed.pid), database=at.database)
    after = at.start("worker")
    until(lambda: at.server.ask(_JOBS_PLACED, database=at.database) == last_first)
    at.finish(after)
    at.see_all_accounted_for(most_in_doubt=64)


def test_what_waits_for_a_worker_that_is_full_goes_to_another(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("1/s", 100)
    at.due(timedelta(minutes=62), quota="1/s")  # nothing is due
    workers = [at.start("worker", "--slots", "1") for _ in range(2)]
    until(lambda: at.jobs_of_workers() == [0, 0])
    with closing(at.server.connect(at.database)) as db:
        db.execute("SET search_path = rdimport_queue")
        db.execute(_WAITING, (f"{socket.gethostname()}-{workers[0].pid}",))
    until(lambda: at.jobs_of_workers() == [1, 1])
    until(at.all_begun)
    at.finish(*workers)
    at.see_all_accounted_for(most_in_doubt=0)


def test_accounts_rest_and_go_on_and_a_worker_that_drains_leaves_nothing_in_doubt(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("2/s", 100)
    worker = at.start("worker")
    until(at.all_begun)
    assert at.here("fleet", "pause", "acme").code == 0
    until(lambda: at.at_work() == {"lua": True, "acme": False})
    resting, others = at.of_client("acme"), at.of_client("lua")
    until(lambda: at.of_client("lua") > others + 4)
    assert at.of_client("acme") == resting < 100
    assert [one["account"] for one in at.status()["paused"]] == ["acme"]
    page = at.here("fleet", "status", "--html", "fleet.html")
    assert "acme" in (at.home / "fleet.html").read_text(encoding="utf-8")
    assert page.code == 0
    assert at.here("fleet", "resume", "acme").code == 0
    until(lambda: at.of_client("acme") > resting)
    at.finish(worker)
    at.see_all_accounted_for(most_in_doubt=0)
    assert sum(at.arrived().values()) == 2 * 100


def test_two_workers_that_keep_time_run_what_is_due_once(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("none", 30)
    both = [at.start("worker", "--once") for _ in range(2)]
    ends = [at.wait(one) for one in both]
    assert [end.code for end in ends] == [0, 0]
    said = "".join(end.out for end in ends)
    assert [said.count(f"== {client}-fair") for client in CLIENTS] == [1, 1]
    assert sum(at.arrived().values()) == 2 * 30
    at.see_all_accounted_for(most_in_doubt=0)


def test_a_missed_moment_is_skipped_after_an_hour(
    workspace: Callable[[str, int], FleetWorkspace], box: RunningSandbox
) -> None:
    at = workspace("none", 3)
    at.due(timedelta(minutes=62))
    assert at.here("worker", "--once").code == 0
    assert not box.requests
    at.due(timedelta(minutes=55))
    done = at.here("worker", "--once", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", ""), "cron mails what is printed"
    assert sum(at.arrived().values()) == 2 * 3
    assert at.here("fleet", "drain").out == "There is no worker.\n"


def test_a_worker_without_a_ledger_or_with_an_unreadable_time_does_not_begin(
    workspace: Callable[[str, int], FleetWorkspace], box: RunningSandbox, postgres: Server
) -> None:
    at = workspace("none", 3)
    path = at.home / "rdimport.toml"
    path.write_text(path.read_text().replace('every = "', 'every = "9'))
    wrong = at.here("worker", "--once")
    assert (wrong.code, "is not a schedule" in wrong.err) == (2, True)
    path.write_text(path.read_text().replace('every = "9', 'every = "'))
    at.ledger = postgres.new_database()
    nowhere = at.here("worker", "--once")
    assert (nowhere.code, "rdimport fleet init" in nowhere.err) == (2, True)
    assert at.here("fleet", "drain", "nobody").code == 2
    assert not box.requests


def test_a_run_that_waits_for_its_first_row_has_no_connection_of_its_own(
    workspace: Callable[[str, int], FleetWorkspace],
) -> None:
    at = workspace("1/h", 3)
    first = at.start("jobs", "run", "acme-fair")
    until(lambda: at.of_client("acme") == 1)
    first.terminate()
    at.wait(first)
    second = at.start("jobs", "run", "acme-fair")  # the next row is due in an hour
    until(lambda: at.server.ask(_TURNS, second.pid, database=at.database) == 2)
    until(lambda: at.server.ask(_CONNECTIONS, database=at.database) == 1)  # that of its leases
    second.terminate()
    assert at.wait(second).code == 3
    assert at.of_client("acme") == 1
