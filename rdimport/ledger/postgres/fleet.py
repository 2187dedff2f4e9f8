"""What workers tell of themselves, which accounts rest, and which jobs were put into the queue."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Self

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.ledger.postgres import schema
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.session import SILENCE, Connection, Session
from rdimport.ledger.postgres.trouble import explained

_SILENT: Final = 20
"""Seconds after which a worker that says nothing is taken for dead."""

_GONE: Final = 3.0
"""Seconds after which a worker without its line is taken for dead. It would have it again."""

_SURE: Final = 15.0
"""Seconds for which a worker must have been connected itself before it says so of others: after a
failure of the database all of them come back one after the other.
"""

_BEAT: Final = """
INSERT INTO rdimport.worker AS w (name, slots, since, seen, jobs, queue)
VALUES (%s, %s, clock_timestamp(), clock_timestamp(), %s, %s)
ON CONFLICT (name) DO UPDATE SET seen = excluded.seen, jobs = excluded.jobs,
    queue = excluded.queue, gone = false RETURNING drain
"""
# A worker's line is a lock of its connection. The connection of a process that was killed ends at
# once, and with it the lock; that of a machine that is cut off ends when the server notices it.
_TAKE_LINE: Final = "SELECT pg_try_advisory_lock(hashtextextended('rdimport worker ' || %s, 0))"
_WITHOUT_LINE: Final = """
SELECT w.name FROM rdimport.worker w WHERE w.queue IS NOT NULL AND NOT w.gone AND NOT EXISTS (
    SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.objsubid = 1
    AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) =
        hashtextextended('rdimport worker ' || w.name, 0))
"""
_IS_GONE: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('rdimport worker ' || %s, 0))"
_LAPSE: Final = """
UPDATE rdimport.lease SET until = '-infinity' WHERE quota IN (SELECT quota FROM rdimport.lease
    WHERE holder || '-' || process = %s AND until > clock_timestamp() FOR UPDATE SKIP LOCKED)
"""


class WorkerState(NamedTuple):
    """A worker, as it told of itself. `jobs` are at work; `seconds` since it was seen last."""

    name: str
    slots: int
    since: datetime
    seconds: float
    jobs: Sequence[str]
    drains: bool
    gone: bool

    @property
    def is_silent(self) -> bool:
        """Is it taken for dead?"""
        return self.gone or self.seconds > _SILENT


class Pause(NamedTuple):
    """An account whose jobs rest, since when, and why."""

    account: str
    since: datetime
    why: str


class Orders(NamedTuple):
    """What a worker was told: to drain; the folded names of the accounts that rest."""

    drain: bool
    paused: frozenset[str]


class PostgresFleet:
    """The workers and accounts of a shared ledger. Not for two threads at the same time."""

    def __init__(self, url: str) -> None:
        self._address = parsed(url)
        self._session = Session(self._address)
        self._line: Connection | None = None
        """The connection that is known to have this worker's line."""
        self._had = 0.0
        self._missed: dict[str, float] = {}
        """Workers without a line, since when."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.end()

    @property
    def shown(self) -> str:
        """Where it is, without a password."""
        return self._address.shown

    def is_there(self) -> bool:
        """Whether the database holds a ledger."""
        return schema.is_there(self._session)

    def refuse_pooler(self) -> None:
        """Raises UsageError where a pooler stands before the database: the queue listens there."""
        self._session.query("SELECT 1")
        if self._session.pooled:
            raise UsageError(
                _(
                    "The queue of workers needs the database server itself. A pooler such as "
                    "PgBouncer, which {where} is, is enough for `run`.",
                    where=self.shown,
                ),
                _("Give --ledger the address of the server."),
            )

    def beat(self, name: str, slots: int, jobs: Sequence[str], queue: int | None = None) -> Orders:
        """Tell that a worker lives, and at which jobs it is; `queue` is its number there. Returns
        what it was told.
        """
        number = queue if self._has_line(name) else None
        ((drain,),) = self._session.change(_BEAT, (name, slots, list(jobs), number))
        return Orders(bool(drain), frozenset(fold(one.account) for one in self.paused()))

    def _has_line(self, name: str) -> bool:
        """Has this connection the line of this worker, by which others see that it lives?"""
        with explained(self._session.address):
            db = self._session.connection
        if db is not self._line and not self._session.pooled:
            ((taken,),) = self._session.query(_TAKE_LINE, (name,))
            self._line, self._had = db if taken else None, time.monotonic()
        return db is self._line

    def take_for_dead(self) -> None:
        """What workers have that are gone may be taken by others at once: their turns, and their
        jobs. One that is only silent has them until they run out.
        """
        now = time.monotonic()
        if self._line is None or self._line.closed or now < self._had + _SURE:
            return
        names = [name for (name,) in self._session.query(_WITHOUT_LINE)]
        self._missed = {name: self._missed.get(name, now) for name in names}
        for name, since in self._missed.items():
            if now >= since + _GONE:
                self._bury(name)

    def _bury(self, name: str) -> None:
        """Let go of what a worker has, unless its line is there again."""
        with self._session.transaction(SILENCE) as db:
            if db.execute(_IS_GONE, (name,)).fetchone() == (True,):
                db.execute(_LAPSE, (name,))
                db.execute("UPDATE rdimport.worker SET gone = true WHERE name = %s", (name,))

    def leave(self, name: str) -> None:
        """A worker ends."""
        self._session.change("DELETE FROM rdimport.worker WHERE name = %s", (name,))

    def forget_dead(self) -> None:
        """Forget the workers that have said nothing for a day."""
        self._session.change(
            "DELETE FROM rdimport.worker WHERE seen < clock_timestamp() - interval '1 day'"
        )

    def workers(self) -> list[WorkerState]:
        """All workers, by name."""
        found = self._session.query(
            "SELECT name, slots, since, extract(epoch FROM clock_timestamp() - seen)::float8, jobs,"
            " drain, gone FROM rdimport.worker ORDER BY name"
        )
        return [WorkerState(*one) for one in found]

    def drain(self, name: str) -> bool:
        """Tell a worker to end in order; was it there?"""
        sql = "UPDATE rdimport.worker SET drain = true WHERE name = %s RETURNING 1"
        return bool(self._session.change(sql, (name,)))

    def pause(self, account: str, why: str) -> None:
        """Let the jobs of an account rest; the first reason stays."""
        if any(fold(one.account) == fold(account) for one in self.paused()):
            return
        self._session.change(
            "INSERT INTO rdimport.paused VALUES (%s, clock_timestamp(), %s) ON CONFLICT DO NOTHING",
            (account, why),
        )

    def resume(self, account: str) -> bool:
        """Let them run again; did they rest?"""
        names = [one.account for one in self.paused() if fold(one.account) == fold(account)]
        sql = "DELETE FROM rdimport.paused WHERE account = ANY(%s) RETURNING 1"
        return bool(self._session.change(sql, (names,)))

    def paused(self) -> list[Pause]:
        """The accounts that rest."""
        found = self._session.query(
            "SELECT account, since, why FROM rdimport.paused ORDER BY account"
        )
        return [Pause(*one) for one in found]

    def forget_ticks(self) -> None:
        """The queue was lost: what was due within the hour is put in once more."""
        self._session.change("DELETE FROM rdimport.due")
