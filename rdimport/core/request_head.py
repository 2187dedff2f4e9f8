"""uvicorn's HTTP protocol, with a time limit for the head of a request.

Without one, clients that connect and say nothing would take all the room.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class TimedHead(HttpToolsProtocol):
    """A connection that is closed if the head of a request takes longer than `head_within`."""

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
