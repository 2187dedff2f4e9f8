"""The ASGI application, and the faults that need access to the connection.

Requests under `/platform` are handled here, in plain ASGI so that the sandbox is not the bottleneck
of a benchmark. All others go to the page.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from rdimport.sandbox.endpoint import CONVERSIONS, Call, Endpoint
from rdimport.sandbox.faults import Fault
from rdimport.sandbox.replies import Reply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

TRANSPORT: Final = "rdimport.delivery.transport"
"""ASGI extension that holds the connection's asyncio transport (`transport.SandboxProtocol`)."""

PAGE_PATHS: Final = ("/sandbox", "/static", "/favicon.ico", "/.well-known")
"""Paths of the page. Browsers request the last two on their own, so they are not reported."""

_JSON: Final = (b"content-type", b"application/json; charset=utf-8")
_RESET: Final = struct.pack("ii", 1, 0)
_MAX_DRAIN: Final = 50_000_000


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


class App:
    """RD's paths and the page."""

    def __init__(self, endpoint: Endpoint, page: ASGIApp) -> None:
        self.endpoint = endpoint
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if path != "/" and not path.startswith(PAGE_PATHS):
            await self._platform(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    async def _platform(self, scope: Scope, receive: Receive, send: Send) -> None:
        injector = self.endpoint.injector
        clears = self.endpoint.clears
        method, path = scope["method"], scope["path"]
        query = scope["query_string"].decode("latin-1")
        fault = injector.draw() if path == CONVERSIONS and method == "POST" else None
        if fault in (Fault.RESET_BEFORE, Fault.HANG_BEFORE):
            self.endpoint.note(Call(method, path, query, scope["headers"], b""), fault)
            await (_reset(scope, receive) if fault is Fault.RESET_BEFORE else _hang(receive))
            return
        try:
            body = await _read(receive, self.endpoint.options.max_body)
        except ClientGoneError:
            return
        delay = injector.delay()
        if delay:
            await self.endpoint.clock.sleep(delay)
        if self.endpoint.clears != clears:  # a request from before a `clear` is cleared too
            await _reset(scope, receive)
            return
        reply = self.endpoint.answer(Call(method, path, query, scope["headers"], body), fault)
        if fault is None and not injector.faults.slow:
            await send(_start(reply))
            await send({"type": "http.response.body", "body": reply.body})
        else:
            await self._faulty(fault, reply, scope, receive, send)

    async def _faulty(
        self, fault: Fault | None, reply: Reply, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Apply a fault that happens after the request was read."""
        if fault is Fault.RESET_AFTER:
            await _reset(scope, receive)
        elif fault is Fault.HANG_AFTER:
            await _hang(receive)
        elif fault is Fault.CUT:
            await _send_cut(reply, scope, receive, send)
        elif fault is Fault.GARBAGE:
            await self._send(Reply(200, self.endpoint.injector.garbage()), send)
        elif fault is Fault.FAIL_AFTER:
            await self._send(Reply(self.endpoint.injector.fail_status(), b""), send)
        else:
            await self._send(reply, send)

    async def _send(self, reply: Reply, send: Send) -> None:
        await send(_start(reply))
        slow = self.endpoint.injector.faults.slow
        if slow:
            for position in range(len(reply.body)):
                byte = reply.body[position : position + 1]
                await send({"type": "http.response.body", "body": byte, "more_body": True})
                await self.endpoint.clock.sleep(slow)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": reply.body})


def _start(reply: Reply) -> dict[str, object]:
    headers = [_JSON, (b"content-length", b"%d" % len(reply.body)), *reply.headers]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The request's body; None if it is larger than `limit` bytes.

    The rest of a large body is read and discarded: closing while the client still writes would
    reset the connection, and the client would not see the 413.
    """
    parts, size, more = [], 0, True
    while more and size < _MAX_DRAIN:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if size <= limit else None


async def _reset(scope: Scope, receive: Receive) -> None:
    """Close with a TCP reset: with SO_LINGER 0 the kernel sends RST instead of FIN."""
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
    await _hang(receive)


async def _hang(receive: Receive) -> None:
    """Send nothing until the client disconnects or the server ends."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_cut(reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """Send half of the announced body, then close the connection."""
    await send(_start(reply))
    half = reply.body[: len(reply.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]
    transport.close()
    await _hang(receive)
