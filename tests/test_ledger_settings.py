"""A shared ledger whose database has unusual settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fleet import CLIENTS, Office
from support.pooler import PGBOUNCER, pooled
from support.postgres import Server

from rdimport.ledger import fleet_of
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
    "idle_session_timeout": "60s",
    "IntervalStyle": "sql_standard",
    "lock_timeout": "1ms",
    "row_security": "on",
    "search_path": "public",
    "standard_conforming_strings": "off",
    "statement_timeout": "60s",
    "synchronous_commit": "off",
    "TimeZone": "Pacific/Chatham",
    "transaction_timeout": "60s",
    "transform_null_equals": "on",
}
HARMLESS = {"bytea_output", "standard_conforming_strings", "TimeZone"}
"""The library reads what comes in any of these ways; no statement has a backslash."""

_THEIRS = "SELECT name FROM pg_catalog.pg_settings WHERE source IN ('database', 'user')"


def set_all(server: Server, url: str) -> None:
    name = url.rpartition("/")[2].replace("%20", " ")
    server.do(*(f"ALTER DATABASE \"{name}\" SET {n} = '{v}'" for n, v in SETTINGS.items()))


@pytest.fixture
def office(
    tmp_path: Path, box: RunningSandbox, postgres: Server, key_of: Callable[[str], str]
) -> Office:
    one = Office.new(tmp_path, box, postgres, {client: key_of(client) for client in CLIENTS})
    set_all(postgres, one.ledger)
    return one


def test_no_setting_of_the_database_or_the_user_counts(office: Office) -> None:
    with Session(parsed(office.ledger)) as session:
        ours = {name for (name,) in session.query(_THEIRS)}

    async def of_the_queue() -> set[str]:
        async with fleet_of(office.ledger).pool("rdimport_queue") as pool, pool.connection() as db:
            return {name for (name,) in await (await db.execute(_THEIRS)).fetchall()}

    assert (ours, asyncio.run(of_the_queue())) == (HARMLESS, HARMLESS)


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_behind_a_pooler_no_setting_of_the_database_counts_in_a_transaction(
    office: Office,
) -> None:
    with pooled(office.server) as port:
        url = office.server.url(office.database, port)
        with Session(parsed(url)) as session, session.transaction() as db:
            assert session.pooled
            ours = {name for (name,) in db.execute(_THEIRS).fetchall()}
    assert ours <= HARMLESS | {"idle_session_timeout"}  # PgBouncer's own, between transactions


def test_workers_and_runs_work_whatever_the_settings_are(office: Office) -> None:
    office.due()
    office.write("lua.csv", "E-mail,Nome\nx@@y,Łukasz 😀\na@lua.exemplo.com.br,Conceição\n")
    assert office.here("worker", "--once").code == 0
    assert office.here("fleet", "pause", "acme").code == 0
    found = office.status()
    assert [one["account"] for one in found["paused"]] == ["acme"]
    counts = {one["account"]: one["run"]["counts"] for one in found["jobs"]}
    assert (counts["acme"]["accepted"], counts["lua"]["invalid"]) == (5, 1)
    copied = office.here("ledger", "copy", office.ledger, office.home / "copy")
    assert copied.code == 0
    assert office.here("ledger", "check", "--state-dir", office.home / "copy").code == 0
    report = next(office.home.glob("reports/*/failures.csv")).read_text(encoding="utf-8-sig")
    assert '"x@@y","Łukasz 😀"' in report
