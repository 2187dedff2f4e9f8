"""uvicorn's HTTP protocol with three additions: the application may see the connection's transport
(a reset needs the socket itself), the time an idle connection lives can change at run time, and the
head of a request must come within a time.
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
    """One connection."""

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
        """A client is there: it has some time to say what it wants."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
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
        """The head of a request is there."""
        self._head_is_there()
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        """A request begins: show its application the transport."""
        super().on_message_begin()
        self._wait_for_head()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]

    def on_response_complete(self) -> None:
        """A request ends: the connection may now be idle for as long as the faults say."""
        app = self.config.app
        idle = app.endpoint.chance.faults.close_idle if isinstance(app, App) else 0.0
        # uvicorn declares whole seconds, but only hands the value to loop.call_later.
        self.timeout_keep_alive = idle or self._longest_idle  # type: ignore[assignment]
        super().on_response_complete()
