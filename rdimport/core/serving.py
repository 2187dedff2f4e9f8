"""Common to the servers on this machine: their socket, and a time limit for a request's head."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import ExitStack
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rdimport.core.errors import UsageError
from rdimport.core.messages import _


def bound(
    host: str, port: int, backlog: int, *, host_option: str, port_option: str
) -> socket.socket:
    """A socket that listens there. Raises UsageError, which names the option to change."""
    try:
        return _bound(host, port, backlog)
    except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one
        number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
        if number == errno.EADDRINUSE:
            remedy = _(
                "Choose another port with {option}, or stop the program that uses this one.",
                option=port_option,
            )
        elif number in (errno.EACCES, errno.EPERM):
            remedy = _("Choose another port with {option}, 1024 or higher.", option=port_option)
        elif number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            remedy = _("End other programs, or raise the limits for this one (ulimit -a).")
        else:
            remedy = _(
                "Name an address of this machine with {option}, such as 127.0.0.1.",
                option=host_option,
            )
        if isinstance(error, socket.gaierror | UnicodeError):
            why = _("the name is not known")
        message = _("Cannot listen on {host} port {port}: {why}.", host=host, port=port, why=why)
        raise UsageError(message, remedy) from error


def _bound(host: str, port: int, backlog: int) -> socket.socket:
    # not `socket.create_server`, which rewords the system's messages
    family, kind, protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )[0]
    with ExitStack() as unless_listening:
        listening = unless_listening.enter_context(socket.socket(family, kind, protocol))
        if sys.platform != "win32":
            # There it would let two servers share a port; elsewhere it only skips TIME_WAIT.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(backlog)
        unless_listening.pop_all()
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
