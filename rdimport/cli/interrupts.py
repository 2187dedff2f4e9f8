"""Ctrl+C where Python would show its own stack for it: inside callbacks, and at the very end."""

from __future__ import annotations

import _thread
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


@contextmanager
def interruptible() -> Iterator[None]:
    """For the process of a command, from its first to its last step.

    A Ctrl+C that falls into a callback of Python's own (a finalizer, a weak reference) cannot be
    raised there; it counts as soon as the callback is over. After the command there is nothing left
    to interrupt: its exit code stands.
    """
    sys.unraisablehook = _raised_later
    try:
        yield
    finally:
        with suppress(KeyboardInterrupt):
            _ignore_interrupts()
        _ignore_interrupts()


def _raised_later(what: UnraisableHookArgs) -> None:
    if what.exc_type is KeyboardInterrupt:
        with suppress(RuntimeError):  # no thread can be started any more
            _thread.start_new_thread(_thread.interrupt_main, ())  # in this one it would come here
    else:
        sys.__unraisablehook__(what)


def _ignore_interrupts() -> None:
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
