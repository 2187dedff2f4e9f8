"""Group commit: many rows' notes, one durable write; who has to wait for it waits, others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final

from rdimport.core.errors import LedgerError
from rdimport.ledger.port import Run
from rdimport.ledger.records import Counters, RowResult, SendAttempt

OUTCOMES_WAIT: Final = 0.005
"""Seconds for which outcomes wait for rows that begin, to be written together with them."""

_Write = tuple[list[SendAttempt], list[RowResult | SendAttempt], Counters]


class Journal:
    """Writes a run's notes from one thread of its own, so that a slow disk stops nobody else.

    While one write is under way, the notes that come in are gathered for the next: at a high rate
    a commit serves many rows, at a low one a row that begins waits for no other, and an outcome
    `OUTCOMES_WAIT` seconds. Each write holds all outcomes that are known, so the ledger never has
    more rows on their way than really are. `failed` is called once a write has failed, whether
    anybody waits for it or not.
    """

    def __init__(
        self, run: Run, counters: Callable[[], Counters], failed: Callable[[], None]
    ) -> None:
        self._run = run
        self._counters = counters
        self._failed = failed
        self._begun: list[SendAttempt] = []
        self._ended: list[RowResult | SendAttempt] = []
        self._next: asyncio.Future[Sequence[SendAttempt]] | None = None
        """Told at the end of the write that takes what is gathered now."""
        self._current: asyncio.Future[Sequence[SendAttempt]] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._writes: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="ledger", daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin to work; from here on it has to be closed."""
        self._thread.start()

    async def begin(self, rows: Sequence[SendAttempt]) -> Sequence[SendAttempt]:
        """Return when it is durably known that these rows are on their way: those of them that are
        claimed. The others must not leave. Raises LedgerError.
        """
        self._begun.extend(rows)
        claimed = await self._next_write()
        if len(claimed) == len(rows):  # nearly always: nobody else begins any meanwhile
            return claimed
        ours = frozenset(row.identity for row in claimed)
        return [row for row in rows if row.identity in ours]

    def end(self, row: RowResult | SendAttempt) -> None:
        """Note an outcome; a bare `SendAttempt` did not arrive. Written in a moment, waited for by
        none but `close`: a row whose outcome got lost is uncertain after a crash, never sent again.
        """
        self._ended.append(row)
        if self._soon is None and self._current is None:
            self._soon = self._loop.call_later(OUTCOMES_WAIT, self._write)

    async def close(self) -> None:
        """Write what is left and stop. Raises LedgerError when anything could not be written."""
        try:
            if self._current is not None:
                with suppress(LedgerError):
                    await asyncio.shield(self._current)
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

    async def _next_write(self) -> Sequence[SendAttempt]:
        if self.failure is not None:
            raise self.failure
        if self._next is None:
            self._next = self._loop.create_future()
        written = self._next
        self._write()
        return await asyncio.shield(written)

    def _write(self) -> None:
        """Hand over what is gathered, unless a write is under way: its end comes back here."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._current is not None or self.failure is not None:
            return
        self._current = self._next or self._loop.create_future()
        begun, self._begun = self._begun, []
        ended, self._ended = self._ended, []
        self._next = None
        self._writes.put((begun, ended, self._counters()))

    def _wrote(self, claimed: Sequence[SendAttempt], failure: Exception | None) -> None:
        waiters = [self._current]
        self._current = None
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
                waiting.exception()  # it is kept in `failure`, whether anybody waits or not
        if failure is not None:
            self._failed()
        if self._next is not None:
            self._write()
        elif self._ended and self._soon is None:
            self._soon = self._loop.call_later(OUTCOMES_WAIT, self._write)

    def _work(self) -> None:
        """The thread."""
        while (write := self._writes.get()) is not None:
            failure: Exception | None = None
            claimed: Sequence[SendAttempt] = ()
            try:
                claimed = self._run.apply(*write)
            except Exception as error:  # noqa: BLE001  whatever it is, who waits must hear of it
                failure = error
            with suppress(RuntimeError):  # the event loop has ended; nobody waits for it
                self._loop.call_soon_threadsafe(self._wrote, claimed, failure)
