"""A connection whose commits are either durable or fail.

Behind a pooler in transaction mode (PgBouncer), settings are made in each transaction, and
statements are not prepared: the next transaction may use another server process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, LiteralString, Self

import psycopg
from psycopg import errors, pq

from rdimport.ledger.postgres import idle, watchdog
from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.connection import SILENCE, WRITABLE, Connection
from rdimport.ledger.postgres.settings import CLIENT_CHECK, OF_ITS_OWN, settings
from rdimport.ledger.postgres.trouble import explained, not_replicated, too_old, why_read_only
from rdimport.ledger.sql import Ask

if TYPE_CHECKING:
    from psycopg.errors import Diagnostic

    from rdimport.core.errors import LedgerError

# Its warnings about broken connections repeat what the errors say.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

LONGEST: Final = 60 * 60.0
"""Timeout in seconds of a query whose duration depends on the size of the ledger."""

OLDEST: Final = 12
"""The oldest release of PostgreSQL that can be used: earlier ones have no `plan_cache_mode`."""

_SERVER_FACTS: Final = """
SELECT pg_catalog.pg_backend_pid(), pg_catalog.version() LIKE '%linux%'
    AND pg_catalog.current_setting('client_connection_check_interval', true) IS NOT NULL,
    pg_catalog.pg_is_in_recovery(),
    pg_catalog.current_setting('default_transaction_read_only') = 'on'
"""
"""The number of its process; whether it accepts CLIENT_CHECK, is a standby, is read-only."""

_READ_ONLY_SOURCE: Final = """
SELECT source FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'
"""
"""Not part of the other statement, as not everyone may read `pg_settings`."""

BEGIN: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


class Session:
    """A connection that is reopened after it broke. Not thread-safe.

    With `reading`, it may be read-only if no writable server can be reached.
    """

    def __init__(
        self,
        address: Address,
        more: Mapping[str, str] = MappingProxyType({}),
        *,
        reading: bool = False,
    ) -> None:
        self.address = address
        self._reading = reading
        self._read_only: LedgerError | None = None
        """Why the connection cannot be written to."""
        self._more = more
        """More settings, for a server process of its own."""
        self._db: Connection | None = None
        self._warnings: list[str] = []
        self.pooled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        db, self._db = self._db, None
        if db is not None:
            with suppress(psycopg.Error):
                db.close()

    def end(self) -> None:
        """Release the connection: keep it for other sessions (`idle`) if usable, else close it."""
        db, self._db = self._db, None
        if db is None:
            return
        db.remove_notice_handler(self._noticed)
        unlike_others = self._more or self._read_only
        if unlike_others or not idle.give(self.address, idle.Idle(db, self.pooled)):
            with suppress(psycopg.Error):
                db.close()

    @property
    def connection(self) -> Connection:
        """The connection, opened if necessary. Raises psycopg.Error."""
        if self._db is None or self._db.closed:
            kept = None if self._more else idle.take(self.address)
            if kept is None:
                self._db = self._connected()
            else:
                self._db, self.pooled = kept
                self._read_only = None
            self._db.add_notice_handler(self._noticed)
        return self._db

    def _connected(self) -> Connection:
        db = self._reached()
        try:
            with self.watched(db, SILENCE):
                self._set_up(db)
        except BaseException:
            db.close()
            raise
        db.url, db.pooled = self.address.url, self.pooled
        return db

    def _reached(self) -> Connection:
        """A connection to a writable server, otherwise to a read-only one. With several servers in
        the URL, the latter only for `reading`: one of them may be promoted at any moment.
        """
        url, several = self.address.url, "," in self.address.shown
        try:
            return Connection.to(url, **WRITABLE)
        except psycopg.OperationalError as error:
            is_gone = isinstance(error, errors.ConnectionTimeout)
            if not self._reading if several else is_gone:
                raise
        return Connection.to(url)

    def _set_up(self, db: Connection) -> None:
        if db.info.server_version < OLDEST * 1_00_00:
            release = db.info.parameter_status("server_version") or "?"
            raise too_old(self.address, release, OLDEST)
        ((process, checks_client, is_standby, read_only),) = db.execute(_SERVER_FACTS).fetchall()
        # a pooler tells a number of its own, by which a statement can be cancelled
        self.pooled = process != db.info.backend_pid
        ((source,),) = db.execute(_READ_ONLY_SOURCE).fetchall() if read_only else ((None,),)
        self._read_only = why_read_only(self.address, is_standby, source)
        if self._read_only is not None and not self._reading:
            raise self._read_only
        if self.pooled:
            db.prepare_threshold = None
            return
        more = {**OF_ITS_OWN, **self._more}
        if checks_client:
            more |= CLIENT_CHECK
        if self._read_only is not None:
            more["default_transaction_read_only"] = "on"
        db.execute(*settings(db.info.server_version, more, local=False))

    def _writable(self) -> Connection:
        """The connection. Raises LedgerError if it cannot be written to; the next one may be."""
        db = self.connection
        if self._read_only is not None:
            self.close()
            raise self._read_only
        return db

    def _noticed(self, said: Diagnostic) -> None:
        if said.severity_nonlocalized == "WARNING":
            self._warnings.append(said.message_primary or "?")

    def prepare(self, db: Connection) -> None:
        """Apply the settings to a transaction that has begun, if behind a pooler."""
        self._warnings.clear()
        if self.pooled:
            db.execute(*settings(db.info.server_version, local=True))

    def committed(self) -> None:
        """Raise NotReplicatedError if the database warned at a commit."""
        if self._warnings:
            said, self._warnings = self._warnings, []
            raise not_replicated(self.address, said)

    @contextmanager
    def watched(self, db: Connection, seconds: float) -> Iterator[None]:
        """Shut down the connection if its work takes longer. Otherwise an unresponsive server, or
        one that waits for a lost standby, would block the caller forever.
        """
        watchdog.watch(self, db, seconds)
        try:
            yield
        finally:
            watchdog.rest(self)

    @contextmanager
    def transaction(self, within: float | None = None) -> Iterator[Connection]:
        """A transaction, durable at its end. The connection is closed if it takes longer than
        `within` seconds. Raises LedgerError.
        """
        with explained(self.address), ExitStack() as stack:
            db = self._writable()
            if within is not None:
                stack.enter_context(self.watched(db, within))
            try:
                db.execute(BEGIN)
                self.prepare(db)
                yield db
                see_commit(db.execute("COMMIT"))
            except BaseException:
                roll_back(db)
                raise
        self.committed()

    def query(
        self, sql: LiteralString, values: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises LedgerError, also if it takes longer than `SILENCE`."""
        return self.ask(sql, values, SILENCE)

    def ask(
        self,
        sql: LiteralString,
        values: Sequence[object] | Mapping[str, object] = (),
        within: float | None = None,
    ) -> list[tuple[Any, ...]]:
        """All rows of a query: while the database reports it as active, or `within` seconds."""
        with explained(self.address), ExitStack() as stack:
            db = self.connection
            if within is not None:
                stack.enter_context(self.watched(db, within))
            return rows_of(db.execute(sql, values))

    def change(
        self, sql: LiteralString, values: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own; returns its rows.

        Raises LedgerError, also if the database does not answer within `SILENCE` seconds.
        """
        with explained(self.address):
            db = self._writable()
            if not self.pooled:  # by itself it is a transaction
                self._warnings.clear()
                with self.watched(db, SILENCE):
                    done = db.execute(sql, values)
                self.committed()
                return rows_of(done)
        with self.transaction(SILENCE) as db:
            return rows_of(db.execute(sql, values))


def rows_of(done: psycopg.Cursor[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """All rows; none for a statement that has no result."""
    return done.fetchall() if done.description else []


def asking(db: Connection) -> Ask:
    """A function that executes queries within a transaction."""
    return lambda sql, values: rows_of(db.execute(sql, values))


def see_commit(answer: psycopg.Cursor[tuple[Any, ...]]) -> None:
    """Raise psycopg.Error if the transaction was rolled back instead."""
    if answer.statusmessage != "COMMIT":
        raise psycopg.InternalError("the transaction was rolled back")


def roll_back(db: Connection) -> None:
    """Roll back a failed transaction; if that is not possible, close the connection."""
    try:
        if db.info.transaction_status is pq.TransactionStatus.IDLE:
            return
        db.execute("ROLLBACK")
    except psycopg.Error:
        with suppress(psycopg.Error):
            db.close()
