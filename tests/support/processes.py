"""Child processes that end with the test run that started them, even if it is killed (Linux), and
that are never waited for without a timeout.
"""

from __future__ import annotations

import ctypes
import io
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, AnyStr, Final, cast

from support.waiting import TIMEOUT

_PR_SET_PDEATHSIG: Final = 1
"""From Linux's <linux/prctl.h>."""

_KILL: Final = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL
"""Ends a process at once."""

_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class Process(subprocess.Popen[AnyStr]):
    """A process whose end and output are waited for with a timeout."""

    def __init__(self, args: Any, **more: Any) -> None:
        super().__init__(args, **more)
        if sys.platform != "win32":  # Windows cannot poll a pipe
            self.stdout = _in_time(self.stdout, args)
            self.stderr = _in_time(self.stderr, args)

    def wait(self, timeout: float | None = None) -> int:
        return super().wait(TIMEOUT if timeout is None else timeout)

    def communicate(
        self,
        input: AnyStr | None = None,  # noqa: A002  subprocess's name
        timeout: float | None = None,
    ) -> tuple[Any, Any]:
        return super().communicate(input, TIMEOUT if timeout is None else timeout)


def _in_time(stream: IO[AnyStr] | None, command: object) -> IO[AnyStr] | None:
    """Wrap a pipe so that reading fails if nothing arrives within the timeout."""
    if stream is None:
        return None
    with stream:
        pipe = io.BufferedReader(_Pipe(os.dup(stream.fileno()), command))
    text = isinstance(stream, io.TextIOWrapper)
    kind = {"encoding": stream.encoding, "errors": stream.errors} if text else {}
    return cast("IO[AnyStr]", io.TextIOWrapper(pipe, **kind) if text else pipe)


class _Pipe(io.FileIO):
    def __init__(self, number: int, command: object) -> None:
        super().__init__(number)
        self._command = command

    def readinto(self, buffer: Any, /) -> int | None:
        self._wait()
        return super().readinto(buffer)

    def readall(self) -> bytes:
        found = bytearray()
        self._wait()
        while part := self.read(1 << 16):
            found += part
            self._wait()
        return bytes(found)

    def _wait(self) -> None:
        with selectors.DefaultSelector() as look:
            look.register(self, selectors.EVENT_READ)
            assert look.select(TIMEOUT), f"{self._command}: nothing printed for {TIMEOUT:g} s"


def freeze(child: int) -> None:
    """Send SIGSTOP and wait until every thread of the process has stopped: until then, one on
    another core goes on writing. A process that has ended is left alone.
    """
    if sys.platform != "win32":
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGSTOP)
            os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def die_with_parent(parent: int, death_signal: signal.Signals = _KILL) -> None:
    """Called in a new process: the system sends it a signal as soon as its parent has ended."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it has already ended
        os.kill(os.getpid(), death_signal)


def dying_with_parent(
    first: Callable[[], object] = lambda: None, death_signal: signal.Signals = _KILL
) -> Callable[[], object] | None:
    """A `preexec_fn` that calls `first`, then `die_with_parent`.

    Linux takes the thread that starts the process for its parent: it has to live as long.
    """
    if sys.platform == "win32":
        return None
    us = os.getpid()

    def begin() -> None:
        first()
        die_with_parent(us, death_signal)

    return begin


def take_terminal() -> None:
    """Make standard input the controlling terminal of this session, if it is a terminal."""
    if sys.platform != "win32" and os.isatty(0):
        import fcntl  # noqa: PLC0415  POSIX only
        import termios  # noqa: PLC0415  POSIX only

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def limit_file_size(size: int) -> None:
    """As on a full disk: writing a larger file fails in this process."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  POSIX only

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
