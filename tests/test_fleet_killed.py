"""A worker killed between dequeuing a job and enqueuing it again: no job of the night is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.fleet import CLIENTS, Office
from support.postgres import Server
from support.waiting import until

from rdimport.sandbox.embedded import RunningSandbox

_STAND_STILL = (
    """
    CREATE FUNCTION public.stand_still() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN new; END $$
    """,
    """
    CREATE TRIGGER stand_still BEFORE INSERT ON rdimport_queue.procrastinate_jobs
    FOR EACH ROW WHEN (new.task_name = 'rdimport.job') EXECUTE FUNCTION public.stand_still()
    """,
)
_THERE = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
_ITS_SESSIONS = """
SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND starts_with(application_name, 'rdimport')
"""
_PUT_IN = """
INSERT INTO procrastinate_jobs
    (queue_name, task_name, lock, queueing_lock, args, status, scheduled_at)
SELECT %s, 'rdimport.job', account, account || '-fair',
    jsonb_build_object('account', account, 'job', account || '-fair'),
    %s::procrastinate_job_status, %s::timestamptz
FROM unnest(ARRAY['acme', 'lua']) AS account
"""


@pytest.fixture
def office(
    tmp_path: Path, box: RunningSandbox, postgres: Server, key_of: Callable[[str], str]
) -> Office:
    one = Office.new(tmp_path, box, postgres, {client: key_of(client) for client in CLIENTS})
    one.write_lists(5)
    one.due()
    return one


@contextmanager
def nothing_goes_in(office: Office) -> Iterator[None]:
    """Block whoever enqueues a job; at the end, close their connections."""
    with closing(office.server.connect(office.database)) as db:
        db.execute("SELECT pg_advisory_lock(4711)")
        office.server.do(*_STAND_STILL, database=office.database)
        yield
        db.execute(_ITS_SESSIONS)
    office.server.do("DROP FUNCTION public.stand_still CASCADE", database=office.database)


@pytest.mark.parametrize(
    ("place", "status", "at", "words"),
    [
        pytest.param(None, None, None, ["worker"], id="due"),
        pytest.param("jobs dead-1", "todo", None, ["worker"], id="for a worker that is no more"),
        pytest.param("jobs", "doing", None, ["worker"], id="at a worker that is no more"),
        pytest.param("jobs", "todo", "infinity", ["fleet", "resume", *CLIENTS], id="resumed"),
    ],
)
def test_a_kill_between_two_effects_loses_no_job(
    office: Office, place: str | None, status: str | None, at: str | None, words: list[str]
) -> None:
    if place is not None:  # due jobs are in the queue already
        due = "INSERT INTO rdimport.due SELECT unnest(ARRAY['acme-fair', 'lua-fair']), now()"
        office.server.do(due, database=office.database)
        with closing(office.server.connect(office.database)) as db:
            db.execute("SET search_path = rdimport_queue")
            db.execute(_PUT_IN, (place, status, at))
    with nothing_goes_in(office):
        killed = office.start(*words)
        until(lambda: office.server.ask(_THERE, database=office.database))
        killed.kill()
        office.wait(killed)
    assert not office.arrived()
    if at is not None:
        assert office.here("fleet", "resume", *CLIENTS).code == 0
    two = office.start("worker")
    until(lambda: sum(office.arrived().values()) == 2 * 5)
    two.send_signal(signal.SIGTERM)
    assert office.wait(two).code == 0
    office.see_all_accounted_for(most_in_doubt=0)
