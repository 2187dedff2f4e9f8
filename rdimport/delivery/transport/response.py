"""What every way of sending hands back, and the sizes that no answer may go beyond."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Self, TypeVar, overload

T = TypeVar("T")

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


class Head(Mapping[str, str]):
    """The header fields of a head that a parser has found sound. They are taken apart when the
    first one is looked for that is there: of most answers nobody wants any.
    """

    __slots__ = ("_fields", "_folded", "_lines")

    def __init__(self, raw: bytes) -> None:
        _, _, self._lines = raw.decode("latin-1").partition("\r\n")
        self._folded = f"\r\n{self._lines.lower()}"
        self._fields: dict[str, str] | None = None

    @overload
    def get(self, key: str, /) -> str | None: ...
    @overload
    def get(self, key: str, default: str | T, /) -> str | T: ...
    def get(self, key: str, default: T | None = None, /) -> str | T | None:
        """The field of that name, in lower case."""
        return self._all.get(key, default) if f"\r\n{key}:" in self._folded else default

    def __getitem__(self, key: str) -> str:
        return self._all[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def _all(self) -> dict[str, str]:
        if self._fields is None:
            lines = (line.partition(":") for line in self._lines.split("\r\n") if line)
            self._fields = joined((name, value.strip(" \t")) for name, _, value in lines)
        return self._fields


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


async def awaited(start: Callable[[Done], None], abandon: Callable[[Done], None]) -> Reply:
    """An exchange for who wants to wait for it. Raises httpx.TransportError."""
    ended: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def done(end: Reply | Exception) -> None:
        if ended.done():
            return
        if isinstance(end, Reply):
            ended.set_result(end)
        else:
            ended.set_exception(end)

    start(done)
    try:
        return await ended
    except asyncio.CancelledError:
        abandon(done)
        raise
