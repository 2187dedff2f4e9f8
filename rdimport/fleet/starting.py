"""A worker starts and ends only a few runs at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from typing import Final

from rdimport.delivery.stopping import StopRequest

_AT_ONCE: Final = 2
"""A run is CPU-bound before and after it sends: while one waits for the database, another uses the
processor. With more at once, they and the sending runs slow each other down (docs/fleet.md).
"""

_MAX_HOLD: Final = 10.0
"""Seconds after which a run no longer blocks others: it may itself be waiting for an account."""


class Place:
    """One of the few places. A run holds it while it starts, and again while it ends."""

    def __init__(self, free: asyncio.Semaphore, lasts: float) -> None:
        self._free, self._lasts = free, lasts
        self._loop = asyncio.get_running_loop()
        self._expiry: asyncio.TimerHandle | None = None
        """Frees the place after `lasts` seconds; None while the place is not held."""

    def leave(self) -> None:
        """Release the place. Called from the run's thread."""
        with suppress(RuntimeError):  # the worker has ended
            self._loop.call_soon_threadsafe(self.left)

    def take(self) -> None:
        """Wait until the place is held again. Called from the run's thread."""
        with suppress(RuntimeError, CancelledError):
            asyncio.run_coroutine_threadsafe(self.taken(), self._loop).result()

    async def taken(self) -> None:
        """Acquire the place."""
        if self._expiry is None:
            await self._free.acquire()
            self._expiry = self._loop.call_later(self._lasts, self.left)

    def left(self) -> None:
        """Release the place, if it is held."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
            self._free.release()


class Starts:
    """Limits how many runs of a worker start or end at the same time."""

    def __init__(self, at_once: int = _AT_ONCE, lasts: float = _MAX_HOLD) -> None:
        self._free, self._lasts = asyncio.Semaphore(at_once), lasts

    @asynccontextmanager
    async def one(self, stop: StopRequest) -> AsyncIterator[Place | None]:
        """Acquire a place to start; None for a run that is stopped before it has one."""
        place = Place(self._free, self._lasts)
        taking = asyncio.ensure_future(place.taken())
        try:
            with stop.subscribed(lambda _reason: taking.cancel()):
                await asyncio.wait([taking])
            yield None if stop.is_set() else place
        finally:
            taking.cancel()
            place.left()
