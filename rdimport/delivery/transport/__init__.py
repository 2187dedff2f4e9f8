"""Transport: one request out, one response in. The only package that sends rows over a network.

It makes no decisions. It classifies failures as NotConnected (nothing was sent) or NotAnswered
(anything else), and passes on the response, cut to `MAX_ANSWER` bytes.

Requests are sent either by httpx, over a new connection each, or by a direct sender that reuses its
connections. docs/decisions/0001-transport.md explains the choice.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from rdimport.delivery.sender_choice import Kind, takes_httpx
from rdimport.delivery.transport.direct import DirectSender
from rdimport.delivery.transport.error_detail import describe_error
from rdimport.delivery.transport.response import (
    MAX_ANSWER,
    Done,
    MaySend,
    Reply,
    Timeouts,
    TransportError,
    always,
)
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
    "TransportError",
    "classify_error",
    "connected",
]


class NotConnected(Exception):  # noqa: N818  it is an outcome, not a mistake
    """Not one byte of the request was sent."""


class NotAnswered(Exception):  # noqa: N818
    """The request was sent, at least in part, and no complete response arrived."""


class Transport(Protocol):
    """Sends requests and reports their outcome by a callback, so that a row needs no task."""

    def start(self, request: Request, done: Done) -> None:
        """Send a request. `done` is called exactly once, after this method has returned.

        The caller enforces the limit of open requests.
        """

    def abandon(self, done: Done) -> None:
        """Cancel the exchange; `done` is not called any more. The row may still have arrived."""


def classify_error(
    error: Exception, mask: Callable[[str], str] = str
) -> NotConnected | NotAnswered:
    """Classify a failed exchange. `mask` hides secrets in its detail.

    Re-raises `error` if it is not a `TransportError`.
    """
    if not isinstance(error, TransportError):
        raise error
    kind = NotConnected if error.unsent else NotAnswered
    return kind(describe_error(error, mask))


def _tls() -> ssl.SSLContext:
    """The TLS context for an endpoint. It holds all the system's certificates, so runs of one
    process share it until the certificate files change.
    """
    if sys.platform == "win32":  # Windows does not keep them in files
        return ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    return _tls_of(*((path, _changed(path)) for path in (paths.cafile, paths.capath)))


@lru_cache(maxsize=1)
def _tls_of(*_files: tuple[str | None, int]) -> ssl.SSLContext:
    return ssl.create_default_context()


def _changed(path: str | None) -> int:
    try:
        return Path(path).stat().st_mtime_ns if path else 0
    except OSError:
        return 0


@asynccontextmanager
async def connected(
    base_url: str,
    credentials: Mapping[str, str],
    concurrency: int,
    timeouts: Timeouts,
    kind: Kind = "auto",
    *,
    per_second: float | None = None,
    may_send: MaySend = always,
) -> AsyncIterator[Transport]:
    """Open the transport of one run. `per_second` is the request rate; None means unlimited. Once
    `may_send` returns False, no byte of a request is written (NotConnected).

    Redirects are not followed, because they would carry the key to another address. Raises
    UsageError if the environment names a proxy that cannot be used.
    """
    address = urlsplit(base_url)
    tls = _tls() if address.scheme == "https" else None
    if takes_httpx(kind, base_url, per_second):
        # the direct sender does without httpx, a tenth of a run's imports
        from rdimport.delivery.transport.httpx_sender import httpx_sender  # noqa: PLC0415
        from rdimport.delivery.transport.proxies import proxy_for  # noqa: PLC0415

        async with httpx_sender(
            credentials, timeouts, concurrency, tls, proxy_for(base_url), may_send=may_send
        ) as sender:
            yield sender
        return
    async with DirectSender(
        base_url, credentials, concurrency, timeouts, tls, may_send=may_send
    ) as direct:
        yield direct
