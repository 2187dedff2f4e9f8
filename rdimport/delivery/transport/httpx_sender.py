"""httpx in the ordinary way, with its own transport: proxies, and no line of ours under it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx

from rdimport.core.masking import Mask
from rdimport.delivery.transport.response import MAX_ANSWER, Done, Patience, Reply
from rdimport.destination import Request

_LOGGERS: Final = ("httpx", *(f"httpcore.{part}" for part in "connection http11 proxy".split()))


class _Masked(logging.Filter):
    """httpx writes the URL of each request into its log, and the URL holds the key; httpcore what
    the endpoint answered, which may repeat it.
    """

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._mask(record.getMessage())
        record.args = ()
        return True


class OrdinarySender:
    """Sends with a client of httpx."""

    def __init__(
        self, client: httpx.AsyncClient, parameters: Mapping[str, str], whole: float
    ) -> None:
        self._client = client
        self._whole = whole
        self._parameters = dict(parameters)
        self._urls: dict[str, httpx.URL] = {}
        self._tasks: dict[Done, asyncio.Task[None]] = {}

    def start(self, request: Request, done: Done) -> None:
        """Send once, and tell `done` how it ended."""
        self._tasks[done] = asyncio.create_task(self._tell(request, done))

    def abandon(self, done: Done) -> None:
        """End an exchange whose answer nobody waits for."""
        task = self._tasks.pop(done, None)
        if task is not None:
            task.cancel()

    async def _tell(self, request: Request, done: Done) -> None:
        end: Reply | Exception
        try:
            end = await self.send(request)
        except Exception as error:  # noqa: BLE001  whatever it is, the row's end must be told
            end = error
        if self._tasks.pop(done, None) is not None:
            done(end)

    async def send(self, request: Request) -> Reply:
        """Send once. Raises httpx.TransportError."""
        url = self._urls.get(request.url)
        if url is None:
            url = httpx.URL(request.url, params=self._parameters)
            self._urls[request.url] = url
        ready = self._client.build_request(
            request.method, url, headers=dict(request.headers), content=request.body
        )
        try:
            async with asyncio.timeout(self._whole):
                return await self._answer(ready)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no whole answer within {self._whole:g} seconds") from None

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
        return Reply(response.status_code, response.headers, bytes(body[:MAX_ANSWER]))


@asynccontextmanager
async def ordinary(
    parameters: Mapping[str, str],
    patience: Patience,
    concurrency: int,
    tls: ssl.SSLContext | None,
    *,
    trust_env: bool,
) -> AsyncIterator[OrdinarySender]:
    """A sender for as long as it is needed. `trust_env` lets the environment name a proxy."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    masked = _Masked(Mask(parameters.values()))
    for logger in loggers:
        logger.addFilter(masked)
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(
            connect=patience.connect,
            write=patience.write,
            read=patience.read,
            pool=patience.whole,
        ),
        limits=httpx.Limits(
            max_connections=concurrency,
            max_keepalive_connections=concurrency,
            keepalive_expiry=patience.idle,
        ),
        follow_redirects=False,
        trust_env=trust_env,
        verify=tls or False,
    )
    try:
        async with client:
            yield OrdinarySender(client, parameters, patience.whole)
    finally:
        for logger in loggers:
            logger.removeFilter(masked)
