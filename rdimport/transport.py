"""One request out, one answer in, over httpx. The only module that knows which client it is.

It does not decide anything: it tells apart what proves that nothing left this machine from
everything else, and hands the answer's bytes on, cut to a size that cannot do harm.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from rdimport.destination import Request
from rdimport.destination.rdstation import LOOPBACK

MAX_ANSWER: Final = 64_000
"""Bytes of an answer that are read; RD's are a few hundred."""

_CONNECT: Final = 10.0
_WRITE: Final = 20.0
"""Seconds at most for a connection, and for a body to leave."""

_IDLE: Final = 4.0
"""Seconds after which an idle connection is not used again: fewer than any usual server keeps it,
so that no request meets a connection that is just being closed."""

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


class Reply(NamedTuple):
    """An answer as it came, its body cut at `MAX_ANSWER`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Masked(logging.Filter):
    """httpx writes the URL of each request into its log, and the URL holds the key."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = re.sub(r"(api_key=)[^&\s\"']+", r"\1***", record.getMessage())
        record.args = ()
        return True


class Transport:
    """Sends requests; a row's cancellation counts as an answer that never came."""

    def __init__(
        self, client: httpx.AsyncClient, credentials: Mapping[str, str], deadline: float
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._credentials = dict(credentials)
        self._urls: dict[str, httpx.URL] = {}

    async def exchange(self, request: Request) -> Reply:
        """Send once. Raises NotConnected or NotAnswered, with a sentence that holds no secret."""
        url = self._urls.get(request.url)
        if url is None:
            url = httpx.URL(request.url, params=self._credentials)
            self._urls[request.url] = url
        ready = self._client.build_request(
            request.method, url, headers=dict(request.headers), content=request.body
        )
        try:
            async with asyncio.timeout(self._deadline):
                return await self._send(ready)
        except _BEFORE_SENDING as error:
            raise NotConnected(_why(error)) from None
        except httpx.TransportError as error:
            raise NotAnswered(_why(error)) from None
        except TimeoutError:
            raise NotAnswered(f"no whole answer within {self._deadline:g} seconds") from None

    async def _send(self, ready: httpx.Request) -> Reply:
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


def _why(error: httpx.TransportError) -> str:
    """What a library's exception says, without the request that it carries."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    said = " ".join(str(error).split())[:200]
    return f"{kind}: {said}" if said else kind


@asynccontextmanager
async def connected(
    base_url: str, credentials: Mapping[str, str], concurrency: int, answer_within: float
) -> AsyncIterator[Transport]:
    """A transport for one run. Redirects are not followed: they would carry the key elsewhere.

    An answer must begin within `answer_within` seconds, and then never pause for so long; one whole
    exchange takes half as long again at most, also when every single byte arrives just in time.
    """
    logger = logging.getLogger("httpx")
    masked = _Masked()
    logger.addFilter(masked)
    address = urlsplit(base_url)
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(
            answer_within, connect=min(_CONNECT, answer_within), write=min(_WRITE, answer_within)
        ),
        limits=httpx.Limits(
            max_connections=concurrency,
            max_keepalive_connections=concurrency,
            keepalive_expiry=_IDLE,
        ),
        follow_redirects=False,
        trust_env=address.hostname not in LOOPBACK,  # no proxy leads back to this machine
        verify=ssl.create_default_context() if address.scheme == "https" else False,
    )
    try:
        async with client:
            yield Transport(client, credentials, 1.5 * answer_within)
    finally:
        logger.removeFilter(masked)
