"""A connection to the database on which no wait is endless."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
from psycopg import capabilities, errors, pq
from psycopg.conninfo import make_conninfo

from rdimport.core.messages import _
from rdimport.ledger.postgres import watchdog
from rdimport.ledger.postgres.holder import myself

if TYPE_CHECKING:
    from psycopg.abc import RV, PQGen

SILENCE: Final = 30.0
"""Seconds within which the database must complete a small transaction. A query of a large ledger
may take longer, if another connection shows after that time that it is still active.
"""

_MOST_REFUSALS: Final = 120
"""How often a query is waited for although no other connection is left to ask: for an hour."""

BLOCKS: Final = capabilities.has_stream_chunked()
"""Whether this libpq can receive the rows of a stream in blocks; before release 17 one by one."""

WRITABLE: Final = {"target_session_attrs": "read-write"}
"""A parameter of libpq: of the servers in the URL, only one that can be written to."""

WAY: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "client_encoding": "utf8",
}
"""Parameters of libpq, so that a vanished server is noticed within about ten seconds."""

_IS_ACTIVE: Final = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE application_name = %s
    AND pid = coalesce(%s, pid) AND state = 'active'
    AND query_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %s)
    AND wait_event_type IS DISTINCT FROM 'Client' AND wait_event IS DISTINCT FROM 'SyncRep')
"""
"""Whether a server process has been active for some seconds; without its number, whether one for
this process has. A process that waits for its client or for a standby is not active.
"""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is shut down when the database does not respond for `SILENCE` seconds,
    unless another connection shows that it is still active, or the server has none left.
    """

    url = ""
    """The address for that other connection; without it, the database must respond in time."""

    _refusals = 0
    """How often the other connection was refused during the present query."""

    pooled = False
    """Whether it leads to a pooler, which does not give the number of the server process."""

    @classmethod
    def to(cls, url: str, **server: str) -> Self:
        """A new connection in autocommit mode. `server`: further parameters of libpq, such as
        which of several servers in the URL to use. Raises psycopg.Error.
        """
        return cls.connect(
            url, autocommit=True, application_name=myself().name, **{**WAY, **server}
        )

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the server. Everything in psycopg goes through here, except connecting."""
        self._refusals = 0
        watchdog.watch(self, self, SILENCE, self._is_active)
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.Error as error:
            if watchdog.was_silent(self):
                raise psycopg.OperationalError(_("it did not respond in time")) from error
            raise
        finally:
            watchdog.rest(self)

    def _is_active(self) -> bool:
        try:
            return bool(self.url) and self._ask_other_connection()
        except psycopg.Error:  # also if this connection was closed meanwhile
            return False

    def _ask_other_connection(self) -> bool:
        process, info = None if self.pooled else self.info.backend_pid, self.info
        same = {"host": info.host, "hostaddr": info.hostaddr, "port": str(info.port)}
        try:
            other = Connection.to(self.url, **same)
        except errors.ConnectionTimeout:
            return False  # a ping would wait as long, and hold the GIL meanwhile
        except psycopg.OperationalError:
            self._refusals += 1
            return self._refusals <= _MOST_REFUSALS and _responds(make_conninfo(self.url, **same))
        with closing(other) as db:
            active = db.execute(_IS_ACTIVE, (myself().name, process, SILENCE / 2)).fetchone()
            return active == (True,)


def _responds(address: str) -> bool:
    """Whether a server responds, even if only to refuse a connection."""
    return pq.PGconn.ping(make_conninfo(address, **WAY).encode()) == pq.Ping.OK
