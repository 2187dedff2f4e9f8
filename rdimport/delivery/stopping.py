"""A request to stop, whenever it comes: while the input is read or while rows are sent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rdimport.core.errors import ExitCode
from rdimport.core.stop import StopReason


class StopRequest:
    """Keeps the reason, and calls whoever subscribed."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._subscribers: list[Callable[[StopReason], object]] = []

    def stop(self, reason: StopReason) -> None:
        """Ask to stop; the first reason counts."""
        self.reason = self.reason or reason
        for subscriber in list(self._subscribers):
            subscriber(self.reason)

    @contextmanager
    def subscribed(self, subscriber: Callable[[StopReason], object]) -> Iterator[None]:
        """Call `subscriber` with the reason from now on; at once if there is one already."""
        self._subscribers.append(subscriber)
        try:
            if self.reason is not None:
                subscriber(self.reason)
            yield
        finally:
            self._subscribers.remove(subscriber)

    def is_set(self) -> bool:
        """Whether somebody asked to stop."""
        return self.reason is not None


@contextmanager
def stop_with(other: StopRequest, stop_request: StopRequest) -> Iterator[None]:
    """Stop when the `other` is asked to, from whatever thread."""
    loop = asyncio.get_running_loop()
    with other.subscribed(lambda reason: loop.call_soon_threadsafe(stop_request.stop, reason)):
        yield


def stop_signals() -> list[signal.Signals]:
    """The signals that end a program in good order. SIGHUP comes when a terminal or a connection is
    gone; whoever started us with nohup does not want that to end us.
    """
    found = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


@contextmanager
def stop_on_signals(stop_request: StopRequest) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP stop in an orderly way, and a second one at once.

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
    for number in stop_signals():
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
