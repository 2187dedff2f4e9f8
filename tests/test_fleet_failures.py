"""What fails, and what a person sees: a test for each line of the table in docs/fleet.md.

The clocks (line "clocks differ") are the database's by construction: no statement of a lease has a
time of the machine in it (tests/test_fleet_lease.py).
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from support.cable import TO_CLIENT, TO_SERVER, Cable, cable
from support.claims import hurried
from support.fleet import CLIENTS, FleetWorkspace
from support.postgres import Server, free_port, serving
from support.tables import each_line_has_its_test
from support.waiting import until

from rdimport.cli import fleet_needs
from rdimport.core.errors import LedgerError
from rdimport.ledger.postgres import gathered, pool
from rdimport.ledger.postgres.address import parsed
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

TESTS = {
    "a worker is killed, or its machine": "failures: a_worker_is_killed_and_its_list_changes",
    "a worker is killed while it puts": "killed: a_kill_between_two_effects",
    "a worker is paused": "failures: a_worker_that_is_frozen_and_comes_back_claims_nothing_more",
    "a worker loses its connection to RD": "failures: a_worker_that_loses_the_way_to_rd",
    "the database is unreachable, for": "failures: while_the_database_is_away_nothing_is_sent",
    "the database is unreachable when": "failures: a_worker_that_starts_while_the_database_is_away",
    "the database has too few connections": (
        "failures: workers_leave_connections_to_the_ledger_where_there_are_few"
    ),
    "two workers put due jobs": "schedule: schedulers_that_see_one_moment_together_put_each_job",
    "a person runs a job": "failures: a_person_who_runs_a_job_that_a_worker_runs_is_told_so",
    "clocks differ": "schedule: workers_with_clocks_apart_that_are_killed_and_begin_again",
    "no worker is running": "worker: a_missed_moment_is_skipped_after_an_hour",
    "`rdimport.toml` changes": "failures: workers_whose_settings_differ_leave_each_other_the_jobs",
    "the list changed": "failures: a_worker_is_killed_and_its_list_changes_before_another_one",
    "one account's key is revoked": "failures: one_accounts_key_is_revoked_and_the_others_go_on",
    "RD sends one account away": "failures: an_account_that_rd_sends_away_for_hours_goes_on_later",
    "two accounts with one key": "lease: two_accounts_with_one_key_never_send_at_the_same_time",
    "the ledger has lost rows": "failures: an_account_whose_ledger_has_forgotten_rows_rests",
    "the queue's tables are lost": "failures: the_queues_tables_are_lost",
    "the queue's tables are of": "failures: the_queues_tables_are_of_another_release",
}
"""The file and name of the test, by the start of a line."""

ROWS = 100
_QUEUE = "SET search_path = rdimport_queue, pg_catalog"
_PUT_IN = """
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
VALUES ('jobs', 'rdimport.job', '{0}', '{0}-fair', '{{"account": "{0}", "job": "{0}-fair"}}')
"""
_DISK_FULL = """
CREATE FUNCTION public.no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_space BEFORE INSERT ON rdimport_queue.procrastinate_jobs
    FOR EACH ROW EXECUTE FUNCTION public.no_space()
"""
_NO_NEW_TRIGGERS = (
    """CREATE FUNCTION public.none() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$""",
    """CREATE EVENT TRIGGER none ON ddl_command_start WHEN tag IN ('CREATE TRIGGER')
    EXECUTE FUNCTION public.none()""",
)
_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND starts_with(application_name, 'rdimport')
"""


def test_each_line_of_the_table_has_its_test() -> None:
    each_line_has_its_test("fleet.md", "failure", TESTS)


@pytest.fixture
def secrets(key_of: Callable[[str], str]) -> dict[str, str]:
    return {client: key_of(client) for client in CLIENTS}


@pytest.fixture
def workspace(
    tmp_path: Path, box: RunningSandbox, postgres: Server, secrets: dict[str, str]
) -> FleetWorkspace:
    one = FleetWorkspace.new(tmp_path, box, postgres, secrets)
    one.write_lists(ROWS)
    one.due(quota="5/s")
    return one


def started(at: FleetWorkspace) -> Popen[str]:
    """A worker in the middle of its work."""
    worker = at.start("worker")
    until(at.all_begun)
    return worker


def waiting(at: FleetWorkspace, account: str) -> list[str]:
    """When the scheduled jobs of an account continue."""
    return [
        one["at"]
        for one in at.status()["queue"]
        if one["account"] == account and not one["at_work"]
    ]


def test_a_worker_is_killed_and_its_list_changes_before_another_one_takes_over(
    workspace: FleetWorkspace,
) -> None:
    one = started(workspace)
    one.kill()
    workspace.wait(one)
    workspace.write_lists(ROWS + 5)
    workspace.due()
    workspace.lapse()
    two = workspace.start("worker", "--slots", "5")
    workspace.until_done()
    workspace.see_all_accounted_for(most_in_doubt=64)
    assert "working" in {worker["state"] for worker in workspace.status()["workers"]}
    two.send_signal(signal.SIGTERM)
    ended = workspace.wait(two)
    assert (ended.code, "has ended" in ended.out) == (0, True)


def test_an_order_to_drain_reaches_a_worker_that_is_silent(workspace: FleetWorkspace) -> None:
    one = started(workspace)
    one.send_signal(signal.SIGSTOP)
    unheard = "UPDATE rdimport.worker SET seen = clock_timestamp() - interval '1 min'"
    workspace.server.do(unheard, database=workspace.database)
    assert workspace.states() == ["silent"]
    order = workspace.here("fleet", "drain")
    assert (order.code, "is silent. If it comes back" in order.out) == (0, True)
    one.send_signal(signal.SIGCONT)
    assert workspace.wait(one).code == 0
    assert workspace.states() == []


def test_a_worker_that_drains_ends_though_its_jobs_cannot_be_put_back(
    workspace: FleetWorkspace,
) -> None:
    worker = started(workspace)
    workspace.server.do(_DISK_FULL, database=workspace.database)
    worker.send_signal(signal.SIGTERM)
    assert workspace.wait(worker).code == 0
    assert set(workspace.at_work()) == set(CLIENTS)
    workspace.server.do("DROP FUNCTION public.no_space CASCADE", database=workspace.database)
    workspace.due(clients=())
    another = workspace.start("worker")
    workspace.until_done()
    assert workspace.here("fleet", "drain").code == 0
    assert workspace.wait(another).code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


def test_a_worker_whose_database_is_dropped_ends_when_it_is_told_to(
    workspace: FleetWorkspace,
) -> None:
    worker = started(workspace)
    name = workspace.database
    workspace.server.do(f'DROP DATABASE "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    worker.send_signal(signal.SIGTERM)
    ended = workspace.wait(worker)
    assert (ended.code, "has ended" in ended.out) == (0, True)
    assert set(workspace.arrived().values()) == {1}


def test_a_worker_that_is_frozen_and_comes_back_claims_nothing_more(
    workspace: FleetWorkspace,
) -> None:
    one = started(workspace)
    one.send_signal(signal.SIGSTOP)
    workspace.lapse()
    workspace.due()
    two = workspace.start("worker")
    workspace.until_done()  # the sleeping worker gets nothing
    one.send_signal(signal.SIGCONT)
    until(lambda: workspace.states() == ["working", "working"])
    assert workspace.here("fleet", "drain").code == 0
    ends = [workspace.wait(worker) for worker in (one, two)]
    assert [end.code for end in ends] == [0, 0]
    assert "another machine took over this account" in ends[0].out
    workspace.due()
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=64)


@pytest.mark.waits
def test_a_worker_that_loses_the_way_to_rd_leaves_its_accounts_to_others(
    workspace: FleetWorkspace, box: RunningSandbox
) -> None:
    workspace.base_url = f"http://127.0.0.1:{free_port()}"
    lost = workspace.start("worker")
    until(lambda: all(waiting(workspace, client) for client in CLIENTS))
    assert not box.requests
    assert workspace.here("fleet", "drain").code == 0
    ended = workspace.wait(lost)
    assert (ended.code, ended.err.count("continues at")) == (0, len(CLIENTS))
    workspace.base_url = box.base_url
    assert workspace.here("fleet", "resume", *CLIENTS).code == 0  # or in five minutes
    workspace.due()
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


def nothing_arrives(workspace: FleetWorkspace, line: Cable) -> bool:
    """Assert it while the workers keep retrying the database; rows claimed before may still be
    sent.
    """
    sent, refused = workspace.arrived(), line.refused
    until(lambda: line.refused > refused + 8)
    return workspace.arrived() == sent


@pytest.mark.waits
def test_while_the_database_is_away_nothing_is_sent(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    straight = workspace.ledger
    with cable(postgres.port) as line:
        workspace.ledger = straight.replace(f":{postgres.port}/", f":{line.port}/")
        worker = started(workspace)
        since = time.monotonic()
        line.unplug()
        until(lambda: nothing_arrives(workspace, line))
        sent = workspace.arrived()
        assert worker.stderr is not None
        assert any("cannot be reached" in said for said in worker.stderr)  # waits for that line
        assert nothing_arrives(workspace, line)
        assert workspace.arrived() == sent
        line.mend()
        short = time.monotonic() < since + gathered.PATIENCE / 2  # else results may be lost
        until(lambda: sum(workspace.arrived().values()) > sum(sent.values()))
        workspace.ledger = straight
        assert workspace.here("fleet", "drain").code == 0
        ended = workspace.wait(worker)
    assert (ended.code, "cannot be reached" in ended.err) == (0, False)  # said once
    workspace.due()
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0 if short else 64)


@pytest.mark.waits
def test_after_an_outage_a_worker_takes_further_jobs_while_its_run_continues(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    """Whatever it was asking the queue for at the time, more than once."""
    straight = workspace.ledger
    with cable(postgres.port) as line:
        workspace.ledger = straight.replace(f":{postgres.port}/", f":{line.port}/")
        workspace.due(quota="1/s", clients=("acme",))
        worker = workspace.start("worker", "--slots", "2")
        workspace.ledger = straight
        until(lambda: workspace.of_client("acme") > 1)
        for _ in range(2):
            line.unplug()
            until(lambda had=line.refused: line.refused > had + 4)
            line.mend()
            had = workspace.of_client("acme")
            until(lambda had=had: workspace.of_client("acme") > had + 1)
        postgres.do(_QUEUE, _PUT_IN.format("lua"), database=workspace.database)
        until(lambda: workspace.of_client("lua") > 1)
        assert workspace.of_client("acme") < ROWS
        assert workspace.at_work() == {"acme": True, "lua": True}
        workspace.finish(worker)
    told = [line for text in workspace.output for line in text.splitlines() if "psycopg" in line]
    assert not told
    workspace.see_all_accounted_for(most_in_doubt=0)


@pytest.mark.waits
@pytest.mark.parametrize(
    ("asked", "way", "all_else_too", "told"),
    [
        (b"fetch_job", TO_SERVER, False, False),
        (b"fetch_job", TO_CLIENT, True, False),
        (b"INSERT INTO rdimport.worker", TO_SERVER, False, True),
        (b"FROM rdimport.paused", TO_CLIENT, False, True),
        (b"pg_try_advisory_lock", TO_SERVER, False, True),
        (b"LISTEN", TO_SERVER, False, False),
    ],
)
def test_what_a_worker_asks_and_gets_no_answer_to_it_asks_again_on_another_connection(
    workspace: FleetWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    *,
    asked: bytes,
    way: str,
    all_else_too: bool,
    told: bool,
) -> None:
    """It alone gets none, or nothing does for a while. `told`: whether the message is certain."""
    workspace.due(clients=())
    straight = workspace.ledger
    living = "SELECT count(*) FROM rdimport.worker WHERE queue IS NOT NULL"
    hurried(monkeypatch, 2.0)

    def fall_silent() -> None:
        """Whatever comes of it, the worker ends."""
        try:
            until(lambda: workspace.server.ask(living, database=workspace.database))
            line.silence(asked, way)
            if asked in (b"pg_try_advisory_lock", b"LISTEN"):  # said once on each connection
                line.reset()
            until(lambda: line.silenced)
            if all_else_too:
                line.cut(way)
                until(lambda: line.swallowed > 5)
                line.mend()
            workspace.server.do(_QUEUE, _PUT_IN.format("acme"), database=workspace.database)
            until(lambda: workspace.of_client("acme") == ROWS)
        finally:
            line.mend()
            workspace.server.do(
                "UPDATE rdimport.worker SET drain = true", database=workspace.database
            )

    with cable(workspace.server.port) as line, ThreadPoolExecutor(1) as beside:
        workspace.ledger = straight.replace(f":{workspace.server.port}/", f":{line.port}/")
        falling = beside.submit(fall_silent)
        worker = workspace.here("worker")
        falling.result()
    workspace.ledger = straight
    assert (worker.code, told <= ("cannot be reached" in worker.err)) == (0, True)
    assert (workspace.states(), set(workspace.arrived().values())) == ([], {1})


@pytest.mark.waits
def test_a_queue_that_takes_no_connection_when_a_worker_starts_passes(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    workspace.due()
    straight = workspace.ledger
    with cable(postgres.port) as line:
        line.watch(lambda _way, data: line.unplug() if b"rdimport queue" in data else None)
        workspace.ledger = straight.replace(f":{postgres.port}/", f":{line.port}/")
        worker = workspace.do("worker", "--once")
        assert (worker.code, "cannot be reached" in worker.err) == (75, True)
        workspace.ledger = straight
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


def test_a_worker_uses_the_server_that_can_be_written_to_wherever_its_address_names_it(
    tmp_path: Path, box: RunningSandbox, secrets: dict[str, str]
) -> None:
    with serving() as one:
        two = one.standby("two")
        one.reload(synchronous_standby_names="two")
        workspace = FleetWorkspace.new(tmp_path, box, one, secrets)
        workspace.write_lists(5)
        workspace.due()
        workspace.ledger = workspace.ledger.replace("@", f"@127.0.0.1:{two.port},")
        try:
            assert workspace.here("worker", "--once").code == 0
            workspace.see_all_accounted_for(most_in_doubt=0)
        finally:
            two.kill()


def test_a_queue_takes_few_connections_and_gives_them_back(
    workspace: FleetWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_MAX_IDLE", 0.1)

    def open_ones() -> int:
        ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = %s"
        return int(workspace.server.ask(ours, workspace.database, "rdimport queue"))

    async def work() -> None:
        async with pool.Pool(parsed(workspace.ledger), "rdimport_queue") as queue:
            together = asyncio.Event()

            async def one() -> None:
                async with queue.connection() as db:
                    await db.execute("SELECT")
                    await together.wait()

            working = [asyncio.ensure_future(one()) for _ in range(6)]
            await asyncio.to_thread(until, lambda: open_ones() == 4)
            together.set()
            await asyncio.gather(*working)
            await asyncio.to_thread(until, lambda: open_ones() == 1)

    asyncio.run(work())


def test_workers_leave_connections_to_the_ledger_where_there_are_few(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    postgres.do(
        "CREATE ROLE few LOGIN CONNECTION LIMIT 14",
        "GRANT USAGE ON SCHEMA rdimport, rdimport_queue TO few",
        "GRANT ALL ON ALL TABLES IN SCHEMA rdimport, rdimport_queue TO few",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA rdimport, rdimport_queue TO few",
        database=workspace.database,
    )
    straight, workspace.ledger = workspace.ledger, workspace.ledger.replace("postgres@", "few@")
    workspace.write_lists(30)
    workspace.due(clients=CLIENTS[:1])
    workers = [workspace.start("worker") for _ in range(2)]
    try:
        until(lambda: workspace.of_client(CLIENTS[0]) == workspace.rows)
    finally:
        workspace.ledger = straight
    assert workspace.here("fleet", "drain").code == 0
    assert [workspace.wait(worker).code for worker in workers] == [0, 0]
    postgres.do("DROP OWNED BY few", "DROP ROLE few", database=workspace.database)


def test_a_user_who_may_not_use_the_queue_is_told_so(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    postgres.do(
        "CREATE ROLE narrow LOGIN",
        "GRANT USAGE ON SCHEMA rdimport, rdimport_queue TO narrow",
        "GRANT ALL ON ALL TABLES IN SCHEMA rdimport TO narrow",
        database=workspace.database,
    )
    workspace.ledger = workspace.ledger.replace("postgres@", "narrow@")
    try:
        told = workspace.here("fleet", "status")
        assert told.code == 2
        assert "was denied: permission denied for table procrastinate_jobs" in told.err
        assert "`rdimport_queue`" in told.err
        assert "Type: rdimport fleet init" not in told.err
    finally:
        postgres.do("DROP OWNED BY narrow", "DROP ROLE narrow", database=workspace.database)


def test_a_job_goes_on_later_though_the_workers_output_has_no_place(
    workspace: FleetWorkspace,
) -> None:
    workspace.base_url = f"http://127.0.0.1:{free_port()}"
    workspace.due()
    with Path("/dev/full").open("w") as full:
        worker = workspace.start("worker", "--once", "--quiet", out=full, err=subprocess.PIPE)
        ended = workspace.wait(worker)
    assert (ended.code, ended.err.count("cannot be written")) == (0, 1)
    assert all(waiting(workspace, client) for client in CLIENTS)


def test_workers_whose_settings_differ_leave_each_other_the_jobs_that_they_do_not_know(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    workspace.due(clients=())
    settings = workspace.home / "rdimport.toml"
    both = settings.read_text()
    settings.write_text(both.replace("lua-fair", "another"))
    narrow = workspace.start("worker")
    until(lambda: workspace.states() == ["working"])
    postgres.do(_QUEUE, _PUT_IN.format("lua"), database=workspace.database)
    until(lambda: waiting(workspace, "lua"))
    assert workspace.here("fleet", "resume", "lua").code == 0  # or in a minute
    until(lambda: waiting(workspace, "lua"))
    assert workspace.here("fleet", "drain").code == 0
    ended = workspace.wait(narrow)
    assert (ended.code, ended.err.count("lua-fair: is not in the settings")) == (0, 1)
    settings.write_text(both)
    assert workspace.here("fleet", "resume", "lua").code == 0
    assert workspace.here("worker", "--once").code == 0
    assert (workspace.of_client("lua"), workspace.of_client("acme")) == (ROWS, 0)


def test_a_queued_job_runs_for_the_account_that_it_has_now(workspace: FleetWorkspace) -> None:
    """It was enqueued when its account had another name."""
    words = ("acme.csv", "-m", "list.yaml", "--account", "old", "--api-key-file", "acme.key")
    assert workspace.here("run", *words, "--limit", "1").code == 3
    assert workspace.here("accounts", "rename", "old", "acme").code == 0
    workspace.due(quota="2/s", clients=())
    workspace.server.do(
        _QUEUE, _PUT_IN.format("acme").replace("'acme',", "'old',"), database=workspace.database
    )
    worker = workspace.start("worker")
    until(lambda: workspace.of_client("acme") > 1)
    assert workspace.here("fleet", "pause", "acme").code == 0
    until(lambda: waiting(workspace, "acme"))
    assert workspace.of_client("acme") < ROWS
    assert workspace.here("fleet", "resume", "acme").code == 0
    workspace.finish(worker)
    assert set(workspace.arrived().values()) == {1}
    assert (workspace.of_client("lua"), workspace.of_client("acme")) == (ROWS, ROWS)


def test_two_clients_with_settings_of_their_own_may_each_have_a_job_of_one_name(
    workspace: FleetWorkspace,
) -> None:
    workspace.due()
    settings = workspace.home / "rdimport.toml"
    both = settings.read_text().replace("[jobs.lua-fair]", "[jobs.acme-fair]")
    head, _, lua = both.rpartition("[accounts.lua]")
    defaults = head.partition("[accounts.acme]")[0]
    files = {"acme": head, "lua": f"{defaults}[accounts.lua]{lua}"}
    for client, text in files.items():
        settings.write_text(text)
        assert workspace.here("worker", "--once").code == 0
        assert workspace.of_client(client) == ROWS
    for renames in (
        (),
        (("lua", "big acme"), ("big acme", "lua"), ("acme", "sol")),
        (("lua", "acme"), ("acme", "lua"), ("sol", "acme")),
    ):
        for names in renames:
            assert workspace.here("accounts", "rename", *names).code == 0
        workspace.server.do(  # put in by the other's worker, and claimed by this one
            _QUEUE,
            _PUT_IN.format("acme"),
            database=workspace.database,
        )
        ended = workspace.here("worker", "--once")
        assert "acme-fair (acme): is not in the settings" in ended.err, renames
        assert waiting(workspace, "acme")
    assert set(workspace.arrived().values()) == {1}


@pytest.mark.waits
@pytest.mark.parametrize("within", [b"AS jobs, w.slots FROM", b"procrastinate_workers w"])
def test_an_outage_is_reported_alike_whatever_notices_it_first(
    workspace: FleetWorkspace, postgres: Server, within: bytes
) -> None:
    """The connection breaks during a query of the queue, after the ledger has answered."""
    straight = workspace.ledger
    with cable(postgres.port) as line:
        line.watch(lambda _way, data: line.unplug() if within in data else None)
        workspace.ledger = straight.replace(f":{postgres.port}/", f":{line.port}/")
        worker = workspace.start("worker")
        until(lambda: line.refused)
        line.watch(lambda _way, _data: None)
        line.mend()
        workspace.ledger = straight
        assert workspace.here("fleet", "drain").code == 0
        ended = workspace.wait(worker)
    assert (ended.code, ended.err.count("cannot be reached")) == (0, 1)


@pytest.mark.waits
def test_a_worker_that_starts_while_the_database_is_away_is_to_be_started_again(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    straight = workspace.ledger
    workspace.ledger = straight.replace(f":{postgres.port}/", f":{free_port()}/")
    worker = workspace.here("worker", "--once")
    assert (worker.code, "cannot be reached" in worker.err) == (75, True)
    workspace.ledger = straight
    workspace.due()
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


@pytest.mark.waits
def test_a_worker_that_starts_and_gets_no_answer_is_to_be_started_again(
    workspace: FleetWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.due()
    straight = workspace.ledger
    with cable(workspace.server.port) as line, monkeypatch.context() as patch:
        hurried(patch, 1.0)
        line.silence(b"INSERT INTO rdimport.worker", TO_CLIENT)
        workspace.ledger = straight.replace(f":{workspace.server.port}/", f":{line.port}/")
        worker = workspace.here("worker", "--once")
    assert (worker.code, "did not respond in time" in worker.err) == (75, True)
    workspace.ledger = straight
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


@pytest.mark.parametrize(
    ("port", "code", "why"),
    [(free_port, 75, "cannot be reached"), (None, 2, "The queue cannot be read")],
    ids=["the database went away", "its tables are gone"],
)
def test_a_queue_that_cannot_be_read_says_whether_that_passes(
    postgres: Server, port: Callable[[], int] | None, code: int, why: str
) -> None:
    """Also if the database becomes unreachable after a worker has read the ledger."""
    url = postgres.new_database()
    asked = url if port is None else url.replace(f":{postgres.port}/", f":{port()}/")

    def ask() -> None:
        with fleet_needs.outages_pass(), fleet_needs.queue_explained(url):
            try:
                with psycopg.connect(asked) as db:
                    db.execute("SELECT FROM rdimport_queue.procrastinate_jobs")
            except psycopg.Error as error:
                raise ConnectorException from error

    with pytest.raises(LedgerError, match=why) as caught:
        ask()
    assert caught.value.exit_code == code


@pytest.mark.waits
def test_what_a_worker_had_that_lost_its_way_to_the_database_goes_to_the_others(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    straight = workspace.ledger
    with cable(postgres.port) as line:
        workspace.ledger = straight.replace(f":{postgres.port}/", f":{line.port}/")
        lost = started(workspace)
        workspace.ledger = straight
        line.unplug()
        workspace.due()
        other = workspace.start("worker")
        workspace.until_done()
        assert "silent" in workspace.states()
        line.mend()
        until(lambda: workspace.states() == ["working", "working"])
        assert workspace.here("fleet", "drain").code == 0
        assert [workspace.wait(worker).code for worker in (lost, other)] == [0, 0]
    workspace.see_all_accounted_for(most_in_doubt=64)


def test_a_person_who_runs_a_job_that_a_worker_runs_is_told_so(workspace: FleetWorkspace) -> None:
    worker = started(workspace)
    person = workspace.here("jobs", "run", "acme-fair")
    assert (person.code, "is in use" in person.out + person.err) == (75, True)
    workspace.finish(worker)
    workspace.see_all_accounted_for(most_in_doubt=0)


def test_a_run_that_hangs_while_it_begins_keeps_no_other_account_waiting(
    workspace: FleetWorkspace,
) -> None:
    workspace.write_lists(5)
    workspace.due()
    assert workspace.here("worker", "--once").code == 0
    workspace.write_lists(8)
    with closing(workspace.server.connect(workspace.database)) as db, db.transaction():
        db.execute("SELECT FROM rdimport.destination WHERE account = 'acme' FOR UPDATE")
        still = workspace.start("jobs", "run", "acme-fair")
        until(lambda: workspace.server.ask(_WAITING, database=workspace.database))
        assert workspace.here("jobs", "run", "lua-fair").code == 0
        assert (workspace.of_client("acme"), workspace.of_client("lua")) == (5, 8)
    assert workspace.wait(still).code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


def test_one_accounts_key_is_revoked_and_the_others_go_on(
    workspace: FleetWorkspace, box: RunningSandbox, secrets: dict[str, str]
) -> None:
    workspace.due()
    box.switch_key(secrets["acme"], active=False)
    try:
        worker = workspace.here("worker", "--once")
        assert (worker.code, "acme-fair: waits for a person" in worker.err) == (0, True)
        assert "acme" not in workspace.at_work()
        assert (workspace.of_client("acme"), workspace.of_client("lua")) == (0, ROWS)
    finally:
        box.switch_key(secrets["acme"], active=True)
    assert workspace.here("jobs", "run", "acme-fair").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


@pytest.mark.waits
def test_an_account_that_rd_sends_away_for_hours_goes_on_later_and_the_others_at_once(
    workspace: FleetWorkspace, box: RunningSandbox
) -> None:
    workspace.due()
    box.set_faults(Faults(throttle=1.0, retry_after=7200, at_most=1))
    try:
        worker = workspace.start("worker")
        until(lambda: ROWS in map(workspace.of_client, CLIENTS))
        until(lambda: any(waiting(workspace, client) for client in CLIENTS))
        (later,) = [client for client in CLIENTS if waiting(workspace, client)]
    finally:
        box.set_faults(Faults())
    assert workspace.of_client(later) < ROWS
    assert workspace.here("fleet", "drain").code == 0
    assert f"{later}-fair: continues at" in workspace.wait(worker).err
    assert workspace.here("fleet", "resume", later).code == 0
    workspace.due()
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)


def test_the_queues_tables_are_lost(workspace: FleetWorkspace, postgres: Server) -> None:
    workspace.finish(started(workspace))
    postgres.do("DROP SCHEMA rdimport_queue CASCADE", database=workspace.database)
    without = workspace.here("worker", "--once")
    assert (without.code, "rdimport fleet init" in without.err) == (2, True)
    workspace.write_lists(ROWS + 3)
    assert workspace.here("fleet", "init").code == 0
    assert workspace.here("worker", "--once").code == 0  # jobs due within the hour start again
    workspace.see_all_accounted_for(most_in_doubt=0)
    assert sum(workspace.arrived().values()) == 2 * (ROWS + 3)


def test_the_queues_tables_are_of_another_release_of_its_library(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    later = (
        "UPDATE rdimport_queue.procrastinate_jobs SET scheduled_at = now() + interval '1 h'",
        "ALTER FUNCTION rdimport_queue.procrastinate_fetch_job_v2 RENAME TO fetch_job_of_then",
    )
    workspace.due(clients=())
    postgres.do(_QUEUE, _PUT_IN.format("acme"), *later, database=workspace.database)
    before = waiting(workspace, "acme")
    refused = workspace.here("worker", "--once")
    assert (refused.code, "another release" in refused.err) == (2, True)
    assert f"fleet init --ledger {workspace.ledger}" in refused.err
    postgres.do(*_NO_NEW_TRIGGERS, database=workspace.database)
    assert workspace.here("fleet", "init").code == 3  # half-way, as if it were killed
    postgres.do("DROP EVENT TRIGGER none", database=workspace.database)
    assert workspace.here("fleet", "init").code == 0
    workspace.due(clients=("acme",))
    assert workspace.here("worker", "--once").code == 0
    assert workspace.of_client("acme") == 0
    assert waiting(workspace, "acme") == before  # what waited still waits, and once
    assert workspace.here("fleet", "resume", "acme").code == 0
    assert workspace.here("worker", "--once").code == 0
    assert (workspace.of_client("acme"), workspace.of_client("lua")) == (ROWS, 0)
    assert workspace.here("fleet", "init").code == 0


def test_an_account_whose_ledger_has_forgotten_rows_rests_until_a_person_says_otherwise(
    workspace: FleetWorkspace, postgres: Server
) -> None:
    worker = started(workspace)
    assert workspace.here("fleet", "pause", *CLIENTS).code == 0
    until(lambda: workspace.at_work() == dict.fromkeys(CLIENTS, False))
    lost = "INSERT INTO rdimport.setting VALUES ('lost', 'a run')"
    postgres.do(lost, database=workspace.database)
    now = "UPDATE rdimport_queue.procrastinate_jobs SET scheduled_at = NULL"
    postgres.do("DELETE FROM rdimport.paused", now, database=workspace.database)
    resting = "SELECT count(*) FROM rdimport.paused"
    until(lambda: postgres.ask(resting, database=workspace.database) == len(CLIENTS))
    sent = workspace.arrived()
    assert workspace.here("ledger", "accept", "--yes").code == 0
    assert {one["account"] for one in workspace.status()["paused"]} == set(CLIENTS)
    assert workspace.arrived() == sent
    worker.send_signal(signal.SIGTERM)
    assert "its account is paused" in workspace.wait(worker).err
    assert workspace.here("fleet", "resume", *CLIENTS).code == 0
    workspace.due()
    assert workspace.here("worker", "--once").code == 0
    workspace.see_all_accounted_for(most_in_doubt=0)
