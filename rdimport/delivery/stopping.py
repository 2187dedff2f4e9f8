"""Requests to stop a run, from a signal or another thread, while it reads or sends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rdimport.core.errors import ExitCode
from rdimport.core.stop import StopReason


class StopRequest:
    """Holds the reason to stop, and notifies its subscribers."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._subscribers: list[Callable[[StopReason], object]] = []

    def stop(self, reason: StopReason) -> None:
        """Request a stop. Only the first reason is kept."""
        self.reason = self.reason or reason
        for subscriber in list(self._subscribers):
            subscriber(self.reason)

    @contextmanager
    def subscribed(self, subscriber: Callable[[StopReason], object]) -> Iterator[None]:
        """Call `subscriber` with the reason while the context is active; at once if already set."""
        self._subscribers.append(subscriber)
        try:
            if self.reason is not None:
                subscriber(self.reason)
            yield
        finally:
            self._subscribers.remove(subscriber)

    def is_set(self) -> bool:
        """Whether a stop has been requested."""
        return self.reason is not None


@contextmanager
def stop_with(other: StopRequest, stop_request: StopRequest) -> Iterator[None]:
    """Forward a stop requested on `other`, from any thread, to `stop_request`."""
    loop = asyncio.get_running_loop()
    with other.subscribed(lambda reason: loop.call_soon_threadsafe(stop_request.stop, reason)):
        yield


def stop_signals() -> list[signal.Signals]:
    """The signals that stop a run: SIGINT, SIGTERM and, unless ignored as under nohup, SIGHUP; on
    Windows Ctrl+Break, the only one that another program can send there.
    """
    found = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        found.append(signal.SIGBREAK)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


def on_signal(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, asked: Callable[[], object]
) -> None:
    """Call `asked` in the loop at the signal, also on Windows, whose loops handle none."""

    def elsewhere(*_: object) -> None:
        loop.call_soon_threadsafe(asked)

    try:
        loop.add_signal_handler(number, asked)
    except (NotImplementedError, RuntimeError):  # on Windows, or outside the main thread
        with suppress(ValueError):
            signal.signal(number, elsewhere)


@contextmanager
def stop_on_signals(stop_request: StopRequest) -> Iterator[None]:
    """Stop in an orderly way on the first SIGINT, SIGTERM or SIGHUP, and exit at once on the
    second.

    Exiting at once is safe: rows in flight are recorded as such in the ledger.
    """
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop_request.is_set():
            os._exit(ExitCode.STOPPED)
        stop_request.stop(StopReason.SIGNAL)

    before = {}
    for number in stop_signals():
        before[number] = signal.getsignal(number)
        on_signal(loop, number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(number)
            with suppress(ValueError):
                signal.signal(number, handler)
