"""Signals: temporary handlers; and Ctrl+C where Python would show its own traceback for it: inside
callbacks, and at the very end.
"""

from __future__ import annotations

import _thread
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType


@contextmanager
def interruptible() -> Iterator[None]:
    """For the process of a command, from its first to its last step.

    A Ctrl+C during one of Python's own callbacks (a finalizer, a weak reference) cannot be raised
    there; it is raised after the callback. After the command there is nothing left to interrupt:
    its exit code stands.
    """
    sys.unraisablehook = _raised_later
    try:
        yield
    finally:
        with suppress(KeyboardInterrupt):
            _ignore_interrupts()
        _ignore_interrupts()


@contextmanager
def on_signals(
    numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Handle these signals until the block ends; does nothing outside the main thread."""
    before = {}
    with suppress(ValueError):
        for number in numbers:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _raised_later(what: UnraisableHookArgs) -> None:
    if what.exc_type is KeyboardInterrupt:
        with suppress(RuntimeError):  # no more threads can be started
            _thread.start_new_thread(_interrupt_after_callback, (_thread.get_ident(),))
    else:
        sys.__unraisablehook__(what)


def _interrupt_after_callback(main: int) -> None:
    """Interrupt the main thread once it has left the hook, in which it would be lost again."""
    while _is_in_hook(sys._current_frames().get(main)):  # noqa: SLF001  documented
        time.sleep(0.001)
    _thread.interrupt_main()


def _is_in_hook(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not _raised_later.__code__:
        frame = frame.f_back
    return frame is not None


def _ignore_interrupts() -> None:
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
