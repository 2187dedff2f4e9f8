"""Stores the state of all workers, the paused accounts, and the times at which jobs were queued."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

import psycopg

from rdimport.core.errors import LedgerError, UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.ledger.accounts import had_name
from rdimport.ledger.postgres import schema
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.connection import SILENCE, Connection
from rdimport.ledger.postgres.idle import keeping
from rdimport.ledger.postgres.pool import Pool
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.trouble import NOT_THERE, as_ledger_error, explained, said
from rdimport.ledger.records import Pause, WorkerState

_GONE: Final = 3.0
"""Seconds without its lock after which a worker is dead; a live one takes it sooner."""

_SURE: Final = 15.0
"""Seconds for which a worker must have been connected before it declares others dead: after a
failure of the database, the workers reconnect one after the other.
"""

_BEAT: Final = """
INSERT INTO rdimport.worker AS w (name, slots, since, seen, jobs, queue)
VALUES (%s, %s, clock_timestamp(), clock_timestamp(), %s, %s)
ON CONFLICT (name) DO UPDATE SET seen = excluded.seen, jobs = excluded.jobs,
    queue = excluded.queue, gone = false RETURNING drain
"""
# A worker's connection holds an advisory lock. When its process is killed, the connection ends at
# once, and the lock with it; when its machine is cut off, it ends when the server notices.
_TAKE_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('rdimport worker ' || %s, 0))"
_WITHOUT_LOCK: Final = """
SELECT name FROM rdimport.worker WHERE queue IS NOT NULL AND NOT gone AND name <> %s
    AND pg_try_advisory_xact_lock_shared(hashtextextended('rdimport worker ' || name, 0))
"""
"""The other workers whose lock is free. It is tried, as not everyone may read `pg_locks`."""

_IS_GONE: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('rdimport worker ' || %s, 0))"
_EXPIRE: Final = """
UPDATE rdimport.lease SET until = '-infinity' WHERE quota IN (SELECT quota FROM rdimport.lease
    WHERE holder || '-' || process = %s AND until > clock_timestamp() FOR UPDATE SKIP LOCKED)
"""


class Orders(NamedTuple):
    """What a worker must do: whether to drain, and the folded names of the paused accounts."""

    drain: bool
    paused: frozenset[str]


class PostgresFleet:
    """The workers and paused accounts of a shared ledger. Not thread-safe.

    Every method may raise LedgerError.
    """

    def __init__(self, url: str) -> None:
        self._address = parsed(url)
        self._session = Session(self._address, reading=True)
        self._open = ExitStack()
        self._line: Connection | None = None
        """The connection that holds this worker's lock; None if none does."""
        self._name, self._had = "", 0.0
        self._missed: dict[str, float] = {}
        """By the name of a worker without its lock: the `time.monotonic()` of the discovery."""

    def __enter__(self) -> Self:
        self._open.enter_context(keeping(self._address))
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()  # it may hold the lock
        self._open.close()

    @property
    def shown(self) -> str:
        """The address of the database, without a password."""
        return self._address.shown

    def is_there(self) -> bool:
        """Whether the database contains a ledger."""
        return schema.is_there(self._session)

    def refuse_pooler(self) -> None:
        """Raise UsageError if the address is that of a pooler: the queue needs LISTEN."""
        self._session.query("SELECT 1")
        if self._session.pooled:
            raise UsageError(
                _(
                    "The queue of workers needs the database server itself. A pooler such "
                    "as PgBouncer, which {where} is, is only enough for `run`.",
                    where=self.shown,
                ),
                _("Give --ledger the address of the server."),
            )

    def pool(self, schema: str, *, reading: bool = False) -> Pool:
        """Connections for the queue, whose tables are in that schema; read-only if `reading`."""
        return Pool(self._address, schema, reading=reading)

    def queue_error(self, error: BaseException) -> LedgerError:
        """The LedgerError for what the queue's library raised because of a psycopg.Error."""
        cause = error.__cause__
        if isinstance(cause, psycopg.Error) and not isinstance(cause, NOT_THERE):
            return as_ledger_error(self._address, cause)
        return self.no_queue(said(cause or error))

    def no_queue(self, why: str = "") -> LedgerError:
        """The LedgerError for tables of the queue that `rdimport fleet init` has to make."""
        why = why or _("its tables are missing, or are those of another release")
        return LedgerError(
            _("The queue cannot be read: {error}.", error=why),
            _("Type: rdimport fleet init --ledger {where}", where=self.shown),
        )

    def beat(self, name: str, slots: int, jobs: Sequence[str], queue: int | None = None) -> Orders:
        """Store that worker `name` is alive and runs `jobs`; returns its orders.

        `slots` is how many jobs it can run, `queue` its number in the queue's tables.
        """
        number = queue if self._has_lock(name) else None
        ((drain,),) = self._session.change(_BEAT, (name, slots, list(jobs), number))
        return Orders(bool(drain), frozenset(fold(one.account) for one in self.paused()))

    def _has_lock(self, name: str) -> bool:
        """Whether this connection holds the worker's lock; takes it on a new connection."""
        with explained(self._session.address):
            db = self._session.connection
        if db is not self._line and not self._session.pooled:
            ((taken,),) = self._session.query(_TAKE_LOCK, (name,))
            self._line, self._had = db if taken else None, time.monotonic()
            self._name = name
        return db is self._line

    def take_for_dead(self) -> None:
        """Release the leases and jobs of workers whose connection has ended.

        A worker that is only unresponsive keeps its leases until they expire.
        """
        now = time.monotonic()
        if self._line is None or self._line.closed or now < self._had + _SURE:
            return
        names = [name for (name,) in self._session.query(_WITHOUT_LOCK, (self._name,))]
        self._missed = {name: self._missed.get(name, now) for name in names}
        for name, since in self._missed.items():
            if now >= since + _GONE:
                self._mark_gone(name)

    def _mark_gone(self, name: str) -> None:
        """Expire the leases of a worker and mark it as gone, unless it holds its lock again."""
        with self._session.transaction(SILENCE) as db:
            if db.execute(_IS_GONE, (name,)).fetchone() == (True,):
                db.execute(_EXPIRE, (name,))
                db.execute("UPDATE rdimport.worker SET gone = true WHERE name = %s", (name,))

    def leave(self, name: str) -> None:
        """Delete the stored state of a worker that ends."""
        self._session.change("DELETE FROM rdimport.worker WHERE name = %s", (name,))

    def forget_dead(self) -> None:
        """Delete the stored states of workers that were not seen for a day."""
        self._session.change(
            "DELETE FROM rdimport.worker WHERE seen < clock_timestamp() - interval '1 day'"
        )

    def workers(self) -> list[WorkerState]:
        """The states of all workers, sorted by name."""
        found = self._session.query(
            "SELECT name, slots, extract(epoch FROM clock_timestamp() - seen)::float8, jobs,"
            " drain, gone FROM rdimport.worker ORDER BY name"
        )
        return [WorkerState(*one) for one in found]

    def drain(self, name: str) -> bool:
        """Order a worker to drain; returns whether there is such a worker."""
        sql = "UPDATE rdimport.worker SET drain = true WHERE name = %s RETURNING 1"
        return bool(self._session.change(sql, (name,)))

    def pause(self, account: str, why: str) -> None:
        """Pause an account, for the reason `why`. Does nothing if it is paused already."""
        if any(fold(one.account) == fold(account) for one in self.paused()):
            return
        self._session.change(
            "INSERT INTO rdimport.paused VALUES (%s, clock_timestamp(), %s) ON CONFLICT DO NOTHING",
            (account, why),
        )

    def resume(self, account: str) -> bool:
        """End the pause of an account; returns whether it was paused."""
        names = [one.account for one in self.paused() if fold(one.account) == fold(account)]
        sql = "DELETE FROM rdimport.paused WHERE account = ANY(%s) RETURNING 1"
        return bool(self._session.change(sql, (names,)))

    def paused(self) -> list[Pause]:
        """All paused accounts, sorted by name."""
        found = self._session.query(
            # behind a pooler, times may have any DateStyle
            "SELECT account, extract(epoch FROM since)::bigint, why"
            " FROM rdimport.paused ORDER BY account"
        )
        return [Pause(name, datetime.fromtimestamp(since, UTC), why) for name, since, why in found]

    def now_called(self, account: str) -> frozenset[str]:
        """The folded names of the accounts, at whatever endpoints, that once had this name; none if
        another account has it now.
        """
        sql = "SELECT id::text, identity, endpoint, account FROM rdimport.destination"
        found, named = self._session.query(sql), fold(account)
        names = {number: fold(name) for number, _identity, endpoint, name in found if endpoint}
        if named in names.values():
            return frozenset()
        return frozenset(
            names[number]
            for _id, identity, endpoint, number in found
            if not endpoint and number in names and had_name(identity, named)
        )

    def forget_ticks(self) -> None:
        """Delete the times at which jobs were queued, after the queue was lost. The jobs that were
        due within the last hour are then queued again.
        """
        self._session.change("DELETE FROM rdimport.due")
