"""What the transport says of an exchange, against real sockets: did anything leave or not?"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from rdimport.destination.rdstation import RDStation
from rdimport.transport import (
    Kind,
    NotAnswered,
    NotConnected,
    Patience,
    Reply,
    Transport,
    connected,
)
from rdimport.transport.lean import LeanTransport

KEY = "segredo-1234"
ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"event_uuid":"u"}'
KINDS: tuple[Kind, ...] = ("lean", "httpx")
both = pytest.mark.parametrize("kind", KINDS)

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The other end of one connection, as a test's script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next whole request; empty when the connection ends instead."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return head + await self._reader.readexactly(size)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        self.writer.transport.abort()


class Server:
    """Counts what arrived; each connection follows the script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.base_url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._script(Peer(reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(script)
    listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        await server.end()


async def post(transport: Transport, base_url: str, payload: str = '{"email":"a"}') -> Reply:
    return await transport.exchange(RDStation(KEY, base_url=base_url).build(payload))


@asynccontextmanager
async def sending(
    server: Server, kind: Kind = "lean", places: int = 4, patience: Patience | None = None
) -> AsyncIterator[Callable[[], Awaitable[Reply]]]:
    key = {"api_key": KEY}
    async with connected(server.base_url, key, places, patience or Patience(), kind) as transport:
        yield lambda: post(transport, server.base_url)


async def answering(peer: Peer) -> None:
    while await peer.request():
        await peer.say(ACCEPTED)


@both
def test_one_connection_carries_one_row_after_the_other(kind: Kind) -> None:
    seen = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(request)
            await peer.say(ACCEPTED)

    async def main() -> None:
        async with serving(script) as server, sending(server, kind) as send:
            for _ in range(3):
                assert (await send()).body == b'{"event_uuid":"u"}'
            assert server.connections == 1

    asyncio.run(main())
    head, _, body = seen[2].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /platform/conversions?api_key=segredo-1234 HTTP/1.1"
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
    assert fields[b"host"].startswith(b"127.0.0.1:")
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"content-length"] == str(len(body)).encode()
    assert body == b'{"event_type":"CONVERSION","event_family":"CDP","payload":{"email":"a"}}'


@both
def test_many_rows_at_once_share_few_connections_and_each_gets_its_own_answer(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            name = request.rpartition(b'"email":"')[2].rstrip(b'"}')
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name))

    async def main() -> None:
        key = {"api_key": KEY}
        async with (
            serving(script) as server,
            connected(server.base_url, key, 4, Patience(), kind) as to,
        ):

            async def one(number: int) -> None:
                reply = await post(to, server.base_url, f'{{"email":"{number}"}}')
                assert reply.body == str(number).encode()

            await asyncio.gather(*(one(number) for number in range(200)))
            assert server.connections <= 4

    asyncio.run(main())


@both
def test_a_refused_connection_proves_that_nothing_left(kind: Kind) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}"

        async def main() -> None:
            async with connected(base_url, {"api_key": KEY}, 1, Patience(), kind) as transport:
                with pytest.raises(NotConnected) as caught:
                    await post(transport, base_url)
                assert KEY not in repr(caught.value)

        asyncio.run(main())


@both
def test_a_server_without_tls_where_tls_is_due_proves_that_nothing_left(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with serving(script) as server:
            base_url = server.base_url.replace("http:", "https:")
            async with connected(base_url, {"api_key": KEY}, 1, Patience(), kind) as transport:
                with pytest.raises(NotConnected):
                    await post(transport, base_url)

    asyncio.run(main())


UNANSWERED = {
    "closed": b"",
    "cut in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "cut in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    "cut in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
    "garbage": b"\x16\x03\x01\x00\xff garbage \r\n\r\n",
}


@both
@pytest.mark.parametrize("said", UNANSWERED.values(), ids=UNANSWERED.keys())
@pytest.mark.parametrize("reset", [False, True])
def test_an_end_without_a_whole_answer_proves_nothing(kind: Kind, said: bytes, reset: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(said)
        if reset:
            peer.reset()

    async def main() -> None:
        async with serving(script) as server, sending(server, kind) as send:
            with pytest.raises(NotAnswered) as caught:
                await send()
            assert KEY not in repr(caught.value)
            assert server.connections == 1

    asyncio.run(main())


def test_a_connection_that_was_closed_while_idle_costs_no_row() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(ACCEPTED)
        peer.writer.close()
        closed.set()

    async def main() -> None:
        async with serving(script) as server, sending(server) as send:
            for number in range(20):
                closed.clear()
                assert (await send()).status == 200
                await closed.wait()
                assert server.connections == number + 1

    closed = asyncio.Event()
    asyncio.run(main())


def test_the_system_is_asked_before_writing_though_the_event_loop_has_not_looked_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def answer(then: Callable[[socket.socket], None]) -> None:
            end, _ = listening.accept()
            while b"\r\n\r\n{" not in end.recv(65536):
                pass
            end.sendall(ACCEPTED)
            ends.append(end)
            then(end)

        async def main() -> None:
            async with connected(base_url, {"api_key": KEY}, 1, Patience()) as transport:
                for trouble in (socket.socket.close, lambda end: end.sendall(b"x"), lambda _: None):
                    serving = asyncio.to_thread(answer, lambda _: None)
                    exchanged, _ = await asyncio.gather(post(transport, base_url), serving)
                    assert exchanged.status == 200
                    trouble(ends[-1])  # no await until the next request is written

        ends: list[socket.socket] = []
        asyncio.run(main())
        for end in ends:
            end.close()


def test_what_comes_unasked_ends_the_connection_and_answers_no_row() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(ACCEPTED + b"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n")
        await peer.request()

    async def main() -> None:
        async with serving(script) as server, sending(server) as send:
            assert [(await send()).status for _ in range(3)] == [200, 200, 200]
            assert server.connections == 3

    asyncio.run(main())


def test_an_idle_connection_is_not_used_beyond_its_time_or_the_servers_word() -> None:
    async def script(peer: Peer) -> None:
        while await peer.request():
            said = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n"
            await peer.say(said if told else ACCEPTED)

    async def main(patience: Patience) -> int:
        async with serving(script) as server, sending(server, patience=patience) as send:
            for _ in range(3):
                await send()
            return server.connections

    told = False
    assert asyncio.run(main(Patience())) == 1
    assert asyncio.run(main(Patience(idle=0))) == 3
    told = True
    assert asyncio.run(main(Patience())) == 3


@both
@pytest.mark.parametrize("patience", [Patience(read=0.1), Patience(whole=0.1)])
def test_silence_ends_with_doubt(kind: Kind, patience: Patience) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.request()

    async def main() -> None:
        async with serving(script) as server, sending(server, kind, patience=patience) as send:
            with pytest.raises(NotAnswered, match="timeout"):
                await send()

    asyncio.run(main())


@both
def test_bytes_that_come_one_by_one_do_not_outlast_the_whole_time(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            await peer.say(b"x")
            await asyncio.sleep(0.01)

    async def main() -> None:
        patience = Patience(whole=0.2)
        async with serving(script) as server, sending(server, kind, patience=patience) as send:
            with pytest.raises(NotAnswered, match="whole"):
                await send()

    asyncio.run(main())


def test_a_server_that_takes_no_bytes_ends_with_doubt() -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async def main() -> None:
        key = {"api_key": KEY}
        patience = Patience(write=0.1)
        async with (
            serving(script) as server,
            connected(server.base_url, key, 1, patience) as to,
        ):
            with pytest.raises(NotAnswered, match="write timeout"):
                await post(to, server.base_url, '"' + "x" * 20_000_000 + '"')

    asyncio.run(main())


def test_a_cancelled_row_leaves_no_answer_behind_for_the_next_one() -> None:
    async def script(peer: Peer) -> None:
        while await peer.request():
            arrived.set()
            await asyncio.sleep(0)
            if server_says.is_set():
                await peer.say(ACCEPTED)

    async def main() -> None:
        async with serving(script) as server, sending(server, places=1) as send:
            first = asyncio.ensure_future(send())
            await arrived.wait()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            server_says.set()
            assert (await send()).status == 200
            assert server.connections == 2

    arrived, server_says = asyncio.Event(), asyncio.Event()
    asyncio.run(main())


@both
def test_a_redirect_is_an_answer_and_is_not_followed(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.say(
                b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            )

    async def main() -> None:
        async with serving(script) as server, sending(server, kind) as send:
            reply = await send()
            assert (reply.status, reply.headers["location"]) == (307, "http://127.0.0.1:1/")

    asyncio.run(main())


def test_where_the_environment_names_a_proxy_httpx_takes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    async def script(peer: Peer) -> None:
        line = await peer._reader.readuntil(b"\r\n\r\n")
        seen.append(line.split(b"\r\n")[0])
        await peer.say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with serving(script) as server:
            monkeypatch.setenv("HTTPS_PROXY", server.base_url)
            base_url = "https://api.example.com"
            async with connected(base_url, {"api_key": KEY}, 1, Patience()) as transport:
                with pytest.raises(NotConnected, match="proxy error"):
                    await post(transport, base_url)

    asyncio.run(main())
    assert seen == [b"CONNECT api.example.com:443 HTTP/1.1"]


def test_it_is_an_httpx_transport_that_reaches_one_host_only() -> None:
    async def main() -> None:
        async with serving(answering) as server:
            lean = LeanTransport(httpx.URL(server.base_url), Patience(), 2, None)
            async with httpx.AsyncClient(transport=lean) as client:
                answer = await client.post(f"{server.base_url}/x", json={"a": "b"})
                assert answer.json() == {"event_uuid": "u"}
                with pytest.raises(httpx.UnsupportedProtocol):
                    await client.get("http://127.0.0.1:1/")

    asyncio.run(main())


def test_servers_that_close_at_random_moments_never_make_a_lost_row_look_unsent() -> None:
    """What was read by the server is never called not connected: that would send it twice."""
    chance = random.Random(8)  # noqa: S311
    arrived: list[bytes] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            arrived.append(request.rpartition(b'"email":"')[2].rstrip(b'"}'))
            if chance.random() < 0.1:
                return
            await peer.say(ACCEPTED)
            if chance.random() < 0.1:
                return

    async def main() -> dict[str, str]:
        ends = {}
        key = {"api_key": KEY}
        async with (
            serving(script) as server,
            connected(server.base_url, key, 8, Patience()) as transport,
        ):

            async def one(name: str) -> None:
                try:
                    await post(transport, server.base_url, f'{{"email":"{name}"}}')
                    ends[name] = "answered"
                except NotConnected:
                    ends[name] = "unsent"
                except NotAnswered:
                    ends[name] = "doubt"

            for start in range(0, 400, 8):
                await asyncio.gather(*(one(str(n)) for n in range(start, start + 8)))
        return ends

    ends = asyncio.run(main())
    names = [name.decode() for name in arrived]
    assert len(ends) == 400
    assert len(names) == len(set(names))
    assert not {name for name, end in ends.items() if end == "unsent"} & set(names)
    assert {name for name, end in ends.items() if end == "answered"} <= set(names)
