"""Group commit: many rows' notes, one durable write; who has to wait for it waits, others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from rdimport.errors import LedgerError
from rdimport.ledger import Counters, Outgoing, Run, Settled


class Journal:
    """Writes a run's notes from one thread of its own, so that a slow disk stops nobody else.

    While one write is under way, the notes that come in are gathered for the next: at a high rate
    a commit serves many rows, at a low one nobody waits for company.
    """

    def __init__(self, run: Run, counters: Callable[[], Counters]) -> None:
        self._run = run
        self._counters = counters
        self._begun: list[Outgoing] = []
        self._ended: list[Settled | Outgoing] = []
        self._written: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._task = asyncio.create_task(self._work())
        self.failure: LedgerError | None = None

    async def begin(self, rows: Sequence[Outgoing]) -> None:
        """Return when it is durably known that these rows are on their way. Raises LedgerError."""
        self._begun.extend(rows)
        await self._next_write()

    def end(self, row: Settled | Outgoing) -> None:
        """Note an outcome; a bare `Outgoing` did not arrive. Written at once, waited for by none
        but `close`: a row whose outcome got lost is uncertain after a crash, never sent again.
        """
        self._ended.append(row)
        self._wake.set()

    async def close(self) -> None:
        """Write what is left and stop. Raises LedgerError when anything could not be written."""
        if self._ended and self.failure is None:
            with suppress(LedgerError):
                await self._next_write()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._thread.shutdown()
        if self.failure is not None:
            raise self.failure

    async def _next_write(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        self._wake.set()
        await asyncio.shield(self._written)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self.failure is None:
            await self._wake.wait()
            self._wake.clear()
            begun, self._begun = self._begun, []
            ended, self._ended = self._ended, []
            written, self._written = self._written, None
            try:
                write = loop.run_in_executor(
                    self._thread, self._run.apply, begun, ended, self._counters()
                )
                await asyncio.shield(write)
            except asyncio.CancelledError:
                await write
                raise
            except LedgerError as error:
                self.failure = error
            except Exception as error:  # noqa: BLE001  whatever it is, who waits must hear of it
                self.failure = LedgerError(f"The ledger could not be written: {error!r}.")
                self.failure.__cause__ = error
            for waiting in (written, self._written if self.failure else None):
                if waiting is None or waiting.done():
                    continue
                if self.failure:
                    waiting.set_exception(self.failure)
                else:
                    waiting.set_result(None)
