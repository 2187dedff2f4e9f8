"""Sends the rows of a plan: the only concurrency, and the order in which things become known.

One dispatcher takes rows, several at a time; what becomes of each is worked out where its answer
arrives, without a task of its own. The order is what the promise rests on: a free place, a slot of
the quota, the durable note that the row is on its way, the request, the note of its end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

from rdimport.core.clock import Clock
from rdimport.core.errors import LedgerError
from rdimport.core.events import Observer, Stopping, Waiting
from rdimport.core.row import DROPPED, Problem, State
from rdimport.core.stop import StopReason
from rdimport.delivery.circuit_breaker import CircuitBreaker
from rdimport.delivery.concurrency_limit import Concurrency
from rdimport.delivery.in_flight import SETTLED, STATES, InFlightRequest, problems_found, unanswered
from rdimport.delivery.pacing.pacer import RateLimiter
from rdimport.delivery.transport import NotAnswered, Reply, Transport
from rdimport.destination import Answer, Destination
from rdimport.destination.verdict import Action, Evidence, judge
from rdimport.ledger import Counters, Outcome, PendingRow, RowResult, Run, problems_of
from rdimport.ledger.group_commit import Journal

LONGEST_WAIT: Final = 3600.0
"""Seconds for which an endpoint's word is taken; a larger number is taken for a slip."""

LEAD_PERIOD: Final = 86_400.0
"""Seconds after which one lead has its share again (page `limite-de-requisicoes-da-api`)."""

WORTH_WAITING: Final = 60.0
"""Seconds that a run stays for rows that were set aside, when nothing else is left to send."""

COMPANY: Final = 0.002
"""Seconds that a free place waits for others, so that one durable note serves many rows."""

NONE: Final[frozenset[tuple[str, str]]] = frozenset()

GRACE: Final = 10.0
"""Seconds that rows in flight have to come to an end once the run stops."""


class Trace(Protocol):
    """Where in the input a problem of a field comes from."""

    def __call__(self, problem: Problem, file: int, cells: Sequence[str | None]) -> Problem:
        """The problem with its source column and value."""


class Chance(Protocol):
    """What jitter needs of `random.Random`."""

    def random(self) -> float:
        """A number from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Bounds of a run: requests open at once, seconds for which the endpoint may be down, rows to
    send and seconds to spend (None: all of them, as long as it takes), seconds for one answer; with
    `canary` the rows are a trial.
    """

    concurrency: int = 64
    patience: float = 120.0
    limit: int | None = None
    max_seconds: float | None = None
    timeout: float = 60.0
    canary: bool = False


class Delivery:
    """One run's sending. `stop` may be called at any time from the same event loop."""

    def __init__(
        self,
        *,
        destination: Destination,
        transport: Transport,
        run: Run,
        trace: Trace,
        pace: RateLimiter,
        settings: Settings,
        clock: Clock,
        chance: Chance,
        observer: Observer,
    ) -> None:
        self._destination = destination
        self._transport = transport
        self._trace = trace
        self._pace = pace
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._observer = observer
        self._circuit = CircuitBreaker(settings.patience)
        self._concurrency = Concurrency(settings.concurrency)
        self._journal = Journal(run, self._counters, self._halt)
        self._again: deque[PendingRow] = deque()
        self._open: set[InFlightRequest] = set()
        self._changed = asyncio.Event()
        self._enough = 0
        """So many rows open, or fewer, are what the dispatcher waits for."""
        self._stopping = asyncio.Event()
        self._started = clock.monotonic()
        self._requests = self._retries = self._throttled = self._taken = self._setbacks = 0
        self.stopped: StopReason | None = None
        self.stopped_by = ""
        """What was said by the answer that stopped the run, if one did."""
        self._tried: set[bytes] = set()
        self._set_aside: set[bytes] = set()
        self._order = count()  # of rows that are due at the same moment the earlier one goes first
        self._parked: list[tuple[float, int, PendingRow]] = []
        self._broken: BaseException | None = None

    def stop(self, reason: StopReason) -> None:
        """Take no new rows; the first reason is the one that counts."""
        if self.stopped is None:
            self.stopped = reason
            self._halt()
            if self._open:
                self._observer(Stopping(len(self._open)))

    def _halt(self) -> None:
        """End every wait: no row leaves from here on."""
        self._stopping.set()
        self._changed.set()

    async def deliver(self, pending_rows: Iterator[PendingRow]) -> None:
        """Send all of them, or as many as can be. Raises LedgerError when one cannot be noted;
        nothing is sent after that.
        """
        self._started = self._clock.monotonic()
        self._journal.start()
        watch = asyncio.create_task(self._watch())
        try:
            await self._dispatch(pending_rows)
        finally:
            watch.cancel()
            try:
                await self._land()
            finally:
                await self._journal.close()
        if self._broken is not None:
            raise self._broken
        if self.stopped is None and self._parked:
            self.stop(StopReason.LEAD_QUOTA)

    @property
    def parked_for(self) -> float | None:
        """Seconds until the first of the rows that were set aside may go; None without any."""
        if not self._parked:
            return None
        return max(0.0, self._parked[0][0] - self._clock.monotonic())

    async def _watch(self) -> None:
        if self._settings.max_seconds is not None:
            await self._clock.sleep(self._settings.max_seconds)
            self.stop(StopReason.MAX_DURATION)

    async def _dispatch(self, pending_rows: Iterator[PendingRow]) -> None:
        while not self._stopping.is_set():
            batch = await self._due(pending_rows, await self._room())
            if batch:
                await self._begin(batch)
                crowded = len(self._open) + len(batch) >= self._concurrency.places
                for pending in batch:
                    self._launch(pending, crowded=crowded)
            elif self._open:
                await self._change(len(self._open) - 1)
            elif (wait := self.parked_for) is not None and wait <= WORTH_WAITING:
                await self._pause(wait)
            elif not self._again:
                self._ask_for_more(pending_rows)
                return

    async def _room(self) -> int:
        """The number of free places: none when the run stops, else one at least and, where rows
        come back quickly, half of all.
        """
        waited = False
        while not self._stopping.is_set():
            # in trouble one row at a time tries whether it is over
            places = 1 if self._setbacks else self._concurrency.places
            free = places - len(self._open)
            if free > 0 and (waited or 2 * free >= places):  # places shrink meanwhile
                return free
            await self._change(places - 1)
            if not self._stopping.is_set():
                await self._change(places // 2, COMPANY)
            waited = len(self._open) < places
        return 0

    async def _due(self, pending_rows: Iterator[PendingRow], free: int) -> list[PendingRow]:
        """Rows whose slot has come: at least one when there is any, at most `free`."""
        batch: list[PendingRow] = []
        while len(batch) < free and (pending := self._take(pending_rows)) is not None:
            while (wait := self._pace.wait(now := self._clock.monotonic())) > 0 and not batch:
                await self._pause(wait)
                if self._stopping.is_set():
                    break
            if wait > 0 or self._stopping.is_set():
                self._again.appendleft(pending)
                break
            self._pace.take(now)
            batch.append(pending)
        return batch

    def _take(self, pending_rows: Iterator[PendingRow]) -> PendingRow | None:
        if self._again:
            return self._again.popleft()
        if self._parked and self._parked[0][0] <= self._clock.monotonic():
            return heappop(self._parked)[2]
        limit = self._settings.limit
        if limit is not None and self._taken >= limit:
            return None
        pending = next(pending_rows, None)
        self._taken += pending is not None
        return pending

    def _ask_for_more(self, pending_rows: Iterator[PendingRow]) -> None:
        """All that may be sent has come to its end: say so, if there would be more."""
        if self._settings.limit is not None and next(pending_rows, None) is not None:
            self.stop(StopReason.CANARY if self._settings.canary else StopReason.LIMIT)

    async def _begin(self, batch: Sequence[PendingRow]) -> None:
        """Note that rows are on their way; who is cancelled meanwhile takes the notes back."""
        noted = asyncio.ensure_future(self._journal.begin([p.outgoing for p in batch]))
        try:
            await asyncio.shield(noted)
        except asyncio.CancelledError:
            with suppress(LedgerError):
                await noted
                for pending in batch:
                    self._journal.end(pending.outgoing)
            raise

    async def _change(self, enough: int, within: float | None = None) -> None:
        """Wait until so many rows are open at most, or the run stops, or the time is over."""
        self._enough = enough
        self._changed.clear()
        if len(self._open) <= enough or self._stopping.is_set():
            return
        late = None
        if within is not None:
            late = asyncio.get_running_loop().call_later(within, self._changed.set)
        await self._changed.wait()
        if late is not None:
            late.cancel()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not past the moment in which the run stops."""
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((sleep, stop), return_when=asyncio.FIRST_COMPLETED)
        sleep.cancel()
        stop.cancel()

    def _launch(self, pending: PendingRow, *, crowded: bool) -> None:
        row = pending.outgoing
        if self._stopping.is_set():  # while it was noted
            self._journal.end(row)
            return
        self._requests += 1
        if row.identity in self._tried:
            self._tried.discard(row.identity)
            self._retries += 1
        flight = InFlightRequest(
            pending, self._clock.monotonic(), self._requests - 1, crowded, self._landed
        )
        self._open.add(flight)
        try:
            self._transport.start(self._destination.build(row.payload), flight)
        except Exception as error:  # noqa: BLE001  it is judged like one that comes later
            self._landed(flight, error)

    def _landed(self, flight: InFlightRequest, end: Reply | Exception) -> None:
        if flight not in self._open:
            return
        self._open.discard(flight)
        try:
            self._settle(flight, end)
        except Exception as error:  # noqa: BLE001  raised again by `deliver`
            # a bug: the ledger still has the row as on its way, and nothing more may be sent
            self._broken = error
            self._halt()
        if len(self._open) <= self._enough:
            self._changed.set()

    async def _land(self) -> None:
        """Let the rows in flight come to an end; what does not in time may have arrived."""
        if not self._open:
            return
        self._enough = 0
        late = asyncio.ensure_future(self._clock.sleep(GRACE))
        while self._open and not late.done():
            self._changed.clear()
            landed = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait((late, landed), return_when=asyncio.FIRST_COMPLETED)
            landed.cancel()
        late.cancel()
        for flight in list(self._open):
            self._transport.abandon(flight)
            self._landed(flight, NotAnswered("net.stopped"))

    def _settle(self, flight: InFlightRequest, end: Reply | Exception) -> None:
        """What the end of a flight means, for the row and for the run."""
        now = self._clock.monotonic()
        if isinstance(end, Reply):
            self._concurrency.answered(now - flight.left, all_used=flight.crowded)
            answer = self._destination.read(end.status, end.headers, end.body)
        else:
            answer = unanswered(end, self._destination.without_key)
        action = judge(answer.evidence).action
        if answer.limits is not None:
            counted = answer.evidence is not Evidence.ACCOUNT_QUOTA
            self._pace.learn(now, answer.limits, len(self._open), counted=counted)
        self._note(flight.pending, answer, action)
        reasons = frozenset((p.code, p.field) for p in answer.problems) if answer.problems else NONE
        stop = self._circuit.saw(answer.evidence, reasons, now, flight.number)
        if stop is not None:
            self.stopped_by = self.stopped_by or "; ".join(p.detail for p in answer.problems)
            self.stop(stop)

    def _note(self, pending: PendingRow, answer: Answer, action: Action) -> None:
        """Write down what became of the row, and put it back in line where that is safe."""
        row = pending.outgoing
        state = STATES.get(action)
        if state is not None:
            suspect = problems_of(pending.warnings) if pending.warnings else ()
            if state is State.ACCEPTED:
                suspect = tuple([one for one in suspect if one.code == DROPPED])
            cells = pending.cells if suspect or state is not State.ACCEPTED else ()
            found = tuple([self._trace(p, row.file, cells) for p in problems_found(answer, state)])
            end = Outcome(row.file, row.row, state, found, cells, warnings=suspect)
            self._journal.end(RowResult(row, end, answer.receipt))
            self._observer(SETTLED[state])
        else:
            self._journal.end(row)
        if action is Action.RETRY:
            self._tried.add(pending.outgoing.identity)
            self._hold(answer)
            self._again.append(pending)
        elif action is Action.PARK:
            self._throttled += 1
            wait = LEAD_PERIOD if answer.wait is None else min(answer.wait, LEAD_PERIOD)
            if pending.outgoing.identity in self._set_aside:
                wait = max(wait, 2 * WORTH_WAITING)  # the reset it announced was too early
            self._set_aside.add(pending.outgoing.identity)
            due = self._clock.monotonic() + wait
            heappush(self._parked, (due, next(self._order), pending))
        elif action is not Action.STOP:
            self._setbacks = 0

    def _hold(self, answer: Answer) -> None:
        """Let the whole run wait: what this row met, the others would meet too."""
        now = self._clock.monotonic()
        throttled = answer.evidence is Evidence.ACCOUNT_QUOTA
        self._throttled += throttled
        if throttled and (answer.wait or 0) > LONGEST_WAIT:
            self.stop(StopReason.ACCOUNT_QUOTA)
        if answer.wait:
            longest = LONGEST_WAIT if throttled else min(LONGEST_WAIT, self._settings.patience)
            seconds = min(answer.wait, longest)
        elif self._pace.held(now) > 0:
            return  # others met the same moment of trouble; it has its wait already
        else:
            self._setbacks += 1
            longest = min(60.0, 0.5 * 2.0 ** min(self._setbacks, 10))
            seconds = longest * (0.5 + 0.5 * self._chance.random())
        if throttled:
            blind = answer.limits is None and answer.wait is not None
            self._pace.throttled(now, seconds, blind=blind)
        else:
            self._pace.hold(now, seconds)
        if seconds >= 1:
            said = "; ".join(filter(None, (p.detail for p in answer.problems)))
            self._observer(Waiting(said or "net.asked_to_wait", seconds))

    def _counters(self) -> Counters:
        seconds = self._clock.monotonic() - self._started
        return Counters(self._requests, self._retries, self._throttled, seconds)
