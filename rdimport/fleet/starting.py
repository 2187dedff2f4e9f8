"""A worker begins a few runs at a time, however many become due at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

_AT_ONCE: Final = 8
"""Until it sends, a run has connections of its own to the database, and needs the processor."""

_PATIENCE: Final = 10.0
"""Seconds after which a run begins all the same: those before it may be waiting for an account."""


class Starts:
    """Where runs of one process queue to begin, each in a thread of its own."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(_AT_ONCE)

    @contextmanager
    def one(self) -> Iterator[Callable[[], None]]:
        """Wait for a place, and have it until what is given is called, or the run has ended."""
        places = [self._free] if self._free.acquire(timeout=_PATIENCE) else []

        def begun() -> None:
            if places:
                places.pop().release()

        try:
            yield begun
        finally:
            begun()
