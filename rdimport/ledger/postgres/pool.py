"""The connections of the queue, made like those of the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Self

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from rdimport.ledger.postgres import watchdog
from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.connection import SILENCE, WAY, WRITABLE
from rdimport.ledger.postgres.settings import settings
from rdimport.ledger.postgres.trouble import explained

_Connection = psycopg.AsyncConnection[Any]

_GIVE_UP: Final = 5.0
"""Seconds after which an attempt to connect is given up; the next use then tries at once. Without
it, the delay doubles with each attempt, and is minutes after an outage.
"""


_MAX_IDLE: Final = 10.0
"""Seconds after which an idle connection is closed: the ledger may need its place."""


class Pool(AsyncConnectionPool[_Connection]):
    """Connections that are shut down when an operation on one takes too long."""

    def __init__(self, address: Address, schema: str, *, reading: bool = False) -> None:
        self._address = address
        self._refusal: psycopg.Error | None = None
        """Why the last attempt to connect failed."""
        more = {"search_path": f"{schema}, pg_catalog", "plan_cache_mode": "auto"}
        if reading:
            more["default_transaction_read_only"] = "on"
        super().__init__(
            address.url,
            min_size=1,
            max_size=4,
            max_idle=_MAX_IDLE,
            open=False,
            connection_class=self._noting_refusals(),
            check=_checked,
            configure=partial(_configure, more=more),
            reconnect_timeout=_GIVE_UP,
            kwargs={**WAY, **({} if reading else WRITABLE), "application_name": "rdimport queue"},
        )

    async def __aenter__(self) -> Self:
        """Connect. Raises LedgerError if there is no connection within half a minute."""
        with explained(self._address), self._reason_given():
            await self.open(wait=True, timeout=SILENCE)
        return self

    async def getconn(self, timeout: float | None = None) -> _Connection:  # noqa: ASYNC109  its name
        """See `AsyncConnectionPool`."""
        with self._reason_given():
            db = await super().getconn(timeout)
        watchdog.watch(db, db, SILENCE)
        return db

    async def putconn(self, conn: _Connection) -> None:
        """See `AsyncConnectionPool`."""
        watchdog.rest(conn)
        await super().putconn(conn)

    def _noting_refusals(self) -> type[_Connection]:
        pool = self

        class Noting(_Connection):
            @classmethod
            async def connect(cls, conninfo: str = "", **named: Any) -> Self:
                try:
                    db = await super().connect(conninfo, **named)
                except psycopg.Error as error:
                    pool._refusal = error
                    raise
                pool._refusal = None
                return db

        return Noting

    @contextmanager
    def _reason_given(self) -> Iterator[None]:
        """Raise what the server said in place of the pool's error, which only names a time-out."""
        try:
            yield
        except PoolTimeout as error:
            raise self._refusal or error from error


async def _configure(db: _Connection, more: Mapping[str, str]) -> None:
    """Apply the settings to a new connection, with some `more`."""
    watchdog.watch(db, db, SILENCE)
    try:
        await db.set_autocommit(True)
        await db.execute(*settings(db.info.server_version, more, local=False))
        await db.set_autocommit(False)
    except BaseException:
        await db.close()
        raise
    finally:
        watchdog.rest(db)


async def _checked(db: _Connection) -> None:
    """Raise psycopg.Error if the connection is broken."""
    watchdog.watch(db, db, SILENCE)
    try:
        await AsyncConnectionPool.check_connection(db)
    finally:
        watchdog.rest(db)
