"""What every way of sending hands back, and the sizes that no answer may go beyond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Self

MAX_ANSWER: Final = 64_000
"""Bytes of an answer that are read; RD's are a few hundred."""


class Patience(NamedTuple):
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
