"""A shared ledger whose database has unusual settings, rights or encoding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from support.claims import KEY, hurried
from support.command import Workspace
from support.fleet import CLIENTS, FleetWorkspace
from support.lists import MAPPING, people
from support.pooler import PGBOUNCER, pooled
from support.postgres import Server, release
from support.waiting import until

from rdimport.core.errors import LedgerError
from rdimport.ledger import fleet_of
from rdimport.ledger.postgres import fleet
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.session import Session
from rdimport.sandbox.embedded import RunningSandbox

SETTINGS = {
    "array_nulls": "off",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "client_min_messages": "error",
    "DateStyle": "German, DMY",
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-15",
    "idle_in_transaction_session_timeout": "20s",
    "idle_session_timeout": "60s",  # from release 14
    "IntervalStyle": "sql_standard",
    "lock_timeout": "1ms",
    "row_security": "on",
    "search_path": "public",
    "standard_conforming_strings": "off",
    "statement_timeout": "60s",
    "synchronous_commit": "off",
    "TimeZone": "Pacific/Chatham",
    "transaction_timeout": "60s",  # from release 17
    "transform_null_equals": "on",
}
HARMLESS = {"bytea_output", "standard_conforming_strings", "TimeZone"}
"""The library reads what comes in any of these ways; no statement has a backslash."""

_THEIRS = "SELECT name FROM pg_catalog.pg_settings WHERE source IN ('database', 'user')"
RUN = ("run", "list.csv", "-m", "m.yaml", "--json")


def set_all(server: Server, url: str) -> None:
    name = url.rpartition("/")[2].replace("%20", " ")
    known = server.ask("SELECT array_agg(name) FROM pg_settings")
    wanted = ((n, v) for n, v in SETTINGS.items() if n in known)
    server.do(*(f"ALTER DATABASE \"{name}\" SET {n} = '{v}'" for n, v in wanted))


@pytest.fixture
def two_clients(
    tmp_path: Path, box: RunningSandbox, postgres: Server, key_of: Callable[[str], str]
) -> FleetWorkspace:
    one = FleetWorkspace.new(
        tmp_path, box, postgres, {client: key_of(client) for client in CLIENTS}
    )
    set_all(postgres, one.ledger)
    return one


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox, postgres: Server) -> Workspace:
    told = {"RDIMPORT_LEDGER": postgres.new_database(), "RDIMPORT_LEDGER_KEY": KEY.hex()}
    workspace = Workspace(tmp_path, box.api_key, box.base_url, environment=told)
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", people(3))
    return workspace


@pytest.fixture
def guest(workspace: Workspace, postgres: Server) -> Iterator[str]:
    """The user of the workspace, who may do what everybody may."""
    url = workspace.environment["RDIMPORT_LEDGER"]
    postgres.do("CREATE ROLE visitor LOGIN")
    workspace.environment["RDIMPORT_LEDGER"] = url.replace("postgres@", "visitor@")
    yield "visitor"
    name = url.rpartition("/")[2].replace("%20", " ")
    postgres.do("DROP OWNED BY visitor CASCADE", "DROP ROLE visitor", database=name)


def test_no_setting_of_the_database_or_the_user_counts(two_clients: FleetWorkspace) -> None:
    with Session(parsed(two_clients.ledger)) as session:
        ours = {name for (name,) in session.query(_THEIRS)}

    async def of_the_queue() -> set[str]:
        async with (
            fleet_of(two_clients.ledger).pool("rdimport_queue") as pool,
            pool.connection() as db,
        ):
            return {name for (name,) in await (await db.execute(_THEIRS)).fetchall()}

    assert (ours, asyncio.run(of_the_queue())) == (HARMLESS, HARMLESS)


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_behind_a_pooler_no_setting_of_the_database_counts_in_a_transaction(
    two_clients: FleetWorkspace,
) -> None:
    with pooled(two_clients.server) as port:
        url = two_clients.server.url(two_clients.database, port)
        with Session(parsed(url)) as session, session.transaction() as db:
            assert session.pooled
            ours = {name for (name,) in db.execute(_THEIRS).fetchall()}
        assert ours <= HARMLESS | {"idle_session_timeout"}  # PgBouncer's own, between transactions
        two_clients.ledger = url
        orders = ("pause", "pause", "resume")
        assert [two_clients.here("fleet", one, "acme").code for one in orders] == [0, 0, 2]
        with fleet_of(url) as fleet:
            assert [one.account for one in fleet.paused()] == ["acme"]


def test_workers_and_runs_work_whatever_the_settings_are(two_clients: FleetWorkspace) -> None:
    two_clients.due()
    two_clients.write("lua.csv", "E-mail,Nome\nx@@y,Łukasz 😀\na@lua.exemplo.com.br,Conceição\n")
    assert two_clients.here("worker", "--once").code == 0
    assert two_clients.here("fleet", "pause", "acme").code == 0
    found = two_clients.status()
    assert [one["account"] for one in found["paused"]] == ["acme"]
    counts = {one["account"]: one["run"]["counts"] for one in found["jobs"]}
    assert (counts["acme"]["accepted"], counts["lua"]["invalid"]) == (5, 1)
    copied = two_clients.here("ledger", "copy", two_clients.ledger, two_clients.home / "copy")
    assert copied.code == 0
    assert two_clients.here("ledger", "check", "--state-dir", two_clients.home / "copy").code == 0
    reports = two_clients.home.glob("reports/*/failures.csv")
    assert any('"x@@y","Łukasz 😀"' in one.read_text(encoding="utf-8-sig") for one in reports)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_ledger_is_not_made_where_not_every_name_can_be_written(
    workspace: Workspace, postgres: Server, encoding: str
) -> None:
    made = f"CREATE DATABASE {encoding} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
    postgres.do(made)
    told = workspace.here("fleet", "init", "--ledger", postgres.url(encoding.lower()))
    assert (told.code, f"its encoding is {encoding}" in told.err) == (2, True)


def test_who_may_create_no_schema_makes_a_ledger_in_those_that_are_there(
    workspace: Workspace, guest: str, postgres: Server
) -> None:
    assert "permission denied for database" in workspace.here("fleet", "init").err
    name = workspace.environment["RDIMPORT_LEDGER"].rpartition("/")[2].replace("%20", " ")
    schemas = [
        f"CREATE SCHEMA {one} AUTHORIZATION {guest}" for one in ("rdimport", "rdimport_queue")
    ]
    postgres.do(*schemas, database=name)
    assert workspace.here("fleet", "init").code == 0
    assert workspace.here(*RUN).code == 0
    fetch = "ALTER FUNCTION rdimport_queue.procrastinate_fetch_job_v2 RENAME TO fetch_job_of_then"
    postgres.do(fetch, database=name)
    assert "permission denied for database" in workspace.here("fleet", "init").err
    assert workspace.here("fleet", "status").code == 0  # what waits is still there


def owned_by_another(workspace: Workspace, guest: str, postgres: Server) -> str:
    """Make a ledger that the guest may only use; return the name of its database."""
    name = workspace.environment["RDIMPORT_LEDGER"].rpartition("/")[2].replace("%20", " ")
    assert workspace.here("fleet", "init", "--ledger", postgres.url(name)).code == 0
    postgres.do(
        f"GRANT USAGE ON SCHEMA rdimport TO {guest}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rdimport TO {guest}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA rdimport TO {guest}",
        database=name,
    )
    return name


def test_who_may_not_ask_which_server_it_is_is_not_told_of_a_copy(
    workspace: Workspace, guest: str, postgres: Server, box: RunningSandbox
) -> None:
    name = owned_by_another(workspace, guest, postgres)
    denied = "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC"
    postgres.do(denied, database=name)
    told = workspace.here(*RUN)
    assert (told.code, box.requests) == (2, 0)
    assert "permission denied for function pg_control_system" in told.err
    assert "is a copy" not in told.err
    again = f"GRANT EXECUTE ON FUNCTION pg_control_system() TO {guest}"
    postgres.do(again, database=name)
    assert workspace.here(*RUN).code == 0


def test_a_ledger_whose_maker_might_not_ask_which_server_it_is_is_no_copy(
    workspace: Workspace, guest: str, postgres: Server
) -> None:
    url = workspace.environment["RDIMPORT_LEDGER"]
    name = url.rpartition("/")[2].replace("%20", " ")
    postgres.do(
        f'GRANT CREATE ON DATABASE "{name}" TO {guest}',
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
        "REVOKE SELECT ON pg_settings FROM PUBLIC",
        database=name,
    )
    assert workspace.here("fleet", "init").code == 0
    for one in (url, postgres.url(name)):
        assert workspace.here(*RUN, "--ledger", one).code == 0


@pytest.mark.parametrize("setting", ["ALTER ROLE visitor", 'ALTER DATABASE "{}"'])
def test_where_nothing_may_be_written_what_only_reads_works_and_the_rest_says_so(
    workspace: Workspace, guest: str, postgres: Server, box: RunningSandbox, setting: str
) -> None:
    """Writing is possible there if it is asked for, and is not asked for."""
    name = owned_by_another(workspace, guest, postgres)
    assert workspace.here(*RUN).summary["accepted"] == 3
    workspace.write("list.csv", people(5))
    read_only = setting.format(name) + " SET default_transaction_read_only = "
    postgres.do(
        f"GRANT USAGE ON SCHEMA rdimport_queue TO {guest}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA rdimport_queue TO {guest}",
        read_only + "on",
        database=name,
    )
    check = ("check", *RUN[1:-1])
    for words in ("status", "ledger check", "report", "fleet status", "accounts list"):
        told = workspace.here(*words.split())
        assert (told.code, told.err) == (0, ""), words
    assert "2  to send" in workspace.here(*check).out
    for words in RUN, ("forget", "p1@example.com"), ("fleet", "pause", "x"):
        told = workspace.here(*words)
        assert (told.code, "default_transaction_read_only is on" in told.err) == (3, True), words
    assert len(box.conversions()) == 3
    postgres.do(read_only + "off")
    assert workspace.here(*RUN).summary["accepted"] == 2


@pytest.mark.waits
@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("ALTER ROLE visitor NOLOGIN", 'role "visitor" is not permitted to log in'),
        ("ALTER ROLE visitor CONNECTION LIMIT 0", 'too many connections for role "visitor"'),
        ('ALTER DATABASE "{}" RENAME TO gone', 'database "{}" does not exist'),
    ],
)
@pytest.mark.parametrize("is_open", [False, True])
def test_the_queue_says_why_the_server_refuses_it_and_no_password(
    workspace: Workspace,
    guest: str,
    postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
    *,
    order: str,
    reason: str,
    is_open: bool,
) -> None:
    url = workspace.environment["RDIMPORT_LEDGER"]
    name = url.rpartition("/")[2].replace("%20", " ")
    pool = fleet_of(url.replace(guest, f"{guest}:s3cret")).pool("rdimport_queue")
    hurried(monkeypatch, 1.0)
    pool.timeout = 1.0

    async def refused() -> str:
        async with pool:
            async with pool.connection() as db:
                ((process,),) = await (await db.execute("SELECT pg_backend_pid()")).fetchall()
            postgres.end_sessions(f"pid = {process}")
            postgres.do(order.format(name))
            with pytest.raises(psycopg.OperationalError) as error:
                await pool.getconn()
        return str(error.value)

    async def refused_at_once() -> str:
        postgres.do(order.format(name))
        with pytest.raises(LedgerError) as error:
            await pool.__aenter__()
        return str(error.value)

    try:
        said = asyncio.run(refused() if is_open else refused_at_once())
    finally:
        if "RENAME" in order:
            postgres.do(f'ALTER DATABASE gone RENAME TO "{name}"')
    assert reason.format(name) in said
    assert "s3cret" not in said


def test_rows_that_a_policy_hides_are_not_taken_for_unsent(
    workspace: Workspace, guest: str, postgres: Server, box: RunningSandbox
) -> None:
    url = workspace.environment["RDIMPORT_LEDGER"]
    name = url.rpartition("/")[2].replace("%20", " ")
    postgres.do(f'GRANT CREATE ON DATABASE "{name}" TO {guest}')
    assert workspace.here("fleet", "init").code == 0
    assert workspace.here(*RUN).code == 0
    hidden = ("ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY")
    postgres.do(*(f"ALTER TABLE rdimport.conversion {one}" for one in hidden), database=name)
    told = workspace.here(*RUN)
    assert (told.code, "row-level security policy" in told.err) == (2, True)
    assert len(box.conversions()) == 3


def test_a_server_of_too_old_a_release_is_refused(
    workspace: Workspace, two_clients: FleetWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdimport.ledger.postgres.session.OLDEST", 99)
    release = two_clients.server.ask("SHOW server_version")
    told = [workspace.here(*one) for one in (("fleet", "init"), ("fleet", "status"), RUN)]
    for one in [*told, two_clients.here("worker", "--once")]:
        assert one.code == 2
        assert f"PostgreSQL {release}, and rdimport needs 99 or later" in one.err


def test_who_may_not_overwrite_what_is_deleted_erases_nobody(
    workspace: Workspace, guest: str, postgres: Server
) -> None:
    name = owned_by_another(workspace, guest, postgres)
    workspace.write("list.csv", "E-mail,Nome\nx@@y,ana@exemplo.com.br\n")
    assert workspace.here(*RUN).summary["invalid"] == 1
    for words in (("forget", "ana@exemplo.com.br"), ("purge", "--older-than", "1d")):
        told = workspace.here(*words)
        assert (told.code, "may not overwrite what is deleted" in told.err) == (2, True)
    if release() < 17:
        return
    postgres.do(f"GRANT MAINTAIN ON ALL TABLES IN SCHEMA rdimport TO {guest}", database=name)
    assert "Erased: 1 row" in workspace.here("forget", "ana@exemplo.com.br").out


def test_who_may_not_see_locks_and_connections_takes_over_what_a_dead_process_held(
    workspace: Workspace, guest: str, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = owned_by_another(workspace, guest, postgres)
    url = workspace.environment["RDIMPORT_LEDGER"]
    hidden = "REVOKE SELECT ON pg_locks, pg_stat_activity FROM PUBLIC"
    postgres.do(hidden, database=name)
    monkeypatch.setattr(fleet, "_SURE", 0.0)
    monkeypatch.setattr(fleet, "_GONE", 0.0)
    with fleet_of(url) as other:
        with fleet_of(url) as one:
            for number, each in enumerate((one, other)):
                each.beat(f"worker {number}", 1, [], number)
            for each in (one, other):
                each.take_for_dead()
            assert [state.gone for state in other.workers()] == [False, False]
        until(lambda: other.take_for_dead() or any(state.gone for state in other.workers()))
        assert [state.gone for state in other.workers()] == [True, False]
    assert workspace.here(*RUN).code == 0
    frozen = "UPDATE rdimport.lease SET holder = 'another', until = '-infinity'"
    postgres.do(frozen, database=name)
    assert workspace.here(*RUN).code == 0


def test_a_run_whose_end_cannot_be_recorded_is_not_said_to_have_been_killed(
    workspace: Workspace, guest: str, postgres: Server, box: RunningSandbox
) -> None:
    name = owned_by_another(workspace, guest, postgres)
    postgres.do(
        f"REVOKE UPDATE ON rdimport.run FROM {guest}",
        "GRANT UPDATE (stopped_because, exit_code, row_count, left_out) ON rdimport.run"
        f" TO {guest}",
        database=name,
    )
    told = workspace.here(*RUN)
    assert (told.code, len(box.conversions())) == (3, 3), told.err
    told = workspace.here("status")
    assert "no end recorded" in told.out
    why = "Its end is not recorded: its process was killed, or it could not write to the ledger."
    assert why in " ".join(told.out.split())
    assert "did not finish" not in told.out
    (seen,) = workspace.here("status", "--json").summary["runs"]
    assert (seen["where"], seen["counts"]["accepted"]) == ("killed", 3)
