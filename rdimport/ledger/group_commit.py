"""Group commit: one durable write for the records of many rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from rdimport.core.errors import LedgerError
from rdimport.ledger.evidence import ClockRange
from rdimport.ledger.port import Run
from rdimport.ledger.records import Counters, RowResult, SendAttempt

OUTCOMES_WAIT: Final = 0.005
"""Seconds for which results wait, so that they can be written together with rows that begin."""

_Write = tuple[list[SendAttempt], list[RowResult | SendAttempt], Counters, ClockRange | None]


class _Written(asyncio.Future[Sequence[SendAttempt]]):
    """Ends with its write, which cannot be undone: a task cancelled while it waits is cancelled at
    the end of the write. A shield would wake the event loop once more for each row.
    """

    def cancel(self, msg: object = None) -> bool:
        """Does nothing."""
        return False


class Journal:
    """Writes a run's records from its own thread, so that a slow disk blocks nothing else.

    While a write is in progress, new records are collected for the next one. At a high rate one
    commit covers many rows; at a low rate a row that begins does not wait for others, and a result
    waits `OUTCOMES_WAIT` seconds, or not at all if no row begins so soon. Each write contains all
    known results, so the ledger never shows more rows in flight than there are. `failed` is called
    after a failed write, whether or not anyone awaits it. The end of a write that nobody waits for
    does not wake the event loop.
    """

    def __init__(
        self, run: Run, counters: Callable[[], Counters], failed: Callable[[], None]
    ) -> None:
        self._run = run
        self._counters = counters
        self._failed = failed
        self._begun: list[SendAttempt] = []
        self._ended: list[RowResult | SendAttempt] = []
        self._clock: ClockRange | None = None
        self._next: _Written | None = None
        """Set when the write of the records collected now has ended."""
        self._current: _Written | None = None
        self._lock = Lock()
        """Guards the two flags below, which both threads change."""
        self._at_work = False
        """A write is in progress, or the event loop has not been notified of its end."""
        self._awaited = False
        """The event loop must be notified of its end."""
        self._soon: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._writes: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="ledger", daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Start the thread; from here on `close` must be called."""
        self._thread.start()

    def begin(self, rows: Sequence[SendAttempt]) -> asyncio.Future[Sequence[SendAttempt]]:
        """Record that these rows are in flight. The future ends once that is durable, and cannot be
        cancelled before.

        Its result are the rows of the same write that this run has claimed; others must not be
        sent. Raises LedgerError, now or in the future.
        """
        self._begun.extend(rows)
        return self._next_write()

    def end(self, row: RowResult | SendAttempt, *, alone: bool = False) -> None:
        """Record a result; a bare `SendAttempt` means that the row did not arrive. `alone`: no row
        begins soon, so that waiting for one would only wake the event loop again.

        It is written soon, and only `close` waits for it: a row whose result is lost in a crash
        becomes uncertain and is never sent again.
        """
        self._ended.append(row)
        if alone:
            self._write()
        elif self._soon is None and not self._wait_for_write():
            self._soon = self._loop.call_later(OUTCOMES_WAIT, self._write)

    def note_clock(self, clock: ClockRange) -> None:
        """Record a difference between the clocks with the next write."""
        self._clock = clock

    async def close(self) -> None:
        """Write what is left, and stop. Raises LedgerError if anything could not be written."""
        try:
            if self._wait_for_write():
                self._current = self._current or _Written(loop=self._loop)
                with suppress(LedgerError):
                    await self._current
            if self._ended and self.failure is None:
                with suppress(LedgerError):
                    await self._next_write()
        finally:
            if self._soon is not None:
                self._soon.cancel()
            self._writes.put(None)
            self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _next_write(self) -> asyncio.Future[Sequence[SendAttempt]]:
        if self.failure is not None:
            raise self.failure
        if self._next is None:
            self._next = _Written(loop=self._loop)
        written = self._next
        self._write()
        return written

    def _wait_for_write(self) -> bool:
        """Whether a write is in progress; if so, `_wrote` will be called at its end."""
        with self._lock:
            self._awaited = self._at_work
        return self._awaited

    def _write(self) -> None:
        """Hand over the collected records, or leave that to the write in progress."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._wait_for_write() or self.failure is not None:
            return
        self._current, self._next = self._next, None
        begun, self._begun = self._begun, []
        ended, self._ended = self._ended, []
        self._at_work, self._awaited = True, self._current is not None
        clock, self._clock = self._clock, None
        self._writes.put((begun, ended, self._counters(), clock))

    def _wrote(self, claimed: Sequence[SendAttempt], failure: Exception | None) -> None:
        waiters = [self._current]
        self._current = None
        self._at_work = False
        if failure is not None:
            self.failure = failure
            waiters.append(self._next)
        for waiting in waiters:
            if waiting is None or waiting.done():
                continue
            if failure is None:
                waiting.set_result(claimed)
            else:
                waiting.set_exception(failure)
                waiting.exception()  # also kept in `failure`
        if failure is not None:
            self._failed()
        if self._next is not None:
            self._write()
        elif self._ended and self._soon is None:
            self._soon = self._loop.call_later(OUTCOMES_WAIT, self._write)

    def _work(self) -> None:
        """The thread's main function."""
        while (write := self._writes.get()) is not None:
            failure: Exception | None = None
            claimed: Sequence[SendAttempt] = ()
            try:
                begun, ended, counters, clock = write
                if clock is not None:
                    self._run.note_clock(clock)
                claimed = self._run.apply(begun, ended, counters)
            except Exception as error:  # noqa: BLE001  raised where the write is awaited
                failure = error
            with self._lock:
                tell = self._awaited or failure is not None
                self._at_work = tell
            if tell:
                with suppress(RuntimeError):  # the event loop has ended
                    self._loop.call_soon_threadsafe(self._wrote, claimed, failure)
