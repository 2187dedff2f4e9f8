"""Processes that end with the test run that started them, even where that is killed (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
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
