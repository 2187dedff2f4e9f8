"""A connection to the database, none of whose waits is without end."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg

from rdimport.core.messages import _
from rdimport.ledger.postgres import watchdog
from rdimport.ledger.postgres.holder import myself

if TYPE_CHECKING:
    from psycopg.abc import RV, PQGen

SILENCE: Final = 30.0
"""Seconds within which the database must complete a small transaction. It may work for longer at
what goes through a large ledger, but not without saying so when it is asked after that time.
"""

WAY: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "target_session_attrs": "read-write",
    "client_encoding": "utf8",
}
"""Parameters of libpq, so that a vanished server is noticed within about ten seconds."""

_AT_WORK: Final = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE application_name = %s
    AND pid = coalesce(%s, pid) AND state = 'active'
    AND query_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %s)
    AND wait_event_type IS DISTINCT FROM 'Client' AND wait_event IS DISTINCT FROM 'SyncRep')
"""
"""Whether a server process is at work, and has been for some seconds; without its number, whether
one for this process is. One that waits for what it should get from here, or for a standby, is not.
"""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is shut down when the database is silent for `SILENCE` seconds, and does
    not say on another connection that it is at work.
    """

    url = ""
    """Where to ask whether it is at work; without it, it must answer within that time."""

    pooled = False
    """Whether it leads to a pooler, which tells no number of a server process."""

    @classmethod
    def to(cls, url: str) -> Self:
        """A new connection without transactions. Raises psycopg.Error."""
        return cls.connect(url, autocommit=True, application_name=myself().name, **WAY)

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the server. All that psycopg does goes through here, except connecting."""
        watchdog.watch(self, self, SILENCE, self._goes_on)
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.Error as error:
            if watchdog.was_silent(self):
                raise psycopg.OperationalError(_("it did not respond in time")) from error
            raise
        finally:
            watchdog.rest(self)

    def _goes_on(self) -> bool:
        if not self.url:
            return False
        try:
            process = None if self.pooled else self.info.backend_pid
            with closing(Connection.to(self.url)) as db:
                found = db.execute(_AT_WORK, (myself().name, process, SILENCE / 2)).fetchone()
                return found == (True,)
        except psycopg.Error:
            return False
