"""A worker begins, and ends, a few runs at a time, however many do at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

_AT_ONCE: Final = 8
"""Before and after it sends, a run has connections of its own, and needs the processor."""

_PATIENCE: Final = 10.0
"""Seconds after which a run goes on all the same: those before it may be waiting for an account."""


class Place:
    """One of the few places. Not thread-safe."""

    def __init__(self, free: BoundedSemaphore) -> None:
        self._free, self._has_it = free, False

    def take(self) -> None:
        """Wait for it."""
        if not self._has_it:
            self._has_it = self._free.acquire(timeout=_PATIENCE)

    def leave(self) -> None:
        """Let another run have it."""
        if self._has_it:
            self._has_it = False
            self._free.release()


class Starts:
    """Where runs of one process queue to begin and to end, each in a thread of its own."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(_AT_ONCE)

    @contextmanager
    def one(self) -> Iterator[Place]:
        """A place to begin, to be left while rows are sent, and taken again for the end."""
        place = Place(self._free)
        place.take()
        try:
            yield place
        finally:
            place.leave()
