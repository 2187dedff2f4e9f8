"""The direct sender: HTTP/1.1 to one host, over connections that are reused.

It supports only what an import needs: no redirects, proxies, cookies, compression or second host.
docs/decisions/0001-transport.md says when it is used, and what it is worth.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Final, Self
from urllib.parse import quote, urlencode, urlsplit

from rdimport.delivery.transport.connection import Connection
from rdimport.delivery.transport.response import Done, MaySend, Timeouts, TransportError, always
from rdimport.delivery.transport.reuse import Reuse
from rdimport.destination import Request

_PATH: Final = re.compile(r"/[!-~]*")


class DirectSender:
    """Sends to the host of `base_url` over at most `places` busy connections and one idle one, with
    TLS if `tls` is given.

    Response bodies are cut at `MAX_ANSWER` bytes.
    """

    def __init__(
        self,
        base_url: str,
        parameters: Mapping[str, str],
        places: int,
        timeouts: Timeouts,
        tls: ssl.SSLContext | None,
        *,
        may_send: MaySend = always,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        address = urlsplit(base_url)
        self._name = _in_ascii(address.hostname or "")
        self._port = address.port or (80 if tls is None else 443)
        self._host = f"[{self._name}]" if ":" in self._name else self._name
        if address.port not in (None, 80 if tls is None else 443):
            self._host += f":{address.port}"
        self._origin = base_url[: len(base_url) - len(address.path)]
        self._query = urlencode(parameters, quote_via=quote)
        self._of = ("", "", dict[str, str]())
        self._head = b""
        """The head of the last request, and the values it was made from."""
        self._places = places
        self._timeouts = timeouts
        self._tls = tls
        self._may_send = may_send
        self._reuse = Reuse()
        self._idle: list[Connection] = []  # the one idle for longest comes first
        self._connections: set[Connection] = set()
        self._leaving: set[Connection] = set()
        self._connecting: dict[Done, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        for task in self._connecting.values():
            task.cancel()
        closed = [connection.closed for connection in self._connections]
        for connection in list(self._connections):
            connection.drop()
        if closed:
            await asyncio.wait(closed, timeout=1)

    def start(self, request: Request, done: Done) -> None:
        """Send a request, and call `done` with its outcome. The caller enforces the limit."""
        message = self._message(request)
        connection = self._take_idle()
        if connection is not None:
            connection.send(message, done)
            return
        while len(self._idle) > 1 and self._open() >= self._places:
            self._drop(self._idle.pop())
        self._connecting[done] = asyncio.create_task(self._send_over_a_new_one(message, done))

    def abandon(self, done: Done) -> None:
        """Cancel the exchange; `done` is not called any more."""
        task = self._connecting.pop(done, None)
        if task is not None:
            task.cancel()
        for connection in [one for one in self._connections if one.carries == done]:
            connection.abandon()

    def _message(self, request: Request) -> bytes:
        """The request as bytes; what precedes its length is made once for all rows."""
        method, url, headers, body = request
        if (method, url, headers) != self._of:
            self._head = self._head_of(request)
            self._of = (method, url, dict(headers))
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    def _head_of(self, request: Request) -> bytes:
        """The head up to the length. Raises TransportError if a header contains a line break."""
        path = request.url.removeprefix(self._origin)
        if not _PATH.fullmatch(path):
            path = quote(urlsplit(request.url).path or "/", safe="/%:@!$&'()*+,;=~")
        lines = [f"{request.method} {path}?{self._query} HTTP/1.1"]
        lines += [f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        head = "\r\n".join([*lines, "Content-Length: "])
        if head.count("\r") + head.count("\n") != 2 * len(lines) or "\0" in head:
            raise TransportError("LocalProtocolError", "a header holds a line break")
        return head.encode("latin-1")

    def _take_idle(self) -> Connection | None:
        """The most recently used connection, if it may be reused. Older ones stay idle, which shows
        how long the server keeps them open.
        """
        if not self._idle:
            return None
        now = self._loop.time()
        oldest = self._idle[0]
        if self._reuse.worth_a_look(oldest.rest(now)) and oldest.is_idle():
            self._reuse.survived(oldest.rest(now))
        while self._idle:
            connection = self._idle[-1]
            if not connection.is_idle():
                self._reuse.closed(connection.rest(now))
            elif not connection.is_old(now):
                if not self._reuse.allows(connection.rest(now), connection.took):
                    return None
                return self._idle.pop()
            self._drop(self._idle.pop())
        return None

    def _open(self) -> int:
        return len(self._connections) - len(self._leaving) + len(self._connecting)

    def _drop(self, connection: Connection) -> None:
        self._leaving.add(connection)
        connection.drop()

    async def _send_over_a_new_one(self, message: bytes, done: Done) -> None:
        try:
            connection = await self._connect()
        except Exception as error:  # noqa: BLE001  passed to the callback
            if self._connecting.pop(done, None) is not None:
                done(error)
            return
        if self._connecting.pop(done, None) is None:  # abandoned while connecting
            connection.drop()
        elif not self._may_send():
            connection.drop()
            done(_unsent("ConnectError", "asleep for too long: the turn may be over"))
        else:
            connection.send(message, done)

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._timeouts.connect):
                _, connection = await self._loop.create_connection(
                    self._new, self._name, self._port, ssl=self._tls, happy_eyeballs_delay=0.25
                )
        except TimeoutError:
            raise _unsent("ConnectTimeout", "no connection in time") from None
        except (OSError, ssl.SSLError, UnicodeError) as error:
            raise _unsent("ConnectError", _said_by(error)) from None
        self._connections.add(connection)
        # over TLS, session tickets may have arrived already
        if not (connection.is_idle() if self._tls is None else connection.open()):
            connection.drop()
            raise _unsent("ConnectError", "the server spoke or closed before it was asked")
        return connection

    def _new(self) -> Connection:
        return Connection(self._timeouts, self._freed, self._lost)

    def _freed(self, connection: Connection) -> None:
        self._reuse.answered()
        self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        if connection.closed_after is not None:
            self._reuse.closed(connection.closed_after)
        self._connections.discard(connection)
        self._leaving.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


def _in_ascii(host: str) -> str:
    """A host's name as used in requests."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415  hardly any host needs it

    return idna.encode(host).decode("ascii")


def _unsent(name: str, message: str) -> TransportError:
    return TransportError(name, message, unsent=True)


def _said_by(error: OSError | UnicodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
