"""The fastest receiver that plain asyncio allows, in its own process: it costs the same for every
client, so ratios depend on the clients alone.

Any POST is answered with 200 and an event_uuid, a GET with what arrived so far. The parser
trusts its clients: it is a measuring instrument, not an endpoint (that is `rdimport sandbox`).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_UUID = b'{"event_uuid":"5408c5a3-4711-4f2e-8d0b-13407a3e30f3"}'
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Server: receiver\r\nRateLimit-Limit: 120\r\nRateLimit-Remaining: 119\r\nContent-Length: "
)
_ANSWER = _HEAD + str(len(_UUID)).encode() + b"\r\n\r\n" + _UUID


class Arrived(NamedTuple):
    """What the receiver got since it was started or last asked."""

    requests: int
    bytes: int
    first: float
    """When the first of them arrived, by the machine's monotonic clock."""


class _Seen:
    requests = 0
    bytes = 0
    first = 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            if data.startswith(b"GET"):
                body = json.dumps([_Seen.requests, _Seen.bytes, _Seen.first]).encode()
                _Seen.requests = _Seen.bytes = 0
                self._transport.write(_HEAD + str(len(body)).encode() + b"\r\n\r\n" + body)
                data = data[end + 4 :]
                continue
            at = data.lower().index(b"content-length:", 0, end + 2) + 15
            size = int(data[at : data.index(b"\r\n", at)])
            if b"expect: 100-continue" in data[:end].lower():
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if len(data) < end + 4 + size:
                break
            _Seen.first = _Seen.first if _Seen.requests else time.monotonic()
            _Seen.requests += 1
            _Seen.bytes += size
            data = data[end + 4 + size :]
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._answer)
            else:
                self._transport.write(_ANSWER)
        self._data = data

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


async def _serve(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(latency), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, gone.set)  # the starting process has ended
    await gone.wait()
    server.close()


class Receiver(NamedTuple):
    """A running receiver."""

    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def arrived(self) -> Arrived:
        """What it got since it was last asked."""
        with urllib.request.urlopen(self.base_url) as answer:
            return Arrived(*json.load(answer))


@contextmanager
def receiving(latency: float = 0.0) -> Iterator[Receiver]:
    """Start one; `latency` is the seconds each answer takes."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(latency)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Receiver(int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
