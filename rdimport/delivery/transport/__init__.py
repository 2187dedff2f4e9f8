"""One request out, one answer in. The only package that knows which HTTP client it is.

It does not decide anything: it tells apart what proves that nothing left this machine from
everything else, and hands the answer's bytes on, cut to a size that cannot do harm.

httpx is the client's language (URLs, headers, time-outs, exceptions). Either it sends, with a new
connection for each request, or a direct sender of our own, which uses its connections again.
docs/decisions/0001-transport.md says when which, and why.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

import httpx

from rdimport.delivery.transport.direct import DirectSender
from rdimport.delivery.transport.error_detail import describe_error
from rdimport.delivery.transport.httpx_sender import UNSENT, httpx_sender
from rdimport.delivery.transport.proxies import proxy_for
from rdimport.delivery.transport.response import MAX_ANSWER, Done, Reply, Timeouts
from rdimport.destination import Request

__all__ = [
    "MAX_ANSWER",
    "Done",
    "Kind",
    "NotAnswered",
    "NotConnected",
    "Reply",
    "Timeouts",
    "Transport",
    "classify_error",
    "connected",
    "proxy_for",
]

Kind = Literal["auto", "lean", "httpx"]
"""Which sender: the one that suits the pace, the direct one, or httpx. Proxies are httpx's."""

_UNHURRIED: Final = 10.0
"""Requests a second up to which a new connection for each is nothing beside its safety."""


class NotConnected(Exception):  # noqa: N818  it is an outcome, not a mistake
    """Not one byte of the request left."""


class NotAnswered(Exception):  # noqa: N818
    """The request, or a part of it, left; no whole answer came."""


class Transport(Protocol):
    """A way to send, for whoever has many rows on their way and no use for a task for each."""

    def start(self, request: Request, done: Done) -> None:
        """Send once; `done` is told the end once, after this has returned. Who calls it keeps to
        the limit of connections.
        """

    def abandon(self, done: Done) -> None:
        """Tell `done` nothing any more, and end what was started for it. Who abandons a row has to
        count it among those that may have arrived.
        """


def classify_error(
    error: Exception, mask: Callable[[str], str] = str
) -> NotConnected | NotAnswered:
    """What an exchange that went wrong proves, with a detail in which `mask` hides the key. Raises
    the error itself when it is none of an exchange.
    """
    if not isinstance(error, httpx.TransportError):
        raise error
    kind = NotConnected if isinstance(error, UNSENT) else NotAnswered
    return kind(describe_error(error, mask))


@asynccontextmanager
async def connected(
    base_url: str,
    credentials: Mapping[str, str],
    concurrency: int,
    timeouts: Timeouts,
    kind: Kind = "auto",
    *,
    per_second: float | None = None,
) -> AsyncIterator[Transport]:
    """A transport for one run of so many requests a second (None: as many as there can be).
    Redirects are not followed: they would carry the key elsewhere.

    Raises UsageError for a proxy in the environment that cannot be used.
    """
    address = urlsplit(base_url)
    tls = ssl.create_default_context() if address.scheme == "https" else None
    proxy = proxy_for(base_url)
    if kind == "auto" and per_second is not None and per_second <= _UNHURRIED:
        kind = "httpx"
    if kind == "httpx" or proxy is not None:
        async with httpx_sender(credentials, timeouts, concurrency, tls, proxy) as sender:
            yield sender
        return
    async with DirectSender(base_url, credentials, concurrency, timeouts, tls) as direct:
        yield direct
