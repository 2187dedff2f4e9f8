"""Processes that end with the test run that started them, even where that is killed (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
"""From Linux' <linux/prctl.h>."""

_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def dies_with_us(parent: int, told: signal.Signals = signal.SIGKILL) -> None:
    """To be called in a new process: once its parent is gone, the system sends it that signal."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, told, 0, 0, 0)
    if os.getppid() != parent:  # gone meanwhile
        os.kill(os.getpid(), told)


def ending_with_us(
    first: Callable[[], object] = lambda: None, told: signal.Signals = signal.SIGKILL
) -> Callable[[], object] | None:
    """What a new process does before its program begins (`preexec_fn`): `first`, and then that.

    Linux takes the thread that starts the process for its parent: it has to last as long.
    """
    if sys.platform == "win32":
        return None
    us = os.getpid()

    def begin() -> None:
        first()
        dies_with_us(us, told)

    return begin


def take_terminal() -> None:
    """Make the terminal that is standard input, if it is one, that of this session."""
    if sys.platform != "win32" and os.isatty(0):
        import fcntl  # noqa: PLC0415  POSIX's
        import termios  # noqa: PLC0415  POSIX's

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def no_file_beyond(size: int) -> None:
    """As on a full disk: a write of this process that makes a file larger fails."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  POSIX's

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
