"""A loopback web server that follows a script, with or without TLS, and a proxy to it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

Answer = Callable[["Visit"], None]

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx on loopback: without it, each client first loads all CA certificates."""


class Visit(BaseHTTPRequestHandler):
    """One request; a script answers it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the body waits 40 ms for the head to be acknowledged
    site: Site

    def do_GET(self) -> None:
        self.site.seen.append(self)
        with suppress(OSError):
            self.site.answer(self)

    def log_message(self, *_: object) -> None:
        """Suppress logging."""

    def say(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Send a complete response."""
        self.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """Close the connection here."""
        self.wfile.flush()
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Site:
    """A server, its script and the requests it received."""

    answer: Answer
    port: int = 0
    scheme: str = "http"
    seen: list[Visit] = field(default_factory=list)

    def at(self, path: str, user: str = "") -> str:
        return f"{self.scheme}://{user}127.0.0.1:{self.port}{path}"


@contextmanager
def site(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A temporary server."""
    found = Site(answer, scheme="https" if tls else "http")
    visit = type("Here", (Visit,), {"site": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), visit) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        found.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        server.shutdown()


class _Tunnel(BaseHTTPRequestHandler):
    port: int

    def do_CONNECT(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_carry, args=(there, self.connection), daemon=True)
            back.start()
            _carry(self.connection, there)
            back.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Suppress logging."""


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxy(port: int) -> Iterator[str]:
    """A proxy that connects to a local port, whatever host is requested."""
    tunnel = type("Tunnel", (_Tunnel,), {"port": port})
    with ThreadingHTTPServer(("127.0.0.1", 0), tunnel) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
