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
        self._silencing: tuple[bytes, str] | None = None
        self._silent: set[tuple[str, tuple[socket.socket, socket.socket]]] = set()
        self._closed = self._unplugged = False
        self.refused = 0
        """How many connections it refused while unplugged."""
        self.swallowed = 0
        """How often it swallowed bytes."""
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

    def silence(self, word: bytes, way: str = TO_SERVER) -> None:
        """Swallow all that goes this way of one connection, once the server is told this word, and
        that, too. The other way is carried; `mend` changes nothing.
        """
        with self._changed:
            self._silencing = word, way

    @property
    def silenced(self) -> int:
        """How many connections are."""
        return len(self._silent)

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
                    self._see_silenced(way, data, pair)
                    self.waiting = way in self._held
                    self._changed.wait_for(lambda: way not in self._held)
                    swallowed = way in self._cut or (way, pair) in self._silent
                if swallowed:
                    self.swallowed += 1
                else:
                    target.sendall(data)
        with self._changed:
            self._changed.wait_for(lambda: way not in self._held)
            swallowed = way in self._cut or (way, pair) in self._silent
        if not swallowed:  # a cut direction carries no end of stream either
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)
            self._end(pair)

    def _see_silenced(
        self, way: str, data: bytes, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        if way == TO_SERVER and self._silencing and self._silencing[0] in data:
            self._silent.add((self._silencing[1], pair))
            self._silencing = None

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
