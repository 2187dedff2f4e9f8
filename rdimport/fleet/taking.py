"""Takes jobs from the queue, and runs some of them at the same time.

The library of the queue has a worker for this. It stops when the database is away for a moment, and
takes nothing more until all that it was at has ended, which may be hours later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from procrastinate.exceptions import ConnectorException

from rdimport.fleet.queue import BEAT, Queue, Taken

_BETWEEN_LOOKS: Final = 2.0
"""Seconds after which a job is found that no notification told of."""

_UNTIL_CANCELLED: Final = 1.0

UNTIL_TRIED_AGAIN: Final = 3.0
"""Seconds until the database is asked again after it was away."""


async def ended(tasks: Iterable[asyncio.Future[None]]) -> None:
    """Cancel some tasks, and wait for them. An error of the database takes the place of a
    cancellation at times: then it is repeated.
    """
    left = set(tasks)
    while left:
        for one in left:
            one.cancel()
        _done, left = await asyncio.wait(left, timeout=_UNTIL_CANCELLED)


class Taker:
    """Takes jobs for a worker, at most `slots` at a time; `run` does one of them."""

    def __init__(
        self, queue: Queue, name: str, slots: int, run: Callable[[str, str], Awaitable[None]]
    ) -> None:
        self._queue, self._name, self._run = queue, name, run
        self._free = asyncio.Semaphore(slots)
        self._at_work: dict[asyncio.Task[None], int] = {}
        self._new = asyncio.Event()
        self._unsure = False
        """Whether the queue may hold jobs for taken here that are not."""
        self.number: int | None = None
        """The queue's number for this worker, once it has one."""

    async def take(self, *, once: bool) -> None:
        """Take jobs until cancelled; `once`: until none waits. Then wait for those at work.

        Raises ConnectorException if the database is away, unless jobs are being taken for good.
        """
        number = self.number = await self._queue.register()
        beside = [asyncio.ensure_future(self._beat(number))]
        if not once:
            beside.append(asyncio.ensure_future(self._listen()))
        try:
            while await self._one_more(number, once=once) or not once:
                pass
        finally:
            if self._at_work:
                await asyncio.wait(self._at_work)
            await ended(beside)
            with suppress(ConnectorException):  # it counts as dead soon
                await self._queue.unregister(number)

    async def _one_more(self, number: int, *, once: bool) -> bool:
        """Begin a job once there is a slot; returns whether one was waiting."""
        await self._free.acquire()
        self._new.clear()
        taken, wait = None, _BETWEEN_LOOKS
        try:
            await self._see_forgotten(number)
            taken = await self._taken(number)
        except ConnectorException:
            self._unsure, wait = True, UNTIL_TRIED_AGAIN
            task = asyncio.current_task()
            if once or (task and task.cancelling()):  # it may have taken the cancellation's place
                raise
        finally:
            if taken is None:
                self._free.release()
        if taken is None and not once:
            with suppress(TimeoutError):  # `wait_for` of Python 3.11 may lose a cancellation
                async with asyncio.timeout(wait):
                    await self._new.wait()
        return taken is not None

    async def _see_forgotten(self, number: int) -> None:
        if self._unsure:
            await self._queue.put_forgotten(number, list(self._at_work.values()))
            self._unsure = False

    async def _taken(self, number: int) -> Taken | None:
        """Begin the next job, if one is waiting."""
        asked = asyncio.ensure_future(self._queue.take(self._name, number))
        try:
            taken = await asyncio.shield(asked)
        except asyncio.CancelledError:  # it may have been taken already
            with suppress(ConnectorException):
                self._begin(await asked)
            raise
        self._begin(taken)
        return taken

    def _begin(self, taken: Taken | None) -> None:
        if taken is not None:
            task = asyncio.ensure_future(self._whole(taken))
            self._at_work[task] = taken.number
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._at_work[task]
        self._free.release()

    async def _whole(self, taken: Taken) -> None:
        try:
            await self._run(taken.account, taken.job)
        finally:
            try:
                await self._queue.end(taken.number)
            except ConnectorException:
                self._unsure = True

    async def _beat(self, number: int) -> None:
        while True:
            await asyncio.sleep(BEAT)
            with suppress(ConnectorException):
                await self._queue.beat(number)

    async def _listen(self) -> None:
        while True:
            with suppress(ConnectorException):
                await self._queue.listen(self._name, self._new.set)
            await asyncio.sleep(UNTIL_TRIED_AGAIN)
