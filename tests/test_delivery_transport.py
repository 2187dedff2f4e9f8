"""One request out, one answer in: what proves that nothing left, and what does not."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

import pytest
from support.peer import answering as peer_answering
from support.peer import exchange as sent
from support.peer import serving
from support.waiting import TIMEOUT

from rdimport.delivery.transport import (
    MAX_ANSWER,
    Kind,
    NotAnswered,
    NotConnected,
    Reply,
    connected,
)
from rdimport.delivery.transport.response import Timeouts
from rdimport.destination.rdstation.endpoint import RDStation

KEY = "s3cr3t-k3y-0f-th3-tr4nsp0rt"
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"event_uuid": "abc"}'

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=["lean", "httpx"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Both transports keep the same promises."""
    found: Kind = request.param
    return found


async def _exchange(
    talk: Conversation, kind: Kind, times: int, seconds: float, pause: float
) -> tuple[list[Reply | Exception], int]:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        station = RDStation(KEY, base_url=url)
        found: list[Reply | Exception] = []
        async with connected(
            url, station.credentials(), 2, Timeouts.within(seconds), kind
        ) as transport:
            for _ in range(times):
                try:
                    found.append(await sent(transport, station.build('{"email":"a@e.org"}')))
                except (NotConnected, NotAnswered) as error:
                    found.append(error)
                await asyncio.sleep(pause)
    return found, connections


def exchange(
    talk: Conversation, kind: Kind, times: int = 1, seconds: float = TIMEOUT, pause: float = 0
) -> tuple[list[Reply | Exception], int]:
    """Send `times` requests in turn to a server that answers with `talk`; also return its
    connections.
    """
    return asyncio.run(_exchange(talk, kind, times, seconds, pause))


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


def answering(raw: bytes, *, stay: bool = True) -> Conversation:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(raw)
            await writer.drain()
            if not stay:
                return

    return talk


def test_the_request_is_rds_call_and_the_answer_comes_as_it_was(kind: Kind) -> None:
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(GOOD.replace(b"OK\r\n", b"OK\r\nRetry-After: 7\r\n"))

    (reply,), _ = exchange(talk, kind)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers["retry-after"]) == (200, "7")
    assert reply.body == b'{"event_uuid": "abc"}'
    line, _, rest = seen[0].partition(b"\r\n")
    assert line == f"POST /platform/conversions?api_key={KEY} HTTP/1.1".encode()
    assert rest.lower().count(b"content-type: application/json\r\n") == 1
    assert rest.endswith(b'"payload":{"email":"a@e.org"}}')


def test_the_direct_sender_uses_its_connections_again_and_httpx_never_does(kind: Kind) -> None:
    replies, connections = exchange(answering(GOOD), kind, times=100)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert connections < 50 if kind == "lean" else connections == 100


@pytest.mark.parametrize(
    ("per_second", "again"), [(2.0, False), (10.0, False), (10.1, True), (None, True)]
)
def test_the_pace_chooses_the_sender(per_second: float | None, again: bool) -> None:
    async def main() -> int:
        async with serving(peer_answering) as server:
            station = RDStation(KEY, base_url=server.base_url)
            credentials = station.credentials()
            how = (server.base_url, credentials, 1, Timeouts())
            async with connected(*how, per_second=per_second) as transport:
                for _ in range(40):
                    await sent(transport, station.build("{}"))
            return server.connections

    assert (asyncio.run(main()) < 40) is again


def test_a_connection_that_the_server_closed_while_idle_costs_no_row(kind: Kind) -> None:
    replies, connections = exchange(answering(GOOD, stay=False), kind, times=5, pause=0.02)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert connections == 5


def test_a_refused_connection_proves_that_nothing_was_sent(kind: Kind) -> None:
    async def scenario() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            station = RDStation(KEY, base_url=url)
            async with connected(url, station.credentials(), 1, Timeouts(), kind) as transport:
                with pytest.raises(NotConnected):
                    await sent(transport, station.build("{}"))

    asyncio.run(scenario())


BROKEN = {
    "closed without an answer": b"",
    "half a status line": b"HTTP/1.1 20",
    "half the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": GOOD[:-4],
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "zeros": b"\x00" * 100,
    "a header without a name": b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000,
}


@pytest.mark.parametrize("broken", BROKEN)
def test_an_incomplete_answer_is_no_answer(broken: str, kind: Kind) -> None:
    (reply,), _ = exchange(answering(BROKEN[broken], stay=False), kind)
    assert isinstance(reply, NotAnswered), reply
    assert str(reply)
    assert KEY not in str(reply)


def test_an_answer_that_never_begins_is_given_up_in_time(kind: Kind) -> None:
    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request(reader)
        await reader.read()

    (reply,), _ = exchange(talk, kind, seconds=0.2)  # a client without a timeout would never end
    assert isinstance(reply, NotAnswered)
    assert "timeout" in str(reply)


def test_an_answer_that_drips_is_given_up_in_time_too(kind: Kind) -> None:
    dripped = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for byte in GOOD:
            writer.write(bytes([byte]))
            await writer.drain()
            dripped.append(byte)
            await asyncio.sleep(0.05)

    (reply,), _ = exchange(talk, kind, seconds=0.3)
    assert isinstance(reply, NotAnswered)
    assert str(reply) == "net.read_timeout"
    assert len(dripped) < len(GOOD), "it waited for all of it"


def test_a_flood_is_cut(kind: Kind) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000)
        await writer.drain()

    (reply,), _ = exchange(talk, kind)
    assert isinstance(reply, Reply)
    assert len(reply.body) == MAX_ANSWER


def test_a_redirect_is_not_followed_with_the_key(kind: Kind) -> None:
    raw = b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    (reply,), connections = exchange(answering(raw), kind)
    assert isinstance(reply, Reply)
    assert (reply.status, connections) == (307, 1)


def test_the_key_is_in_no_log_at_any_level(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    exchange(answering(GOOD), kind)
    exchange(answering(b"", stay=False), kind)
    assert kind == "lean" or "httpx" in {record.name for record in caplog.records}
    for record in caplog.records:
        assert KEY not in record.getMessage() + str(record.args) + str(record.exc_text)


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_rows(kind: Kind) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(GOOD + GOOD.replace(b"abc", b"xyz"))
        await writer.drain()
        await request(reader)
        writer.write(GOOD.replace(b"abc", b"def"))
        await writer.drain()

    replies, _ = exchange(talk, kind, times=2, pause=0.05)
    bodies = [reply.body for reply in replies if isinstance(reply, Reply)]
    assert b"xyz" not in b"".join(bodies)
