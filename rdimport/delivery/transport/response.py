"""What every way of sending hands back, and the sizes that no answer may go beyond."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Self

MAX_ANSWER: Final = 64_000
"""Bytes of an answer that are read; RD's are a few hundred."""


class Timeouts(NamedTuple):
    """Seconds: to connect, for the endpoint to take bytes, to give bytes, and for one whole
    exchange (also for a free connection), though every byte may come just in time.

    `idle` is how long a connection may rest and still be used again: less than any usual server
    keeps it, so that no request meets a connection that is just being closed.
    """

    connect: float = 10.0
    write: float = 20.0
    read: float = 60.0
    whole: float = 90.0
    idle: float = 4.0

    @classmethod
    def within(cls, answer: float) -> Self:
        """So that an answer begins within so many seconds and never pauses for longer."""
        return cls(min(10.0, answer), min(20.0, answer), answer, 1.5 * answer)


class Reply(NamedTuple):
    """An answer as it came, its body cut at `MAX_ANSWER`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header fields by their name in lower case; of one name all values."""
    found: dict[str, str] = {}
    for written, value in fields:
        name = written.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


Done = Callable[[Reply | Exception], None]
"""Who is told how an exchange ended: the answer, or the `httpx.TransportError` that came instead
(any other exception is a bug).
"""
