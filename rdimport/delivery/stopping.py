"""The one wish to stop a run, whenever it comes: while the input is read or while rows are sent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rdimport.core.errors import ExitCode
from rdimport.core.stop import StopReason


class StopRequest:
    """Holds the reason, and passes it on to whoever works at the time."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._tell: Callable[[StopReason], None] | None = None

    def stop(self, reason: StopReason) -> None:
        """Ask to stop; the first reason counts."""
        self.reason = self.reason or reason
        if self._tell is not None:
            self._tell(self.reason)

    def tell(self, to: Callable[[StopReason], None]) -> None:
        """Who is to hear of it from now on, also when it was said already."""
        self._tell = to
        if self.reason is not None:
            to(self.reason)

    def is_set(self) -> bool:
        """Was the wish spoken?"""
        return self.reason is not None


@contextmanager
def stop_on_signals(stop_request: StopRequest) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop in an orderly way, and a second one at once.

    At once is safe: rows on their way are in the ledger as such.
    """
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop_request.is_set():
            os._exit(ExitCode.STOPPED)
        stop_request.stop(StopReason.SIGNAL)

    def asked_elsewhere(*_: object) -> None:
        loop.call_soon_threadsafe(asked)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.getsignal(number)
        try:
            loop.add_signal_handler(number, asked)
        except (NotImplementedError, RuntimeError):  # Windows; not the main thread
            with suppress(ValueError):
                signal.signal(number, asked_elsewhere)
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(number)
            with suppress(ValueError):
                signal.signal(number, handler)
