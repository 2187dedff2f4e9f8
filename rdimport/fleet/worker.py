"""A worker: jobs of many accounts at the same time, those of one account one after the other."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from procrastinate.exceptions import ConnectorException

from rdimport.core.errors import ExitCode, LedgerError
from rdimport.core.names import fold
from rdimport.core.stop import StopReason
from rdimport.delivery.stopping import StopRequest, on_signal, stop_signals
from rdimport.fleet.following import After, JobEnd, Next, following
from rdimport.fleet.queue import SILENT, Due, Queue
from rdimport.fleet.schedule import last_tick
from rdimport.fleet.sharing import Load, free_slots, to_give, to_move
from rdimport.fleet.starting import Place, Starts
from rdimport.fleet.taking import UNTIL_TRIED_AGAIN, Taker, ended
from rdimport.ledger import fleet_of

_BETWEEN_LOOKS: Final = 1.0
_HEARD: Final = 5.0
"""Seconds without a sign of life after which a worker is given nothing: it may be dead."""

_WHILE_PAUSED: Final = timedelta(minutes=1)
_LOOP: Final = asyncio.SelectorEventLoop if sys.platform == "win32" else None
"""On Windows not its usual one, with which psycopg does not work."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ScheduledJob(NamedTuple):
    """A job of the settings: whose, when it is due, if that is for workers to see to, and whether
    it may go from one worker to another, which would begin its `max_duration` anew.
    """

    job: str
    account: str
    every: str | None
    moves: bool = True


@dataclass
class _Running:
    """A job that was taken from the queue: whose, and whether its run has begun, and ended."""

    account: str
    stop: StopRequest
    ended: asyncio.Event
    begun: bool = False


class Worker:
    """Takes jobs from the queue until it is stopped. `run_job` does one, in a thread, and stops
    in order when its request says so; `on_end` is called with what follows each end, `on_stranger`
    with a job that is not among the plans, `on_trouble` when the database is away.
    """

    def __init__(
        self,
        url: str,
        slots: int,
        plans: Sequence[ScheduledJob],
        run_job: Callable[[str, StopRequest, Place], JobEnd],
        *,
        on_end: Callable[[str, After], None],
        on_stranger: Callable[[str], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self._url, self._slots, self._run_job, self._on_end = url, slots, run_job, on_end
        self._on_stranger, self._on_trouble = on_stranger, on_trouble
        self._strangers: set[str] = set()
        self._plans = {plan.job: plan for plan in plans}
        self._running: dict[str, _Running] = {}
        self._given: dict[str, str] = {}
        """Jobs that go to another worker: to which."""
        self._too_many: list[str] = []
        self._paused: frozenset[str] = frozenset()
        self._ending = asyncio.Event()
        self._fleet = fleet_of(url)
        self._queue = Queue(url, self._put_in_due)
        self._taker = Taker(self._queue, self.name, slots, self._one)
        self._starts = Starts()
        self._pool = ThreadPoolExecutor(slots, "job")
        self._desk = ThreadPoolExecutor(1, "fleet")

    def run(self, *, once: bool) -> None:
        """Work until a signal or `fleet drain`; `once`: until no job waits that could be run."""
        talker = logging.getLogger("procrastinate")  # it tells each failed try, with its stack
        talker.addHandler(logging.NullHandler())
        talker.propagate = False
        fleet, runner = self._fleet, asyncio.Runner(loop_factory=_LOOP)
        with fleet, self._pool, self._desk, runner:
            runner.run(self._work(once=once))

    async def _work(self, *, once: bool) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_unless_taken_over)
        for number in stop_signals():
            on_signal(loop, number, self._asked)
        async with self._queue.opened():
            if not await self._queue.fits():
                raise self._fleet.no_queue()
            await self._at_desk(self._fleet.forget_dead)
            await self._at_desk(self._fleet.leave, self.name)  # orders to a dead one of its name
            await self._look()
            await self._put_in_due(datetime.now(UTC))
            doing = [asyncio.ensure_future(self._take(once=once))]
            beside = [asyncio.ensure_future(self._watch())]
            if not once:
                keeping = self._again_and_again(partial(self._queue.keep_time, self.name))
                beside.append(asyncio.ensure_future(keeping))
            asked = asyncio.ensure_future(self._ending.wait())
            await asyncio.wait([*doing, *beside, asked], return_when=asyncio.FIRST_COMPLETED)
            if any(one.done() for one in beside):  # by a bug: others would take it for dead
                self._drain()
            asked.cancel()
            doing[0].cancel()  # takes no more, and waits for those at work
            await asyncio.wait(doing)
            await ended(beside)
            with suppress(LedgerError):
                await self._at_desk(self._fleet.leave, self.name)
            for one in (*beside, *doing):
                if not one.cancelled():
                    one.result()

    def _asked(self) -> None:
        if self._ending.is_set():
            os._exit(ExitCode.STOPPED)
        self._drain()

    def _drain(self) -> None:
        self._ending.set()
        for its in self._running.values():
            its.stop.stop(StopReason.SIGNAL)

    async def _take(self, *, once: bool) -> None:
        if not once:
            await self._again_and_again(partial(self._taker.take, once=False))
        while not self._ending.is_set():
            await self._taker.take(once=True)
            content, now = await self._queue.content(), datetime.now(UTC)
            busy = {one.account for one in content if one.at_work}
            if all(one.account in busy or (one.at and one.at > now) for one in content):
                return

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        """The database may go away, and come back."""
        while not self._ending.is_set():
            with suppress(ConnectorException):
                await work()
            await asyncio.sleep(UNTIL_TRIED_AGAIN)

    async def _watch(self) -> None:
        away, fleet, back = False, self._fleet, -math.inf
        while True:
            await asyncio.sleep(_BETWEEN_LOOKS)
            try:
                await self._look()
                await self._at_desk(self._fleet.take_for_dead)
                loads = await self._loads()
                if time.monotonic() > back + SILENT:  # after an outage, all have been silent
                    await self._queue.sweep(free_slots(loads))
                await self._share(loads)
            except (LedgerError, ConnectorException) as error:
                if not away:
                    told = error if isinstance(error, LedgerError) else fleet.queue_error(error)
                    self._on_trouble(str(told))
                away, back = True, time.monotonic()
            else:
                away = False

    async def _look(self) -> None:
        """Tell that this worker lives, and follow its orders."""
        orders = await self._at_desk(
            self._fleet.beat, self.name, self._slots, sorted(self._running), self._taker.number
        )
        self._paused = orders.paused
        for its in self._running.values():
            if fold(its.account) in self._paused:
                its.stop.stop(StopReason.SIGNAL)
        if orders.drain:
            self._drain()

    async def _loads(self) -> list[Load]:
        """The workers that take jobs, as far as is known at this moment."""
        found = await self._at_desk(self._fleet.workers)
        heard = [one for one in found if not one.gone and one.seconds < _HEARD]
        taking = {one.name for one in heard if not one.drains}
        ending = {self.name} if self._ending.is_set() else set()
        return await self._queue.loads(sorted(taking - ending))

    async def _share(self, loads: Sequence[Load]) -> None:
        """Give accounts to workers that have less than their share, once that was seen twice."""
        await self._queue.free([one.name for one in loads if one.jobs <= one.slots])
        mine = Load(self.name, len(self._running), self._slots)
        wanting = to_give(mine, [one for one in loads if one.name != self.name])
        before, self._too_many = self._too_many, wanting
        if self._given or self._ending.is_set() or not before:
            return
        moving = [job for job in reversed(self._running) if self._plans[job].moves]
        waiting = [job for job in moving if not self._running[job].begun]
        sending = [job for job in moving if self._running[job].begun]
        self._given = to_move(waiting, sending, wanting)
        for job in self._given:
            self._running[job].stop.stop(StopReason.SIGNAL)

    async def _put_in_due(self, _minute: datetime) -> None:
        now, due = datetime.now(UTC), []
        for job, account, every, _moves in self._plans.values():
            tick = last_tick(every, now) if every else None
            if tick is not None and fold(account) not in self._paused:
                due.append(Due(job, account, tick))
        await self._queue.put_due(due)

    async def _one(self, account: str, job: str) -> None:
        """Run a job that was taken from the queue, and see to what follows."""
        plan = self._plans.get(job)
        if plan is None and job not in self._strangers:
            self._strangers.add(job)
            self._on_stranger(job)
        account = plan.account if plan else account  # it may have been renamed
        if fold(account) in self._paused:  # somebody may have said otherwise since the last look
            with suppress(LedgerError):
                await self._look()
        now = datetime.now(UTC)
        if plan is None or self._ending.is_set() or fold(account) in self._paused:
            later = None if self._ending.is_set() else now + _WHILE_PAUSED
            await self._put_back(account, job, later)
            return
        if job in self._running:  # another worker took this one for dead, and put it in anew
            await self._running[job].ended.wait()
            return
        its = self._running[job] = _Running(account, StopRequest(), asyncio.Event())
        try:
            end = await self._run(job, its)
        finally:
            del self._running[job]
            to = self._given.pop(job, None)
            its.ended.set()
        now = datetime.now(UTC)
        after = following(end, now, taken_away=its.stop.is_set())
        if after.next is Next.REST:
            with suppress(LedgerError):  # the ledger itself refuses the next run, too
                await self._at_desk(self._fleet.pause, account, str(end.error))
            await self._put_back(account, job, now + _WHILE_PAUSED)
        if after.next is Next.AGAIN:
            paused = fold(account) in self._paused
            at = now + _WHILE_PAUSED if paused else after.at
            await self._put_back(account, job, at if at and at > now else None, to)
        self._on_end(job, after)

    async def _run(self, job: str, its: _Running) -> JobEnd:
        """Run a job once it has a place. If it is to stop before, others may have it at once."""
        async with self._starts.one(its.stop) as place:
            if place is None:
                return JobEnd(ExitCode.STOPPED, StopReason.SIGNAL)
            its.begun = True
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._run_job, job, its.stop, place)

    async def _put_back(
        self, account: str, job: str, at: datetime | None, to: str | None = None
    ) -> None:
        """Put a job in once more, as soon as the database answers."""
        while True:
            try:
                await self._queue.put(account, job, at, to)
            except ConnectorException:
                await asyncio.sleep(UNTIL_TRIED_AGAIN)
            else:
                return

    async def _at_desk(self, do: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """Ask the ledger, apart from what the queue does meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._desk, lambda: do(*args, **named))


def _unless_taken_over(loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
    """Ignore that a job taken over by another worker cannot be ended here."""
    if not isinstance(what.get("exception"), ConnectorException):
        loop.default_exception_handler(what)
