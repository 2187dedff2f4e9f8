"""uvicorn's HTTP protocol with three additions: the application has access to the connection's
transport, which a reset needs; the idle timeout can change at run time; the head of a request must
arrive within a time limit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rdimport.sandbox.app import TRANSPORT, App

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState


class SandboxProtocol(HttpToolsProtocol):
    """A connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._longest_idle = self.timeout_keep_alive
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit."""
        self._head_is_there()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        app = self.config.app
        if self._head is None and isinstance(app, App):
            seconds = app.endpoint.options.header_timeout
            self._head = self.loop.call_later(seconds, self.transport.abort)

    def _head_is_there(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def on_headers_complete(self) -> None:
        """Cancel the time limit: the head is complete."""
        self._head_is_there()
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        """Make the transport available to the application of the request."""
        super().on_message_begin()
        self._wait_for_head()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]

    def on_response_complete(self) -> None:
        """Set the idle timeout according to the fault switches."""
        app = self.config.app
        idle = app.endpoint.injector.faults.close_idle if isinstance(app, App) else 0.0
        # uvicorn declares whole seconds, but only hands the value to loop.call_later.
        self.timeout_keep_alive = idle or self._longest_idle  # type: ignore[assignment]
        super().on_response_complete()
