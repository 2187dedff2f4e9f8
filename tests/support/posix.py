"""What only POSIX systems do. A test that asks for it on Windows is skipped there, with the reason.

Importing this module works everywhere.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support import processes


def freeze(process: int) -> None:
    """Stop all threads of a process until `resume`."""
    only_posix("a process cannot be stopped for a while")
    processes.freeze(process)


def resume(process: int) -> None:
    """Let a frozen process go on."""
    if sys.platform != "win32":
        os.kill(process, signal.SIGCONT)


def interrupt(process: subprocess.Popen[Any], number: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal that asks a process to end in good order."""
    only_posix("a process is ended without being asked")
    process.send_signal(number)


def interrupt_another_thread(process: subprocess.Popen[Any]) -> None:
    """Send SIGTERM to a thread other than the main one, which the system may choose as well."""
    if sys.platform != "linux":
        pytest.skip("only Linux lists the threads of a process")
    threads = {int(one.name) for one in Path(f"/proc/{process.pid}/task").iterdir()}
    other = min(threads - {process.pid})
    assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGTERM) == 0


def pipe_at(path: Path) -> Path:
    """Create a pipe with a name."""
    if sys.platform == "win32":
        pytest.skip("Windows: files are no pipes")
    os.mkfifo(path, 0o600)
    return path


@contextmanager
def small_files(size: int, process: int = 0) -> Iterator[None]:
    """As on a full disk: this process, or another one, cannot write a larger file."""
    if sys.platform == "win32":
        pytest.skip("Windows: no file can be kept small")
    import resource  # noqa: PLC0415  POSIX only

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = partial(resource.prlimit, process) if process else resource.setrlimit
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a cut .pyc would stay
    limit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        limit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = writes


def only_posix(otherwise: str) -> None:
    """Skip the test on Windows, where this is so."""
    if os.name != "posix":
        pytest.skip(f"Windows: {otherwise}")
