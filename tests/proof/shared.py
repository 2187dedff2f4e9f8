"""The ledgers of a scenario in PostgreSQL, and their server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from support.pooler import PGBOUNCER, pooled
from support.postgres import Server
from support.processes import freeze
from support.waiting import until

from .books import Books, Start
from .ledgers import of_0_1_0

STATES = {0: "sending", 1: "accepted", 2: "uncertain", 3: "refused"}
_ASIDE = "aside"
"""The name of the schema for what was put aside, and part of the database's name."""
_TABLES = {
    "the ledger is cut to nothing": "conversion",
    "the ledger is cut to a byte": "written",
    "half of the ledger is gone": "setting",
}
"""What a shared ledger loses when one in a file would be cut."""

LAPSE = "UPDATE rdimport.lease SET until = '-infinity'"
END_SESSIONS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = %s AND pid <> pg_backend_pid()"
)


class Lane:
    """A server for one scenario after the other, and a pooler in front of it."""

    def __init__(self) -> None:
        self.server = Server.new()
        self.standby: Server | None = None
        self._stack = ExitStack()
        self._pooler: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for one in (self.server, self.standby):
            if one is not None:
                one.kill()

    def pooler(self) -> int | None:
        """The port of PgBouncer, if it is installed."""
        if self._pooler is None and PGBOUNCER is not None:
            self._pooler = self._stack.enter_context(pooled(self.server))
        return self._pooler

    def follow(self) -> None:
        """Start an asynchronous standby of the server."""
        self.standby = self.server.standby("second")
        streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        until(lambda: self.server.ask(streaming))

    def wait_for_standby(self) -> None:
        """From now on, commits wait for the standby."""
        self.server.reload(synchronous_standby_names="second")
        synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        until(lambda: self.server.ask(synchronous))

    def fail_over(self) -> None:
        """Kill the server, and promote the standby."""
        assert self.standby is not None
        self._stack.close()
        self._pooler = None
        self.server.kill()
        self.server, self.standby = self.standby, None
        self.server.promote()


class Database:
    """A database for each ledger of a scenario, each with its own key. Its runs have separate
    folders, as on separate machines.
    """

    lost_codes = (2, 3)

    def __init__(self, home: Path, lane: Lane, *, through_pooler: bool) -> None:
        self.home = home
        self.lane = lane
        self.pooled = through_pooler and PGBOUNCER is not None
        self.names = {
            ledger: lane.server.new_database().rpartition("/")[2].replace("%20", " ")
            for ledger in ("state", "elsewhere")
        }
        self._aside = f"{_ASIDE} {self.name}"
        self._older = ""

    @property
    def name(self) -> str:
        """The database of the first ledger."""
        return self.names["state"]

    @property
    def port(self) -> int:
        """The port at which commands find the database."""
        pooler = self.lane.pooler() if self.pooled else None
        return pooler or self.lane.server.port

    def environment(
        self, ledger: str, machine: int = 0, ports: tuple[int, ...] = ()
    ) -> dict[str, str]:
        """The environment variables with which a command finds a ledger, perhaps on other ports."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or (self.port,))
        name = self.names[ledger].replace(" ", "%20")
        return {
            "RDIMPORT_STATE_DIR": f"desk-{ledger}-{machine}",
            "RDIMPORT_LEDGER": f"postgresql://postgres@{hosts}/{name}",
            "RDIMPORT_LEDGER_KEY_FILE": str(self.home / f"key-{ledger}"),
        }

    def ready(self, ledger: str) -> list[list[str]]:
        """Create the tables, even if a copy already has them. The queue needs a direct connection
        to the server.
        """
        url = self.lane.server.url(self.names[ledger])
        return [["fleet", "init", "--ledger", url]]

    def ask(self, question: str, *values: object, ledger: str = "state") -> Any:
        """The single value that a query of a ledger returns."""
        return self.lane.server.ask(question, *values, database=self.names[ledger])

    def do(self, *statements: str) -> None:
        """Execute statements in the first ledger."""
        self.lane.server.do(*statements, database=self.name)

    def read(
        self, ledger: str, starts: Mapping[int, Start], others: AbstractSet[int] = frozenset()
    ) -> Books:
        """Read a ledger."""
        books = Books()
        with closing(self.lane.server.connect(self.names[ledger])) as db:
            found = db.execute("SELECT to_regclass('rdimport.conversion')").fetchone()
            if found == (None,):
                return books
            db.execute("SET search_path = rdimport")
            db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            books.fill(_rows_of(db), starts, others)
        return books

    def come_back(self) -> None:
        """Wait until commands reach the ledgers: a pooler that met a server being killed or a
        renamed database reports that to all clients for a while.
        """
        until(lambda: all(map(self._answers, self.names)))

    def _answers(self, ledger: str) -> bool:
        where = self.environment(ledger)["RDIMPORT_LEDGER"]
        try:
            with psycopg.connect(where, autocommit=True, connect_timeout=60) as db:
                db.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def is_there(self) -> bool:
        """Whether the first ledger was created."""
        return bool(self.ask("SELECT to_regclass('rdimport.setting') IS NOT NULL"))

    def befalls(self, kind: str) -> None:
        """Damage the first ledger while no run uses it."""
        if kind == "its folder vanishes" and not self.pooled:
            self._rename_database(self.name, self._aside)
        elif kind == "an older ledger is there":
            self._rename_database(self.name, self._aside)
            self._rename_database(self._older, self.name)
        elif kind in _TABLES:
            self._end_sessions(self.name)
            self.do(f"ALTER TABLE rdimport.{_TABLES[kind]} SET SCHEMA public")
        else:
            self._end_sessions(self.name)
            self.do(f"ALTER SCHEMA rdimport RENAME TO {_ASIDE}")
            if kind == "another ledger is there":
                self._make_another()

    def befalls_a_run(self, kind: str, process: int) -> None:
        """The same with a stopped run."""
        freeze(process)
        try:
            self.befalls(kind)
        finally:
            os.kill(process, signal.SIGCONT)

    def put_right(self, kind: str) -> None:
        """Undo the damage, as a person who noticed it would."""
        if kind == "its folder vanishes" and not self.pooled:
            self._rename_database(self._aside, self.name)
        elif kind == "an older ledger is there":
            self._rename_database(self.name, self._older)
            self._rename_database(self._aside, self.name)
        elif kind in _TABLES:
            self.do(f"ALTER TABLE public.{_TABLES[kind]} SET SCHEMA rdimport")
        else:
            self._end_sessions(self.name)
            self.do("DROP SCHEMA IF EXISTS rdimport CASCADE")
            self.do(f"ALTER SCHEMA {_ASIDE} RENAME TO rdimport")

    def keep_older(self) -> None:
        """Keep a copy of the database, like one restored from a backup."""
        self._older = f"older {self.name}"
        self._end_sessions(self.name)
        self.lane.server.do(f'CREATE DATABASE "{self._older}" TEMPLATE "{self.name}"')

    def old(self, base_url: str) -> list[list[str]]:
        """Copy a ledger that release 0.1.0 wrote into the database."""
        of_0_1_0(self.home, base_url)
        return [["ledger", "copy", "state", self.environment("state")["RDIMPORT_LEDGER"]]]

    def processes(self) -> frozenset[int]:
        """The processes of all runs that the first ledger knows."""
        with closing(self.lane.server.connect(self.name)) as db:
            return frozenset(one for (one,) in db.execute("SELECT process FROM rdimport.run"))

    def named(self, people: Iterable[str]) -> list[str]:
        """Those of these people whom the first ledger names."""
        tables = ("run", "outcome", "conversion", "named", "attempt", "input")
        text = "".join(
            str(self.ask(f"SELECT string_agg(t::text, ' ') FROM rdimport.{table} t"))  # noqa: S608
            for table in tables
        )
        return [email for email in people if email in text]

    def in_doubt(self) -> list[str]:
        """The ledgers whose last note was not found since a standby took over: a person must
        confirm that it was a synchronous one.
        """
        timeline = "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
        other = f"SELECT value <> {timeline} FROM rdimport.setting WHERE name = 'timeline'"  # noqa: S608
        return [ledger for ledger in self.names if self.ask(other, ledger=ledger)]

    def lapse(self) -> None:
        """Let all leases expire."""
        with suppress(psycopg.Error):
            self.do(LAPSE)

    def drop(self) -> None:
        """The scenario is over."""
        for name in (*self.names.values(), self._older, self._aside):
            with suppress(psycopg.Error):
                if name:
                    self.lane.server.do(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _make_another(self) -> None:
        """Create the tables of another ledger, with another key."""
        self.do(
            "CREATE SCHEMA rdimport",
            f"CREATE TABLE rdimport.setting (LIKE {_ASIDE}.setting INCLUDING ALL)",
            f"INSERT INTO rdimport.setting TABLE {_ASIDE}.setting",
            "UPDATE rdimport.setting SET value = 'another' WHERE name = 'key'",
        )

    def _end_sessions(self, name: str) -> None:
        self.lane.server.ask(END_SESSIONS, name)

    def _rename_database(self, old: str, new: str) -> None:
        server = self.lane.server
        server.do(f'ALTER DATABASE "{old}" ALLOW_CONNECTIONS false')
        end = time.monotonic() + 20
        while True:
            self._end_sessions(old)
            try:
                server.do(f'ALTER DATABASE "{old}" RENAME TO "{new}"')
            except psycopg.errors.ObjectInUse:
                if time.monotonic() > end:
                    raise
                continue
            break
        server.do(f'ALTER DATABASE "{new}" ALLOW_CONNECTIONS true')


_QUESTIONS = {
    "SELECT run, file, row, state, receipt FROM conversion": (
        "SELECT run, file, row, state, receipt FROM conversion WHERE state <> 9"
    ),
    "SELECT run, file, row FROM sending": "SELECT 1, 1, 1 WHERE false",
}


def _rows_of(db: psycopg.Connection[Any]) -> Callable[[str], list[Any]]:
    def rows(question: str) -> list[Any]:
        found = db.execute(_QUESTIONS.get(question, question).encode()).fetchall()
        if "receipt" in question:
            return [(*one[:3], STATES[one[3]], one[4] if one[3] == 1 else "") for one in found]
        return found

    return rows
