"""Common to the servers on this machine: their socket, and a time limit for a request's head."""

from __future__ import annotations

import socket
import sys
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def bound(host: str, port: int, backlog: int) -> socket.socket:
    """A socket that listens there. Raises OSError, which `socket.create_server` would reword."""
    family, kind, protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )[0]
    listening = socket.socket(family, kind, protocol)
    if sys.platform != "win32":
        # There it would let two servers share a port; elsewhere it only skips TIME_WAIT.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(address)
    listening.listen(backlog)
    return listening


class TimedHead(HttpToolsProtocol):
    """A connection that is closed if the head of a request takes longer than `head_within`.

    Without this limit, clients that connect and send nothing would take all connections.
    """

    head_within = 5.0
    """Seconds."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._limit: Any = None

    def connection_made(self, transport: Any) -> None:
        """Start the time limit for the first request."""
        super().connection_made(transport)
        self._limit = self.loop.call_later(self.head_within, transport.abort)

    def on_message_begin(self) -> None:
        """Start the time limit for a further request."""
        super().on_message_begin()
        if self._limit is None:
            self._limit = self.loop.call_later(self.head_within, self.transport.abort)

    def on_headers_complete(self) -> None:
        """Cancel the time limit: the head is complete."""
        self._cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit: the client has gone."""
        self._cancel()
        super().connection_lost(exc)

    def _cancel(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
