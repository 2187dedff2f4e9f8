"""What workers tell of themselves, which accounts rest, and which jobs were put into the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Self

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.ledger.postgres import schema
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.session import Session

QUEUE: Final = "rdimport_queue"
"""The schema of the queue's own tables."""

_SILENT: Final = 20
"""Seconds after which a worker that says nothing is taken for dead."""

_BEAT: Final = """
INSERT INTO rdimport.worker AS w (name, slots, since, seen, jobs)
VALUES (%s, %s, clock_timestamp(), clock_timestamp(), %s)
ON CONFLICT (name) DO UPDATE SET seen = excluded.seen, jobs = excluded.jobs RETURNING drain
"""


class WorkerState(NamedTuple):
    """A worker, as it told of itself. `jobs` are at work; `seconds` since it was seen last."""

    name: str
    slots: int
    since: datetime
    seconds: float
    jobs: Sequence[str]
    drains: bool

    @property
    def is_silent(self) -> bool:
        """Is it taken for dead?"""
        return self.seconds > _SILENT


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

    def beat(self, name: str, slots: int, jobs: Sequence[str]) -> Orders:
        """Tell that a worker lives, and at which jobs it is; returns what it was told."""
        ((drain,),) = self._session.change(_BEAT, (name, slots, list(jobs)))
        return Orders(bool(drain), frozenset(fold(one.account) for one in self.paused()))

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
            " drain FROM rdimport.worker ORDER BY name"
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
