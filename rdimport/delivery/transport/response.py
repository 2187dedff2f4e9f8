"""Responses, errors, timeouts and callbacks, common to all senders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Self

MAX_ANSWER: Final = 64_000
"""Bytes of a response body that are read. RD's have a few hundred."""


class Timeouts(NamedTuple):
    """Timeouts in seconds.

    `connect`: to open a connection. `write`: for the endpoint to accept more bytes. `read`: for
    more bytes to arrive. `total`: for the complete exchange, including the wait for a free
    connection, even if single bytes keep arriving. `idle`: how long a connection may be unused and
    still be reused. It is shorter than the keep-alive timeout of common servers, so that no request
    is written to a connection that is just being closed.
    """

    connect: float = 10.0
    write: float = 20.0
    read: float = 60.0
    total: float = 90.0
    idle: float = 4.0

    @classmethod
    def within(cls, answer: float) -> Self:
        """Timeouts: a response begins within `answer` seconds, and never pauses for longer."""
        return cls(min(10.0, answer), min(20.0, answer), answer, 1.5 * answer)


MaySend = Callable[[], bool]
"""Called just before the first byte of a request: False if this process slept for so long that
another one may have its rows.
"""


def always() -> bool:
    """A `MaySend` for a ledger that no other process can take over."""
    return True


class Reply(NamedTuple):
    """A response as received, with its body cut at `MAX_ANSWER`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportError(Exception):
    """An exchange without a response.

    `name` is httpx's name for it, such as `ReadTimeout`. `unsent`: not one byte of the request was
    sent; otherwise that is unknown.
    """

    def __init__(self, name: str, message: str, *, unsent: bool = False) -> None:
        super().__init__(message)
        self.name = name
        self.unsent = unsent


Done = Callable[[Reply | Exception], None]
"""Callback for the outcome of an exchange: the response, or the `TransportError` raised instead.
Any other exception is a bug.
"""
