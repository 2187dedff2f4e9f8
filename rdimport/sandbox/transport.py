"""uvicorn's HTTP protocol with two additions: the application may see the connection's transport
(a reset needs the socket itself), and the time an idle connection lives can change at run time.
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

    def on_message_begin(self) -> None:
        """A request begins: show its application the transport."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]

    def on_response_complete(self) -> None:
        """A request ends: the connection may now be idle for as long as the faults say."""
        app = self.config.app
        idle = app.endpoint.chance.faults.close_idle if isinstance(app, App) else 0.0
        # uvicorn declares whole seconds, but only hands the value to loop.call_later.
        self.timeout_keep_alive = idle or self._longest_idle  # type: ignore[assignment]
        super().on_response_complete()
