"""Claims jobs from the queue, and runs several at the same time.

Procrastinate has a worker for this. It stops after a short outage of the database, and claims
nothing more until all its running jobs have ended, which may be hours later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from procrastinate.exceptions import ConnectorException

from rdimport.fleet.queue import HEARTBEAT_INTERVAL, Queue, Taken

_POLL_INTERVAL: Final = 2.0
"""Seconds between polls, which find jobs whose notification was lost."""

_CANCEL_INTERVAL: Final = 1.0

RETRY_DELAY: Final = 3.0
"""Seconds before the database is tried again after an outage."""


async def cancel_and_wait(tasks: Iterable[asyncio.Future[None]]) -> None:
    """Cancel tasks and wait for them. A database error can replace the cancellation: then the task
    is cancelled again.
    """
    left = set(tasks)
    while left:
        for one in left:
            one.cancel()
        _done, left = await asyncio.wait(left, timeout=_CANCEL_INTERVAL)


class NotPutBackError(Exception):
    """A job stays in the queue as one of this worker, which ends: others take it from there."""


class Taker:
    """Claims jobs for a worker, at most `slots` at a time; `run` runs one of them."""

    def __init__(
        self, queue: Queue, name: str, slots: int, run: Callable[[str, str], Awaitable[None]]
    ) -> None:
        self._queue, self._name, self._run = queue, name, run
        self._free = asyncio.Semaphore(slots)
        self._at_work: dict[asyncio.Task[None], int] = {}
        self._new = asyncio.Event()
        self._unsure = False
        """Whether the queue may list jobs as claimed here that are not running."""
        self.number: int | None = None
        """The worker's number in the queue, once it has one."""

    async def take(self, *, once: bool) -> None:
        """Claim jobs until cancelled, or with `once` until none waits; then wait for running ones.

        Raises ConnectorException if the database is unreachable at the start, or at any time with
        `once`.
        """
        number = self.number = await self._queue.register()
        background = [asyncio.ensure_future(self._beat(number))]
        if not once:
            background.append(asyncio.ensure_future(self._listen()))
        try:
            while await self._take_one(number, once=once) or not once:
                pass
        finally:
            if self._at_work:
                await asyncio.wait(self._at_work)
            await cancel_and_wait(background)
            with suppress(ConnectorException):  # its heartbeat will expire
                await self._queue.unregister(number)

    async def _take_one(self, number: int, *, once: bool) -> bool:
        """Claim a job once a slot is free; return whether one was waiting."""
        await self._free.acquire()
        self._new.clear()
        taken, wait = None, _POLL_INTERVAL
        try:
            await self._requeue_forgotten(number)
            taken = await self._claim(number)
        except ConnectorException:
            self._unsure, wait = True, RETRY_DELAY
            task = asyncio.current_task()
            if once or (task and task.cancelling()):  # it may have replaced the cancellation
                raise
        finally:
            if taken is None:
                self._free.release()
        if taken is None and not once:
            with suppress(TimeoutError):  # `wait_for` of Python 3.11 may lose a cancellation
                async with asyncio.timeout(wait):
                    await self._new.wait()
        return taken is not None

    async def _requeue_forgotten(self, number: int) -> None:
        if self._unsure:
            await self._queue.put_forgotten(number, list(self._at_work.values()))
            self._unsure = False

    async def _claim(self, number: int) -> Taken | None:
        """Claim and begin the next job, if one is waiting."""
        claim = asyncio.ensure_future(self._queue.take(self._name, number))
        try:
            taken = await asyncio.shield(claim)
        except asyncio.CancelledError:  # a job may have been claimed already
            with suppress(ConnectorException):
                self._begin(await claim)
            raise
        self._begin(taken)
        return taken

    def _begin(self, taken: Taken | None) -> None:
        if taken is not None:
            task = asyncio.ensure_future(self._run_and_end(taken))
            self._at_work[task] = taken.number
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._at_work[task]
        self._free.release()

    async def _run_and_end(self, taken: Taken) -> None:
        is_over = True
        try:
            await self._run(taken.account, taken.job)
        except NotPutBackError:
            is_over = False
        finally:
            if is_over:
                await self._end(taken.number)

    async def _end(self, number: int) -> None:
        try:
            await self._queue.end(number)
        except ConnectorException:
            self._unsure = True

    async def _beat(self, number: int) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            with suppress(ConnectorException):
                await self._queue.beat(number)

    async def _listen(self) -> None:
        while True:
            with suppress(ConnectorException):
                await self._queue.listen(self._name, self._new.set)
            await asyncio.sleep(RETRY_DELAY)
