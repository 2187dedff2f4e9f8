"""What the dispatcher waits for: requests that finish, time that passes, the end of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from rdimport.core.clock import Clock


class Waits:
    """The waits of one task, all of which end once the run stops. `requests` are the open ones."""

    def __init__(self, requests: Sized, clock: Clock) -> None:
        self._requests = requests
        self._clock = clock
        self._changed = asyncio.Event()
        self._enough = 0
        """The number of open requests that the task is waiting to fall to."""
        self._asleep: asyncio.Task[object] | None = None
        self._until = 0.0
        self._stopping = False

    def is_stopping(self) -> bool:
        """Whether the run stops: no row is sent from here on."""
        return self._stopping

    def stop(self) -> None:
        """End the current wait and all later ones."""
        self._stopping = True
        self._changed.set()
        if self._asleep is not None:
            self._asleep.cancel()
            self._asleep = None  # once: each `cancel` counts

    def on_done(self) -> None:
        """Called when a request is no longer open."""
        if len(self._requests) <= self._enough:
            self._changed.set()

    def pauses_for(self, now: float) -> float:
        """Seconds for which the task will still pause, unless the run stops; 0 if it does not."""
        return self._until - now

    async def until_open(self, enough: int, within: float | None = None) -> None:
        """Wait until at most `enough` requests are open, the run stops, or the time is up."""
        self._enough = enough
        self._changed.clear()
        if len(self._requests) <= enough or self._stopping:
            return
        late = None
        if within is not None:
            late = asyncio.get_running_loop().call_later(within, self._changed.set)
        await self._changed.wait()
        if late is not None:
            late.cancel()

    async def pause(self, seconds: float) -> None:
        """Wait, but not after the run stops."""
        if self._stopping:
            return
        self._until = self._clock.monotonic() + seconds
        self._asleep = asyncio.current_task()
        try:
            await self._clock.sleep(seconds)
        except asyncio.CancelledError:
            if not self._is_only_stopped(asyncio.current_task()):
                raise
        finally:
            self._asleep = None

    def _is_only_stopped(self, task: asyncio.Task[object] | None) -> bool:
        """Whether the paused task was cancelled by `stop` only."""
        return self._stopping and task is not None and not task.uncancel()

    async def drain(self, grace: float) -> None:
        """Wait until no request is open, stopping or not, for at most `grace` seconds."""
        if not self._requests:
            return
        self._enough = 0
        late = asyncio.ensure_future(self._clock.sleep(grace))
        landed = asyncio.ensure_future(self._landed())
        try:
            await asyncio.wait((late, landed), return_when=asyncio.FIRST_COMPLETED)
        finally:  # also on cancellation, as the loop may belong to a program that continues
            late.cancel()
            landed.cancel()

    async def _landed(self) -> None:
        while self._requests:
            self._changed.clear()
            await self._changed.wait()
