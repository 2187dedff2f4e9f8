"""A worker: jobs of many accounts in parallel, those of one account one after the other."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
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
from rdimport.fleet.queue import EVENT_LOOP, HEARTBEAT_TIMEOUT, Due, Queue
from rdimport.fleet.schedule import last_tick
from rdimport.fleet.sharing import Load, free_slots, to_give, to_move
from rdimport.fleet.starting import Place, Starts
from rdimport.fleet.taking import RETRY_DELAY, NotPutBackError, Taker, cancel_and_wait
from rdimport.ledger import fleet_of

_POLL_INTERVAL: Final = 1.0
_FRESH_HEARTBEAT: Final = 5.0
"""A worker without a heartbeat for this many seconds is given no jobs: it may be dead."""

_WHILE_PAUSED: Final = timedelta(minutes=1)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class ScheduledJob(NamedTuple):
    """A job of the settings: its account, its schedule if workers enqueue it, and whether it may
    move to another worker, which would restart its `max_duration`.
    """

    job: str
    account: str
    every: str | None
    moves: bool = True


@dataclass
class _Running:
    """A job that was claimed: its account, and whether its run has begun and ended."""

    account: str
    stop: StopRequest
    ended: asyncio.Event
    begun: bool = False


class Worker:
    """Claims jobs until it is stopped. `run_job` runs one in a thread, and stops in order when
    its stop request is set. `on_end` is called with what follows each end, `on_stranger` with a job
    that is not in the settings, `on_trouble` when the database is unreachable.
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
        """Jobs that move to another worker, and to which."""
        self._last_receivers: list[str] = []
        self._paused: frozenset[str] = frozenset()
        self._ending = asyncio.Event()
        self._fleet = fleet_of(url)
        self._queue = Queue(url, self._put_in_due)
        self._taker = Taker(self._queue, self.name, slots, self._run_claimed)
        self._starts = Starts()
        self._pool = ThreadPoolExecutor(slots, "job")
        self._ledger_thread = ThreadPoolExecutor(1, "fleet")

    def run(self, *, once: bool) -> None:
        """Work until a signal or `fleet drain`; with `once`, until no runnable job waits."""
        queue_logger = logging.getLogger("procrastinate")  # logs each failed attempt with its stack
        queue_logger.addHandler(logging.NullHandler())
        queue_logger.propagate = False
        fleet, runner = self._fleet, asyncio.Runner(loop_factory=EVENT_LOOP)
        with fleet, self._pool, self._ledger_thread, runner:
            runner.run(self._work(once=once))

    async def _work(self, *, once: bool) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_unless_taken_over)
        for number in stop_signals():
            on_signal(loop, number, self._on_stop_signal)
        async with self._queue.opened():
            if not await self._queue.fits():
                raise self._fleet.no_queue()
            await self._ask_ledger(self._fleet.forget_dead)
            await self._ask_ledger(self._fleet.leave, self.name)  # drops old orders
            await self._heartbeat()
            await self._put_in_due(datetime.now(UTC))
            claiming = [asyncio.ensure_future(self._take(once=once))]
            background = [asyncio.ensure_future(self._watch())]
            if not once:
                keeping = self._retrying(partial(self._queue.keep_time, self.name))
                background.append(asyncio.ensure_future(keeping))
            stopping = asyncio.ensure_future(self._ending.wait())
            await asyncio.wait(
                [*claiming, *background, stopping], return_when=asyncio.FIRST_COMPLETED
            )
            if any(one.done() for one in background):  # a bug: others see no heartbeats
                self._drain()
            stopping.cancel()
            claiming[0].cancel()  # claims no more, and waits for the running jobs
            await asyncio.wait(claiming)
            await cancel_and_wait(background)
            with suppress(LedgerError):
                await self._ask_ledger(self._fleet.leave, self.name)
            for one in (*background, *claiming):
                if not one.cancelled():
                    one.result()

    def _on_stop_signal(self) -> None:
        if self._ending.is_set():
            os._exit(ExitCode.STOPPED)
        self._drain()

    def _drain(self) -> None:
        self._ending.set()
        for running in self._running.values():
            running.stop.stop(StopReason.SIGNAL)

    async def _take(self, *, once: bool) -> None:
        if not once:
            await self._retrying(partial(self._taker.take, once=False))
        while not self._ending.is_set():
            await self._taker.take(once=True)
            content, now = await self._queue.content(), datetime.now(UTC)
            busy = {one.account for one in content if one.at_work}
            if all(one.account in busy or (one.at and one.at > now) for one in content):
                return

    async def _retrying(self, work: Callable[[], Awaitable[None]]) -> None:
        """Call `work` again after each outage of the database."""
        while not self._ending.is_set():
            with suppress(ConnectorException):
                await work()
            await asyncio.sleep(RETRY_DELAY)

    async def _watch(self) -> None:
        away, fleet, back = False, self._fleet, -math.inf
        while True:
            await asyncio.sleep(_POLL_INTERVAL)
            try:
                await self._heartbeat()
                await self._ask_ledger(self._fleet.take_for_dead)
                loads = await self._loads()
                if time.monotonic() > back + HEARTBEAT_TIMEOUT:  # an outage stops all heartbeats
                    await self._queue.sweep(free_slots(loads))
                await self._share(loads)
            except (LedgerError, ConnectorException) as error:
                if not away:
                    trouble = error if isinstance(error, LedgerError) else fleet.queue_error(error)
                    self._on_trouble(str(trouble))
                away, back = True, time.monotonic()
            else:
                away = False

    async def _heartbeat(self) -> None:
        """Record the heartbeat of this worker, and follow its orders."""
        orders = await self._ask_ledger(
            self._fleet.beat, self.name, self._slots, sorted(self._running), self._taker.number
        )
        self._paused = orders.paused
        for running in self._running.values():
            if fold(running.account) in self._paused:
                running.stop.stop(StopReason.SIGNAL)
        if orders.drain:
            self._drain()

    async def _loads(self) -> list[Load]:
        """The loads of the workers that claim jobs, as far as is known now."""
        states = await self._ask_ledger(self._fleet.workers)
        alive = [one for one in states if not one.gone and one.seconds < _FRESH_HEARTBEAT]
        taking = {one.name for one in alive if not one.drains}
        ending = {self.name} if self._ending.is_set() else set()
        return await self._queue.loads(sorted(taking - ending))

    async def _share(self, loads: Sequence[Load]) -> None:
        """Move accounts to workers below their share, if two polls in a row agree."""
        await self._queue.free([one.name for one in loads if one.jobs <= one.slots])
        mine = Load(self.name, len(self._running), self._slots)
        receivers = to_give(mine, [one for one in loads if one.name != self.name])
        before, self._last_receivers = self._last_receivers, receivers
        if self._given or self._ending.is_set() or not before:
            return
        moving = [job for job in reversed(self._running) if self._plans[job].moves]
        waiting = [job for job in moving if not self._running[job].begun]
        sending = [job for job in moving if self._running[job].begun]
        self._given = to_move(waiting, sending, receivers)
        for job in self._given:
            self._running[job].stop.stop(StopReason.SIGNAL)

    async def _put_in_due(self, _minute: datetime) -> None:
        now, due = datetime.now(UTC), []
        for job, account, every, _moves in self._plans.values():
            tick = last_tick(every, now) if every else None
            if tick is not None and fold(account) not in self._paused:
                due.append(Due(job, account, tick))
        await self._queue.put_due(due)

    async def _run_claimed(self, account: str, job: str) -> None:
        """Run a job that was claimed, and do what follows."""
        plan = self._plans.get(job)
        named = job
        if plan and not await self._is_of(plan.account, account):
            plan, named = None, f"{job} ({account})"  # another client's job of the same name
        if plan is None and named not in self._strangers:
            self._strangers.add(named)
            self._on_stranger(named)
        account = plan.account if plan else account  # the account may have been renamed
        if fold(account) in self._paused:  # it may have been resumed since the last poll
            with suppress(LedgerError):
                await self._heartbeat()
        now = datetime.now(UTC)
        if plan is None or self._ending.is_set() or fold(account) in self._paused:
            later = None if self._ending.is_set() else now + _WHILE_PAUSED
            await self._put_back(account, job, later)
            return
        if job in self._running:  # another worker declared this one dead and enqueued the job again
            await self._running[job].ended.wait()
            return
        running = self._running[job] = _Running(account, StopRequest(), asyncio.Event())
        try:
            end = await self._run(job, running)
        finally:
            del self._running[job]
            to = self._given.pop(job, None)
            running.ended.set()
        now = datetime.now(UTC)
        after = following(end, now, taken_away=running.stop.is_set())
        if after.next is Next.REST:
            with suppress(LedgerError):  # the ledger itself also refuses the next run
                await self._ask_ledger(self._fleet.pause, account, str(end.error))
            await self._put_back(account, job, now + _WHILE_PAUSED)
        if after.next is Next.AGAIN:
            paused = fold(account) in self._paused
            at = now + _WHILE_PAUSED if paused else after.at
            await self._put_back(account, job, at if at and at > now else None, to)
        self._on_end(job, after)

    async def _is_of(self, account: str, named: str) -> bool:
        """Whether an account has a name, or had it when the job was enqueued."""
        if fold(account) == fold(named):
            return True
        with suppress(LedgerError):
            return fold(account) in await self._ask_ledger(self._fleet.now_called, named)
        return False

    async def _run(self, job: str, running: _Running) -> JobEnd:
        """Run a job once it has a place. One that is stopped before goes back to the queue."""
        async with self._starts.one(running.stop) as place:
            if place is None:
                return JobEnd(ExitCode.STOPPED, StopReason.SIGNAL)
            running.begun = True
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._run_job, job, running.stop, place)

    async def _put_back(
        self, account: str, job: str, at: datetime | None, to: str | None = None
    ) -> None:
        """Enqueue a job again, as soon as the database responds. Raises NotPutBackError if this
        worker is to end and it does not.
        """
        while True:
            try:
                await self._queue.put(account, job, at, to)
            except ConnectorException as error:
                if self._ending.is_set():
                    raise NotPutBackError from error
                await asyncio.sleep(RETRY_DELAY)
            else:
                return

    async def _ask_ledger(self, do: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """Call the ledger in a thread of its own, apart from the queue."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._ledger_thread, lambda: do(*args, **named))


def _unless_taken_over(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignore the error of ending a job that another worker has taken over."""
    if not isinstance(context.get("exception"), ConnectorException):
        loop.default_exception_handler(context)
