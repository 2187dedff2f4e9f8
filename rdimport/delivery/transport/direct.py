"""A lean httpx transport for one endpoint: HTTP/1.1, keep-alive, few allocations, nothing else.

It does what a row needs and refuses the rest: no redirect, no proxy, no cookie, no compression, no
second host. Whoever needs those has httpx's own transport (`--transport httpx`).
"""

from __future__ import annotations

import asyncio
import ssl
from functools import partial

import httpx

from rdimport.delivery.transport.connection import Wire
from rdimport.delivery.transport.response import Done, Patience, awaited
from rdimport.destination import Request


class LeanTransport(httpx.AsyncBaseTransport):
    """At most `limit` connections to the host of `url`, over TLS where `tls` is given.

    Its exceptions are httpx's: `ConnectError`, `ConnectTimeout`, `PoolTimeout` and
    `UnsupportedProtocol` prove that not one byte of the request left, all others do not. Bodies of
    answers are cut at `MAX_ANSWER`.
    """

    def __init__(
        self, url: httpx.URL, patience: Patience, limit: int, tls: ssl.SSLContext | None
    ) -> None:
        self._origin = _origin(url)
        self._url = url
        self._patience = patience
        self._tls = tls
        self._places = asyncio.Semaphore(limit)
        self._idle: list[Wire] = []
        self._wires: set[Wire] = set()
        self._connecting: dict[Done, asyncio.Task[None]] = {}

    def start(self, message: bytes, done: Done) -> None:
        """Send a whole request, as bytes; `done` is told how it ended. Who calls this keeps to the
        limit of connections.
        """
        wire = self._rested()
        if wire is not None:
            wire.send(message, done)
        else:
            self._connecting[done] = asyncio.create_task(self._over_a_new_one(message, done))

    def abandon(self, done: Done) -> None:
        """End an exchange whose answer nobody waits for."""
        task = self._connecting.pop(done, None)
        if task is not None:
            task.cancel()
        for wire in [wire for wire in self._wires if wire.carries == done]:
            wire.abandon()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """What `httpx.AsyncClient` calls; waits for a free connection."""
        if _origin(request.url) != self._origin:
            raise httpx.UnsupportedProtocol(f"this transport only reaches {self._url.host}")
        body = await request.aread()
        message = head(request) + str(len(body)).encode() + b"\r\n\r\n" + body
        await self._place()
        try:
            reply = await awaited(partial(self.start, message), self.abandon)
        finally:
            self._places.release()
        status, headers, content = reply
        return httpx.Response(status, headers=dict(headers), stream=httpx.ByteStream(content))

    async def aclose(self) -> None:
        """Close all connections."""
        for task in self._connecting.values():
            task.cancel()
        gone = [wire.gone for wire in self._wires]
        for wire in list(self._wires):
            wire.drop()
        if gone:
            await asyncio.wait(gone, timeout=1)

    async def _place(self) -> None:
        try:
            async with asyncio.timeout(self._patience.whole):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("all connections are in use") from None

    def _rested(self) -> Wire | None:
        """The connection that was used last: so the others grow old, and few stay open."""
        while self._idle:
            wire = self._idle.pop()
            if wire.ready():
                return wire
            wire.drop()
        return None

    async def _over_a_new_one(self, message: bytes, done: Done) -> None:
        try:
            wire = await self._connect()
        except Exception as error:  # noqa: BLE001  whatever it is, the row's end must be told
            if self._connecting.pop(done, None) is not None:
                done(error)
            return
        if self._connecting.pop(done, None) is None:  # it was abandoned meanwhile
            self._idle.append(wire)
        else:
            wire.send(message, done)

    async def _connect(self) -> Wire:
        scheme, host, port = self._origin
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience.connect):
                _, wire = await loop.create_connection(
                    self._wire, host, port, ssl=self._tls, happy_eyeballs_delay=0.25
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, ssl.SSLError, UnicodeError) as error:
            raise httpx.ConnectError(_told(error)) from None
        self._wires.add(wire)
        # over TLS the server's tickets for a later session may have come already
        if not (wire.quiet() if scheme == "http" else wire.open()):
            wire.drop()
            raise httpx.ConnectError("the server spoke or closed before it was asked")
        return wire

    def _wire(self) -> Wire:
        return Wire(self._patience, self._idle.append, self._forget)

    def _forget(self, wire: Wire) -> None:
        self._wires.discard(wire)
        if wire in self._idle:
            self._idle.remove(wire)


class LeanSender:
    """Turns a destination's requests into bytes, their heads only once for all rows."""

    def __init__(self, transport: LeanTransport, parameters: dict[str, str]) -> None:
        self._transport = transport
        self._parameters = parameters
        self._heads: dict[tuple[str, str, tuple[tuple[str, str], ...]], bytes] = {}

    def start(self, request: Request, done: Done) -> None:
        """Send once, and tell `done` how it ended. Who calls this keeps to the limit."""
        self._transport.start(self._message(request), done)

    def abandon(self, done: Done) -> None:
        """End an exchange whose answer nobody waits for."""
        self._transport.abandon(done)

    def _message(self, request: Request) -> bytes:
        method, url, headers, body = request
        key = (method, url, tuple(headers.items()))
        start = self._heads.get(key)
        if start is None:
            start = self._heads[key] = head(
                httpx.Request(method, httpx.URL(url, params=self._parameters), headers=headers)
            )
        return b"%b%d\r\n\r\n%b" % (start, len(body), body)


def head(request: httpx.Request) -> bytes:
    """The head of a request as bytes, up to the value of its `Content-Length`, which comes last.

    Raises httpx.LocalProtocolError when a value holds what would end its line.
    """
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [
        b"%b: %b" % (name, value)
        for name, value in request.headers.raw
        if name.lower() not in (b"content-length", b"transfer-encoding", b"connection")
    ]
    if any(c in line for line in lines for c in (b"\r", b"\n", b"\0")):
        raise httpx.LocalProtocolError("a header holds a line break")
    return b"\r\n".join([*lines, b"Content-Length: "])


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    port = url.port or (443 if url.scheme == "https" else 80)
    return url.scheme, url.raw_host.decode("ascii"), port


def _told(error: OSError | UnicodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
