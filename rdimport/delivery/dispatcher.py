"""The dispatcher: sends the rows of a plan, and records what became of each.

A single task dispatches rows in small batches. Results are handled in the transport's callback, so
a row needs no task of its own. The order of the steps is what guarantees that no row is sent twice:
wait for a free place, wait for a slot of the quota, commit to the ledger that the row is in flight,
send the request, record the result.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from rdimport.core.clock import Clock
from rdimport.core.errors import LedgerError
from rdimport.core.events import Observer, Stopping, Waiting
from rdimport.core.messages.codes import Detail
from rdimport.core.row import DROPPED, State
from rdimport.core.stop import StopReason
from rdimport.delivery.circuit_breaker import CircuitBreaker
from rdimport.delivery.concurrency_limit import Concurrency
from rdimport.delivery.endpoint_clock import EndpointClock
from rdimport.delivery.in_flight import SETTLED, STATES, InFlightRequest, problems_found, unanswered
from rdimport.delivery.pacing.pacer import RateLimiter
from rdimport.delivery.send_queue import SendQueue
from rdimport.delivery.settings import (
    BATCH_SIZE,
    BATCH_WAIT,
    LONGEST_WAIT,
    LOOKS_EVERY,
    NONE,
    REPEATS,
    WORTH_WAITING,
    RandomSource,
    Settings,
    Trace,
)
from rdimport.delivery.transport import NotAnswered, Reply, Transport
from rdimport.delivery.waits import Waits
from rdimport.destination import Answer, Destination
from rdimport.destination.verdict import Action, Evidence, decide
from rdimport.ledger import Counters, Outcome, PendingRow, RowResult, Run, problems_of
from rdimport.ledger.group_commit import OUTCOMES_WAIT, Journal

GRACE: Final = 10.0
"""Seconds that requests in flight have to finish once the run stops."""


class Delivery:
    """Sends the rows of one run. `stop` may be called at any time from the same event loop."""

    def __init__(
        self,
        *,
        destination: Destination,
        transport: Transport,
        run: Run,
        pending_rows: Iterator[PendingRow],
        trace: Trace,
        pace: RateLimiter,
        settings: Settings,
        clock: Clock,
        chance: RandomSource,
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
        self._run = run
        self._queue = SendQueue(pending_rows, settings.limit, clock.monotonic)
        self._open: set[InFlightRequest] = set()
        self._waits = Waits(self._open, clock)
        self._journal = Journal(run, self._counters, self._waits.stop)
        self.endpoint_clock = EndpointClock(clock, self._journal.note_clock)
        self._started = clock.monotonic()
        self._requests = self._retries = self._throttled = self._setbacks = 0
        self.stopped: StopReason | None = None
        self.stopped_by = ""
        """Detail of the response that stopped the run, if one did."""
        self._tried: set[bytes] = set()
        self._doubted: dict[bytes, tuple[int, Answer]] = {}
        """Uncertain rows that are repeated (idempotent endpoints only): how often, last answer."""
        self.rules: Counter[str] = Counter()
        self._broken: BaseException | None = None

    def stop(self, reason: StopReason) -> None:
        """Take no new rows. Only the first reason is kept."""
        if self.stopped is None:
            self.stopped = reason
            self._waits.stop()
            if self._open:
                self._observer(Stopping(len(self._open)))

    async def deliver(self) -> None:
        """Send all rows, or as many as possible before the run stops.

        Raises LedgerError when a row cannot be recorded; nothing is sent after that.
        """
        self._started = self._clock.monotonic()
        self._journal.start()
        watch = asyncio.create_task(self._watch())
        try:
            await self._dispatch()
        finally:
            watch.cancel()
            try:
                await self._drain()
                self._give_up_repeats()
            finally:
                await self._journal.close()
        if self._broken is not None:
            raise self._broken
        if self.stopped is None and self.parked_for is not None:
            self.stop(StopReason.LEAD_QUOTA)

    @property
    def parked_for(self) -> float | None:
        """Seconds until the first parked row is due; None if no row is parked."""
        return self._queue.parked_for

    async def _watch(self) -> None:
        if self._settings.max_seconds is not None or self._settings.until is not None:
            while (rest := self._rest()) > 0:
                await self._clock.sleep(rest)
            self.stop(StopReason.MAX_DURATION)

    def _rest(self) -> float:
        """Seconds until the next check whether the run's time is up; 0 if it is."""
        rests, until = [], self._settings.until
        if self._settings.max_seconds is not None:
            rests.append(self._started + self._settings.max_seconds - self._clock.monotonic())
        if until is not None:
            rests += [(until - self._clock.now()).total_seconds(), LOOKS_EVERY]
        return max(0.0, min(rests))

    async def _dispatch(self) -> None:
        while not self._waits.is_stopping():
            batch = await self._due(await self._room())
            if batch:
                claimed_rows = await self._begin(batch)
                at_capacity = len(self._open) + len(claimed_rows) >= self._concurrency.places
                for pending in claimed_rows:
                    self._launch(pending, at_capacity=at_capacity)
            elif self._open:
                await self._waits.until_open(len(self._open) - 1)
            elif (wait := self.parked_for) is not None and wait <= WORTH_WAITING:
                await self._waits.pause(wait)
            elif not self._queue.repeats:
                self._stop_at_limit()
                return

    async def _room(self) -> int:
        """The number of rows that may start: 0 once the run stops, otherwise at least 1. While
        responses are fast, waits until half of all places are free, so that one commit covers many
        rows.
        """
        waited = False
        while not self._waits.is_stopping():
            # after a failure, probe with one row at a time
            places = 1 if self._setbacks else self._concurrency.places
            free = places - len(self._open)
            if free > 0 and (waited or 2 * free >= places):  # the limit may have dropped
                return min(free, BATCH_SIZE)
            await self._waits.until_open(places - 1)
            if not self._waits.is_stopping():
                await self._waits.until_open(places // 2, BATCH_WAIT)
            waited = len(self._open) < places
        return 0

    async def _due(self, free: int) -> list[PendingRow]:
        """Rows that have a slot of the quota: at least one if any are left, at most `free`."""
        batch: list[PendingRow] = []
        while len(batch) < free and (pending := self._queue.take()) is not None:
            while (wait := self._pace.wait(now := self._clock.monotonic())) > 0 and not batch:
                await self._waits.pause(wait)
                if self._waits.is_stopping():
                    break
            if wait > 0 or self._waits.is_stopping():
                self._queue.repeats.appendleft(pending)
                break
            self._pace.acquire(now)
            batch.append(pending)
        return batch

    def _stop_at_limit(self) -> None:
        """Stop with LIMIT or CANARY if rows are left after the limit."""
        if self._queue.exceeds_limit():
            self.stop(StopReason.CANARY if self._settings.canary else StopReason.LIMIT)

    async def _begin(self, batch: Sequence[PendingRow]) -> Sequence[PendingRow]:
        """Record that rows are in flight. On cancellation, the records are removed again.

        Returns the rows that may be sent: all but those that another run has claimed since the plan
        was made.
        """
        new = [p.outgoing for p in batch if p.outgoing.identity not in self._doubted]
        if not new:
            return batch
        noted = self._journal.begin(new)
        try:
            claimed = {row.identity for row in await noted}
        except asyncio.CancelledError:  # raised after the write
            with suppress(LedgerError):
                claimed = {row.identity for row in noted.result()}
                for row in new:
                    if row.identity in claimed:
                        self._journal.end(row)
            raise
        if self._run.is_lost:
            self.stop(StopReason.LEASE)
        sendable = self._doubted.keys() | claimed
        return [pending for pending in batch if pending.outgoing.identity in sendable]

    def _launch(self, pending: PendingRow, *, at_capacity: bool) -> None:
        row = pending.outgoing
        asleep = not self._run.may_send()
        if asleep or self._waits.is_stopping():  # it may have happened during the write
            self._not_launched(pending, asleep=asleep)
            return
        self._requests += 1
        if row.identity in self._tried:
            self._tried.discard(row.identity)
            self._retries += 1
        flight = InFlightRequest(
            pending, self._clock.monotonic(), self._requests - 1, at_capacity, self._on_done
        )
        self._open.add(flight)
        try:
            self._transport.start(self._destination.build(row.payload), flight)
        except Exception as error:  # noqa: BLE001  handled like a later failure
            self._on_done(flight, error)

    def _not_launched(self, pending: PendingRow, *, asleep: bool) -> None:
        """Release a row that was not sent. After a sleep it must be claimed again, if possible."""
        doubted = pending.outgoing.identity in self._doubted
        if not doubted:
            self._journal.end(pending.outgoing)
        elif asleep:
            self.stop(StopReason.LEASE)
        if doubted or asleep:
            self._queue.repeats.append(pending)

    def _on_done(self, flight: InFlightRequest, end: Reply | Exception) -> None:
        if flight not in self._open:
            return
        self._open.discard(flight)
        try:
            self._apply_outcome(flight, end)
        except Exception as error:  # noqa: BLE001  raised again by `deliver`
            # a bug: the ledger still has the row as in flight, and nothing more may be sent
            self._broken = error
            self._waits.stop()
        self._waits.on_done()

    async def _drain(self) -> None:
        """Wait for the requests in flight. Those not answered within GRACE become uncertain."""
        await self._waits.drain(GRACE)
        for flight in list(self._open):
            self._transport.abandon(flight)
            self._on_done(flight, NotAnswered(Detail.STOPPED))

    def _apply_outcome(self, flight: InFlightRequest, end: Reply | Exception) -> None:
        """Apply the outcome of a request to its row and to the run."""
        now = self._clock.monotonic()
        if isinstance(end, Reply):
            self._concurrency.answered(now - flight.sent_at, all_used=flight.at_capacity)
            self.endpoint_clock.see(end.headers.get("date", ""))
            answer = self._destination.read(end.status, end.headers, end.body)
        else:
            answer = unanswered(end, self._destination.without_key)
        action = decide(answer.evidence).action
        if answer.limits is not None:
            counted = answer.evidence is not Evidence.ACCOUNT_QUOTA
            self._pace.learn(now, answer.limits, len(self._open), counted=counted)
        evidence = answer.evidence
        if action is Action.DOUBT and self._repeat(flight.pending, answer):
            evidence = Evidence.UNAVAILABLE
        else:
            self._note(flight.pending, answer, action)
        reasons = frozenset((p.code, p.field) for p in answer.problems) if answer.problems else NONE
        stop = self._circuit.record(evidence, reasons, now, flight.number)
        if stop is not None:
            self.stopped_by = self.stopped_by or "; ".join(p.detail for p in answer.problems)
            self.stop(stop)

    def _repeat(self, pending: PendingRow, answer: Answer) -> bool:
        """Queue an uncertain row again if the endpoint is idempotent; it stays in flight."""
        identity = pending.outgoing.identity
        times, _ = self._doubted.get(identity, (0, answer))
        ended = times >= REPEATS or self._waits.is_stopping() or decide(answer.evidence).stops
        if not self._destination.idempotent or ended:
            return False
        self.rules["idempotent"] += 1
        self._doubted[identity] = (times + 1, answer)
        self._tried.add(identity)
        self._hold(answer._replace(wait=None, rule="idempotent"))
        self._queue.repeats.append(pending)
        return True

    def _give_up_repeats(self) -> None:
        """When the run ends, rows still waiting for a repeat become uncertain."""
        for pending in [p for p in self._queue.repeats if p.outgoing.identity in self._doubted]:
            self._note(pending, self._doubted[pending.outgoing.identity][1], Action.DOUBT)

    def _note(self, pending: PendingRow, answer: Answer, action: Action) -> None:
        """Record the result of a row, and queue the row again where that is safe."""
        row = pending.outgoing
        doubted = self._doubted.get(row.identity)
        if doubted is not None and action in (Action.PARK, Action.STOP):
            action, answer = Action.DOUBT, doubted[1]  # an earlier attempt may have arrived
        if answer.rule:
            self.rules[answer.rule] += 1
        state = STATES.get(action)
        if state is not None:
            suspect = problems_of(pending.warnings) if pending.warnings else ()
            if state is State.ACCEPTED:
                suspect = tuple([one for one in suspect if one.code == DROPPED])
            cells = pending.cells if suspect or state is not State.ACCEPTED else ()
            found = tuple([self._trace(p, row.file, cells) for p in problems_found(answer, state)])
            end = Outcome(row.file, row.row, state, found, cells, warnings=suspect)
            alone = self._waits.pauses_for(self._clock.monotonic()) > OUTCOMES_WAIT
            self._journal.end(RowResult(row, end, answer.receipt), alone=alone)
            self._observer(SETTLED[state])
            self._doubted.pop(row.identity, None)
        elif doubted is None:
            self._journal.end(row)
        if action is Action.RETRY:
            self._tried.add(pending.outgoing.identity)
            self._hold(answer)
            self._queue.repeats.append(pending)
        elif action is Action.PARK:
            self._throttled += 1
            self._queue.park(pending, answer.wait)
        elif action is not Action.STOP:
            self._setbacks = 0

    def _hold(self, answer: Answer) -> None:
        """Pause the whole run: every other row would get the same answer."""
        now = self._clock.monotonic()
        throttled = answer.evidence is Evidence.ACCOUNT_QUOTA
        self._throttled += throttled
        if throttled and (answer.wait or 0) > LONGEST_WAIT:
            self.stop(StopReason.ACCOUNT_QUOTA)
        if answer.wait:
            longest = LONGEST_WAIT if throttled else min(LONGEST_WAIT, self._settings.patience)
            seconds = min(answer.wait, longest)
        elif self._pace.held(now) > 0:
            return  # the run is already paused for the same failure
        else:
            self._setbacks += 1
            if answer.evidence is Evidence.NOT_CONNECTED:
                self._concurrency.not_connected()
            first = 0.02 if answer.rule else 0.5  # a rule's response does not predict the next
            longest = min(60.0, first * 2.0 ** min(self._setbacks, 12))
            seconds = longest * (0.5 + 0.5 * self._chance.random())
        if throttled:
            blind = answer.limits is None and answer.wait is not None
            self._pace.on_quota_exceeded(now, seconds, blind=blind)
        else:
            self._pace.hold(now, seconds)
        if seconds >= 1:
            detail = "; ".join(filter(None, (p.detail for p in answer.problems)))
            self._observer(Waiting(detail or Detail.ASKED_TO_WAIT, seconds))

    def _counters(self) -> Counters:
        seconds = self._clock.monotonic() - self._started
        return Counters(self._requests, self._retries, self._throttled, seconds)
