"""Wait for a condition instead of a fixed time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final

TIMEOUT: Final = 120 * float(os.environ.get("TEST_PATIENCE", "1"))
"""Timeout in seconds of everything a test waits for. It only decides how late a failing test fails:
`TEST_PATIENCE=5 make test` multiplies it for a very slow machine.
"""


def until(true: Callable[[], object], seconds: float = TIMEOUT) -> None:
    """Return as soon as `true()` is true; fail after `seconds`. A slow condition is polled less
    often, so that the code under test gets most of the CPU.
    """
    asked = time.monotonic()
    end = asked + seconds
    while not true():
        answered = time.monotonic()
        assert answered < end, "it never came true"
        time.sleep(min(max(0.005, 9 * (answered - asked)), 0.5))
        asked = time.monotonic()


@contextmanager
def default_timeouts() -> Iterator[None]:
    """Within the block, waiting for a thread or a future without a timeout fails after TIMEOUT.
    For processes: `support.processes`.
    """
    join, result = Thread.join, Future.result

    def join_in_time(thread: Thread, timeout: float | None = None) -> None:
        join(thread, TIMEOUT if timeout is None else timeout)
        assert timeout is not None or not thread.is_alive(), (
            f"{thread.name} has not ended within {TIMEOUT:g} s"
        )

    def result_in_time(future: Future[Any], timeout: float | None = None) -> Any:
        if timeout is None:
            assert not wait([future], TIMEOUT).not_done, f"no result within {TIMEOUT:g} s"
        return result(future, timeout)

    Thread.join, Future.result = join_in_time, result_in_time  # type: ignore[method-assign]
    try:
        yield
    finally:
        Thread.join, Future.result = join, result  # type: ignore[method-assign]
