"""A TCP proxy between a program and a local server that can be cut, held or unplugged."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

TO_SERVER: Final = "to server"
TO_CLIENT: Final = "to client"


class Cable:
    """Forwards every connection to its own port to the server's, byte by byte.

    A direction that is cut discards its bytes; one that is held keeps them until it is released.
    """

    def __init__(self, port: int, at: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._server = port
        family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
        self._listening = socket.create_server(at, family=family)
        self.port = int(self._listening.getsockname()[1])
        self._changed = threading.Condition()
        self._cut: set[str] = set()
        self._held: set[str] = set()
        self._closed = self._unplugged = False
        self.refused = 0
        """How many connections it refused while unplugged."""
        self.waiting = False
        """Whether bytes are being held."""
        self._pairs: dict[tuple[socket.socket, socket.socket], int] = {}
        """How many of the two directions of each connection have ended."""
        self._seen: Callable[[str, bytes], None] = lambda _way, _data: None
        threading.Thread(target=self._accept, daemon=True).start()

    def watch(self, seen: Callable[[str, bytes], None]) -> None:
        """Call `seen` with each direction's bytes before they are forwarded; it may cut or hold
        them.
        """
        self._seen = seen

    def cut(self, *ways: str) -> None:
        """Discard the bytes of these directions; connections stay open."""
        with self._changed:
            self._cut |= set(ways)

    def hold(self, *ways: str) -> None:
        """Hold the bytes of these directions."""
        with self._changed:
            self._held |= set(ways)

    def unplug(self) -> None:
        """Reset all connections and refuse new ones."""
        with self._changed:
            self._unplugged = True
        self.reset()

    def mend(self) -> None:
        """Forward everything again, held bytes first."""
        self._unplugged = False
        with self._changed:
            self._cut.clear()
            self._held.clear()
            self._changed.notify_all()

    def reset(self) -> None:
        """Reset all connections: both ends notice at once."""
        with self._changed:
            pairs, self._pairs = self._pairs, {}
            self._changed.notify_all()
        for one in (end for pair in pairs for end in pair):
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD)  # wakes its thread
            with suppress(OSError):
                one.close()

    def close(self) -> None:
        """Stop accepting connections and close the open ones."""
        with self._changed:
            self._closed = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes its thread
        self._listening.close()
        self.mend()
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._unplugged:
                self.refused += 1
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._server))
            except OSError:
                client.close()
                continue
            with self._changed:
                if self._closed or self._unplugged:  # while connecting
                    client.close()
                    server.close()
                    continue
                self._pairs[client, server] = 0
            for way in (TO_SERVER, TO_CLIENT):
                one = threading.Thread(
                    target=self._carry, args=(way, (client, server)), daemon=True
                )
                one.start()

    def _carry(self, way: str, pair: tuple[socket.socket, socket.socket]) -> None:
        source, target = pair if way == TO_SERVER else pair[::-1]
        with suppress(OSError):
            while data := source.recv(65_536):
                self._seen(way, data)
                with self._changed:
                    self.waiting = way in self._held
                    self._changed.wait_for(lambda: way not in self._held)
                    swallowed = way in self._cut
                if not swallowed:
                    target.sendall(data)
        with self._changed:
            self._changed.wait_for(lambda: way not in self._held)
            swallowed = way in self._cut
        if not swallowed:  # a cut direction carries no end of stream either
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)
            self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """Note that a direction has ended; once both have, close the connection."""
        with self._changed:
            if pair not in self._pairs:
                return
            self._pairs[pair] += 1
            if self._pairs[pair] < 2:
                return
            del self._pairs[pair]
        for one in pair:
            one.close()


@contextmanager
def cable(port: int, at: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[Cable]:
    """A temporary cable to a port. `at` is the address it listens on."""
    one = Cable(port, at)
    try:
        yield one
    finally:
        one.close()
