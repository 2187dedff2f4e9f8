"""A worker begins, and ends, a few runs at a time, however many do at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from typing import Final

from rdimport.delivery.stopping import StopRequest

_AT_ONCE: Final = 2
"""Before and after it sends, a run needs the processor: while one waits for the database, another
uses it. With more at once, all of them and those that send wait for one another (docs/fleet.md).
"""

_LASTS: Final = 10.0
"""Seconds after which a run keeps no other waiting: it may wait for an account itself."""


class Place:
    """One of the few places: had while a run begins, and again while it ends."""

    def __init__(self, free: asyncio.Semaphore, lasts: float) -> None:
        self._free, self._lasts = free, lasts
        self._loop = asyncio.get_running_loop()
        self._lapse: asyncio.TimerHandle | None = None
        """When others get it in any case; None while it is not had."""

    def leave(self) -> None:
        """Let another run have it. From the thread of the run."""
        with suppress(RuntimeError):  # the worker has ended
            self._loop.call_soon_threadsafe(self.left)

    def take(self) -> None:
        """Wait until it is had again. From the thread of the run."""
        with suppress(RuntimeError, CancelledError):
            asyncio.run_coroutine_threadsafe(self.taken(), self._loop).result()

    async def taken(self) -> None:
        """Wait for it."""
        if self._lapse is None:
            await self._free.acquire()
            self._lapse = self._loop.call_later(self._lasts, self.left)

    def left(self) -> None:
        """Let another run have it, unless one has it already."""
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None
            self._free.release()


class Starts:
    """Where the runs of a worker queue to begin and to end."""

    def __init__(self, at_once: int = _AT_ONCE, lasts: float = _LASTS) -> None:
        self._free, self._lasts = asyncio.Semaphore(at_once), lasts

    @asynccontextmanager
    async def one(self, stop: StopRequest) -> AsyncIterator[Place | None]:
        """A place to begin; None for a run that is to stop before it has one."""
        place = Place(self._free, self._lasts)
        taking = asyncio.ensure_future(place.taken())
        try:
            with stop.subscribed(lambda _reason: taking.cancel()):
                await asyncio.wait([taking])
            yield None if stop.is_set() else place
        finally:
            taking.cancel()
            place.left()
