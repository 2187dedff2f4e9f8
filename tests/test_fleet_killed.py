"""A worker killed between dequeuing a job and enqueuing it again: no job of the night is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.fleet import CLIENTS, FleetWorkspace
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
_ITS_SESSIONS = "datname = current_database() AND starts_with(application_name, 'rdimport')"
_PUT_IN = """
INSERT INTO procrastinate_jobs
    (queue_name, task_name, lock, queueing_lock, args, status, scheduled_at)
SELECT %s, 'rdimport.job', account, account || '-fair',
    jsonb_build_object('account', account, 'job', account || '-fair'),
    %s::procrastinate_job_status, %s::timestamptz
FROM unnest(ARRAY['acme', 'lua']) AS account
"""


@pytest.fixture
def workspace(
    tmp_path: Path, box: RunningSandbox, postgres: Server, key_of: Callable[[str], str]
) -> FleetWorkspace:
    one = FleetWorkspace.new(
        tmp_path, box, postgres, {client: key_of(client) for client in CLIENTS}
    )
    one.write_lists(5)
    one.due()
    return one


@contextmanager
def nothing_goes_in(workspace: FleetWorkspace) -> Iterator[None]:
    """Block whoever enqueues a job; at the end, close their connections."""
    with closing(workspace.server.connect(workspace.database)) as db:
        db.execute("SELECT pg_advisory_lock(4711)")
        workspace.server.do(*_STAND_STILL, database=workspace.database)
        yield
        workspace.server.end_sessions(_ITS_SESSIONS, workspace.database)
    workspace.server.do("DROP FUNCTION public.stand_still CASCADE", database=workspace.database)


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
    workspace: FleetWorkspace,
    place: str | None,
    status: str | None,
    at: str | None,
    words: list[str],
) -> None:
    if place is not None:  # due jobs are in the queue already
        due = "INSERT INTO rdimport.due SELECT unnest(ARRAY['acme acme-fair', 'lua lua-fair'])"
        workspace.server.do(f"{due}, now()", database=workspace.database)
        with closing(workspace.server.connect(workspace.database)) as db:
            db.execute("SET search_path = rdimport_queue")
            db.execute(_PUT_IN, (place, status, at))
    with nothing_goes_in(workspace):
        killed = workspace.start(*words)
        until(lambda: workspace.server.ask(_THERE, database=workspace.database))
        killed.kill()
        workspace.wait(killed)
    assert not workspace.arrived()
    if at is not None:
        assert workspace.here("fleet", "resume", *CLIENTS).code == 0
    two = workspace.start("worker")
    until(lambda: sum(workspace.arrived().values()) == 2 * 5)
    two.send_signal(signal.SIGTERM)
    assert workspace.wait(two).code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)
