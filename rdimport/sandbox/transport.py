"""uvicorn's HTTP protocol with two additions: the application has access to the connection's
transport, which a reset needs; the idle timeout can change at run time.
"""

from __future__ import annotations

from typing import Any

from rdimport.core.serving import TimedHead
from rdimport.sandbox.app import TRANSPORT, App


class SandboxProtocol(TimedHead):
    """A connection."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._longest_idle = self.timeout_keep_alive
        if isinstance(self.config.app, App):
            self.head_within = self.config.app.endpoint.options.header_timeout

    def on_message_begin(self) -> None:
        """Make the transport available to the application of the request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]

    def on_response_complete(self) -> None:
        """Set the idle timeout according to the fault switches."""
        app = self.config.app
        idle = app.endpoint.injector.faults.close_idle if isinstance(app, App) else 0.0
        # uvicorn declares whole seconds, but only hands the value to loop.call_later.
        self.timeout_keep_alive = idle or self._longest_idle  # type: ignore[assignment]
        super().on_response_complete()
