"""The httpx sender: a new connection for each request, with proxy support."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from rdimport.core.masking import Mask
from rdimport.delivery.transport.fresh import FreshTransport
from rdimport.delivery.transport.proxies import secrets_of
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

_LOGGERS: Final = ("httpx", *(f"httpcore.{part}" for part in "connection http11 proxy".split()))

_UNSENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Exceptions which mean that not one byte of the request was sent."""


class _Masked(logging.Filter):
    """Masks secrets in log records. httpx logs the URL of each request, which contains the key;
    httpcore logs parts of the response, which may repeat it.
    """

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._mask(record.getMessage())
        record.args = ()
        return True


class _Sent:
    """Tracks whether a byte of a request may have been sent, apart from a proxy's CONNECT."""

    def __init__(self) -> None:
        self._began = False

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """httpcore's trace extension: called before each step of an exchange."""
        if event == "http11.send_request_headers.started":
            self._began = info["request"].method != b"CONNECT"

    def late(self, seconds: float) -> TransportError:
        """The exception for an exchange that exceeded its total time."""
        message = f"no whole answer within {seconds:g} seconds"
        return error_of(httpx.ReadTimeout if self._began else httpx.ConnectTimeout, message)

    def classify(self, error: httpx.TransportError) -> type[httpx.TransportError]:
        """The type to raise: a connect error while nothing was sent, otherwise the error's own."""
        if self._began or isinstance(error, _UNSENT):
            return type(error)
        if isinstance(error, httpx.TimeoutException):
            return httpx.ConnectTimeout
        return httpx.ProxyError


class HttpxSender:
    """Sends with an `httpx.AsyncClient`. `mask` hides the proxy's password in errors and
    responses.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        parameters: Mapping[str, str],
        total: float,
        mask: Callable[[str], str] = str,
    ) -> None:
        self._client = client
        self._total = total
        self._mask = mask
        self._parameters = dict(parameters)
        self._urls: dict[str, httpx.URL] = {}
        self._tasks: dict[Done, asyncio.Task[None]] = {}

    def start(self, request: Request, done: Done) -> None:
        """Send a request, and call `done` with its outcome."""
        self._tasks[done] = asyncio.create_task(self._tell(request, done))

    def abandon(self, done: Done) -> None:
        """Cancel the exchange; `done` is not called any more."""
        task = self._tasks.pop(done, None)
        if task is not None:
            task.cancel()

    async def _tell(self, request: Request, done: Done) -> None:
        end: Reply | Exception
        try:
            end = await self.send(request)
        except Exception as error:  # noqa: BLE001  passed to the callback
            end = error
        if self._tasks.pop(done, None) is not None:
            done(end)

    async def send(self, request: Request) -> Reply:
        """Send a request and return its response. Raises TransportError."""
        url = self._urls.get(request.url)
        if url is None:
            url = httpx.URL(request.url, params=self._parameters)
            self._urls[request.url] = url
        sent = _Sent()
        ready = self._client.build_request(
            request.method,
            url,
            headers=dict(request.headers),
            content=request.body,
            extensions={"trace": sent.trace},
        )
        try:
            async with asyncio.timeout(self._total):
                return await self._answer(ready)
        except TimeoutError:
            raise sent.late(self._total) from None
        except httpx.TransportError as error:
            raise error_of(sent.classify(error), self._mask(str(error))) from error

    async def _answer(self, ready: httpx.Request) -> Reply:
        response = await self._client.send(ready, stream=True)
        try:
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) >= MAX_ANSWER:
                    break
        finally:
            await response.aclose()
        message = self._mask(body[:MAX_ANSWER].decode("utf-8", "surrogateescape"))
        content = message.encode("utf-8", "surrogateescape")
        return Reply(response.status_code, response.headers, content)


def error_of(kind: type[httpx.TransportError], message: str) -> TransportError:
    """The error of a request that failed in httpx with one of this kind."""
    return TransportError(kind.__name__, message, unsent=issubclass(kind, _UNSENT))


@asynccontextmanager
async def httpx_sender(
    parameters: Mapping[str, str],
    timeouts: Timeouts,
    concurrency: int,
    tls: ssl.SSLContext | None,
    proxy: httpx.Proxy | None,
    *,
    may_send: MaySend = always,
) -> AsyncIterator[HttpxSender]:
    """Open a sender, and close it with the context."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    hidden = list(secrets_of(proxy))
    masked = _Masked(Mask([*parameters.values(), *hidden]))
    for logger in loggers:
        logger.addFilter(masked)
    client = httpx.AsyncClient(
        transport=FreshTransport(concurrency, tls, proxy, may_send),
        timeout=httpx.Timeout(
            connect=timeouts.connect,
            write=timeouts.write,
            read=timeouts.read,
            pool=timeouts.total,
        ),
        follow_redirects=False,
        trust_env=False,
    )
    try:
        async with client:
            mask = Mask(hidden) if hidden else str
            yield HttpxSender(client, parameters, timeouts.total, mask)
    finally:
        for logger in loggers:
            logger.removeFilter(masked)
