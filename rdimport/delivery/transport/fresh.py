# ruff: noqa: ASYNC109  the interface is httpcore's
"""An httpx transport that opens a new connection for each request.

A connection that carries a single request cannot be stale when it is written to, and anything the
server sends after its response is discarded with it. Responses go through the same parser as those
of the direct sender, so both accept exactly the same bytes.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx
from httpcore import AnyIOBackend

from rdimport.delivery.transport.response import MaySend, Reply, always
from rdimport.delivery.transport.response_reader import (
    CUT_SHORT,
    AnswerReader,
    IncompleteAnswer,
    MalformedAnswer,
    ProxyUnreached,
)

_TICKETS: Final = 0.002
"""Seconds to wait for application data when bytes arrive over TLS before the request. Usually these
are TLS messages such as session tickets.
"""

_REWRITTEN: Final = ("connection", "content-length", "keep-alive", "transfer-encoding", "upgrade")


class _CutShort(httpcore.RemoteProtocolError, IncompleteAnswer):
    """IncompleteAnswer as an httpcore exception."""


class _NoProxy(httpcore.ProxyError, ProxyUnreached):
    """ProxyUnreached as an httpcore exception."""


class FreshTransport(httpx.AsyncHTTPTransport):
    """Opens at most `limit` connections at once, each for one request, through `proxy` if given."""

    def __init__(
        self,
        limit: int,
        tls: ssl.SSLContext | None,
        proxy: httpx.Proxy | None = None,
        may_send: MaySend = always,
    ) -> None:
        super().__init__(verify=tls or False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            proxy=None if proxy is None else _proxy(proxy),
            max_connections=limit,
            max_keepalive_connections=0,
            network_backend=CheckedBackend(may_send, through_proxy=proxy is not None),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by `httpx.AsyncClient`."""
        request.headers["connection"] = "close"
        return await super().handle_async_request(request)


def _proxy(proxy: httpx.Proxy) -> httpcore.Proxy:
    url = httpcore.URL(
        scheme=proxy.url.raw_scheme,
        host=proxy.url.raw_host,
        port=proxy.url.port,
        target=proxy.url.raw_path,
    )
    return httpcore.Proxy(url, proxy.raw_auth, proxy.headers.raw, proxy.ssl_context)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections whose responses are checked by `CheckedStream`."""

    def __init__(self, may_send: MaySend, *, through_proxy: bool = False) -> None:
        self._backend = AnyIOBackend()
        self._may_send = may_send
        self._through_proxy = through_proxy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a connection, to the proxy if there is one."""
        try:
            stream = await self._backend.connect_tcp(
                host, port, timeout, local_address, socket_options
            )
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            if self._through_proxy:
                raise _NoProxy(f"{host}:{port}") from error
            raise
        return CheckedStream(stream, self._may_send)


class CheckedStream(httpcore.AsyncNetworkStream):
    """One connection. It refuses to send if anything arrived before the request, or if it may not
    be sent any more, and passes on a response only if that can be parsed in exactly one way.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream, may_send: MaySend) -> None:
        self._stream = stream
        self._may_send = may_send
        self._reader: AnswerReader | None = None
        self._handed_on = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return a complete, normalised response, then b"". Before the request, return bytes as
        they arrive (a proxy's response to CONNECT).
        """
        reader = self._reader
        if reader is None:
            return await self._stream.read(max_bytes, timeout)
        while not reader.complete:
            data = await self._stream.read(max_bytes, timeout)
            try:
                reader.feed(data) if data else reader.end()
            except MalformedAnswer as error:
                raise httpcore.RemoteProtocolError(str(error)) from error
            if not data and not reader.complete:
                raise _CutShort(CUT_SHORT)
        if self._handed_on:
            return b""
        self._handed_on = True
        return _plain(reader.reply())

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write to the connection; refuse the start of a request if anything arrived before it."""
        if self._reader is None and _is_request(buffer):
            if not await self._is_idle():
                raise httpcore.ConnectError("the server spoke or closed before it was asked")
            if not self._may_send():
                raise httpcore.ConnectError("asleep for too long: the turn may be over")
            self._reader = AnswerReader()
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Upgrade the connection to TLS."""
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return CheckedStream(stream, self._may_send)

    def get_extra_info(self, info: str) -> Any:
        """Return information about the connection."""
        return self._stream.get_extra_info(info)

    async def _is_idle(self) -> bool:
        """Whether neither data nor an end of file has arrived, as far as the system knows."""
        if not self._stream.get_extra_info("is_readable"):
            return True
        if self._stream.get_extra_info("ssl_object") is None:
            return False
        try:
            await self._stream.read(1, _TICKETS)
        except httpcore.ReadTimeout:
            return True
        except httpcore.ReadError:
            return False
        return False


def _is_request(data: bytes) -> bool:
    """Whether `data` begins the request itself, as opposed to a CONNECT request to a proxy."""
    line = data.partition(b"\r\n")[0]
    return line.endswith(b" HTTP/1.1") and not line.startswith(b"CONNECT ")


def _plain(reply: Reply) -> bytes:
    """Serialise a parsed response in the simplest form."""
    status, headers, body = reply
    lines = [f"HTTP/1.1 {status:03d} X"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in _REWRITTEN]
    lines += [f"content-length: {len(body)}", "connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
