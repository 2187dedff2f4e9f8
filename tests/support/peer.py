"""A loopback server that follows a script, and rows sent to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from rdimport.delivery.transport import (
    Kind,
    Reply,
    Timeouts,
    Transport,
    TransportError,
    classify_error,
    connected,
)
from rdimport.destination import Request
from rdimport.destination.rdstation.endpoint import RDStation

KEY = "segredo-1234"
ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"event_uuid":"u"}'
KINDS: tuple[Kind, ...] = ("lean", "httpx")
both = pytest.mark.parametrize("kind", KINDS)

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The other end of one connection, as a test's script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next complete request; empty if the connection ends first."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return head + await self._reader.readexactly(size)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Reset the connection instead of closing it."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """Counts what arrived; each connection follows the script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.base_url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._script(Peer(reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(script)
    listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        await server.end()


async def exchange(transport: Transport, request: Request) -> Reply:
    """Send once and wait. Raises NotConnected or NotAnswered."""
    ended: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def done(end: Reply | Exception) -> None:
        if ended.done():
            return
        if isinstance(end, Reply):
            ended.set_result(end)
        else:
            ended.set_exception(end)

    transport.start(request, done)
    try:
        return await ended
    except asyncio.CancelledError:
        transport.abandon(done)
        raise
    except TransportError as error:
        raise classify_error(error) from None


async def post(transport: Transport, base_url: str, payload: str = '{"email":"a"}') -> Reply:
    return await exchange(transport, RDStation(KEY, base_url=base_url).build(payload))


@asynccontextmanager
async def sending(
    server: Server, kind: Kind = "lean", places: int = 4, timeouts: Timeouts | None = None
) -> AsyncIterator[Callable[[], Awaitable[Reply]]]:
    key = {"api_key": KEY}
    async with connected(server.base_url, key, places, timeouts or Timeouts(), kind) as transport:
        yield lambda: post(transport, server.base_url)


async def warm(server: Server, send: Callable[[], Awaitable[Reply]]) -> None:
    """Send until a connection is reused: from then on the next row reuses it, too."""
    for _ in range(1_000):
        before = server.connections
        await send()
        if server.connections == before:
            return
    raise AssertionError("no connection was ever used again")


async def answering(peer: Peer) -> None:
    while await peer.request():
        await peer.say(ACCEPTED)
