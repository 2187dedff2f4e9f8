"""One request out, one answer in. The only package that knows which HTTP client it is.

It does not decide anything: it tells apart what proves that nothing left this machine from
everything else, and hands the answer's bytes on, cut to a size that cannot do harm.

httpx is the client's language (URLs, headers, time-outs, exceptions). Under it sends either a lean
transport of our own, which docs/speed.md compares with the others, or httpx's ordinary one.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from rdimport.delivery.transport.direct import LeanSender, LeanTransport
from rdimport.delivery.transport.error_detail import why
from rdimport.delivery.transport.httpx_sender import ordinary
from rdimport.delivery.transport.response import MAX_ANSWER, Done, Patience, Reply
from rdimport.destination import Request
from rdimport.destination.address import is_loopback

__all__ = [
    "MAX_ANSWER",
    "Done",
    "Kind",
    "NotAnswered",
    "NotConnected",
    "Patience",
    "Reply",
    "Transport",
    "connected",
    "proof",
]

Kind = Literal["lean", "httpx"]
"""Which transport: the lean one (which leaves proxies to the other), or always httpx's own."""

_BEFORE_SENDING: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


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


def proof(error: Exception, mask: Callable[[str], str] = str) -> NotConnected | NotAnswered:
    """What an exchange that went wrong proves, with a detail in which `mask` hides the key. Raises
    the error itself when it is none of an exchange.
    """
    if not isinstance(error, httpx.TransportError):
        raise error
    kind = NotConnected if isinstance(error, _BEFORE_SENDING) else NotAnswered
    return kind(why(error, mask))


@asynccontextmanager
async def connected(
    base_url: str,
    credentials: Mapping[str, str],
    concurrency: int,
    patience: Patience,
    kind: Kind = "lean",
) -> AsyncIterator[Transport]:
    """A transport for one run. Redirects are not followed: they would carry the key elsewhere."""
    address = urlsplit(base_url)
    tls = ssl.create_default_context() if address.scheme == "https" else None
    # no proxy leads back to this machine
    environment = not is_loopback(address.hostname)
    if kind == "httpx" or (environment and _proxied(address.scheme)):
        async with ordinary(
            credentials, patience, concurrency, tls, trust_env=environment
        ) as sender:
            yield sender
        return
    async with LeanTransport(httpx.URL(base_url), patience, concurrency, tls) as lean:
        yield LeanSender(lean, dict(credentials))


def _proxied(scheme: str) -> bool:
    """Whether the environment names a proxy. httpx knows which hosts it leaves out."""
    proxies = getproxies()
    return bool(proxies.get(scheme) or proxies.get("all"))
