"""What the transport reports of an exchange on real sockets: was anything sent or not?"""

from __future__ import annotations

import asyncio
import random
import socket

import pytest
from support.peer import ACCEPTED, KEY, Peer, both, post, sending, serving

from rdimport.delivery.transport import (
    Kind,
    NotAnswered,
    NotConnected,
    Timeouts,
    connected,
)


@both
def test_the_request_is_rds_call_over_every_connection(kind: Kind) -> None:
    seen = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(request)
            await peer.say(ACCEPTED)

    async def main() -> None:
        async with serving(script) as server, sending(server, kind) as send:
            for _ in range(3):
                assert (await send()).body == b'{"event_uuid":"u"}'

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
def test_of_many_rows_at_once_each_gets_its_own_answer(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            name = request.rpartition(b'"email":"')[2].rstrip(b'"}')
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name))

    async def main() -> None:
        key = {"api_key": KEY}
        async with (
            serving(script) as server,
            connected(server.base_url, key, 4, Timeouts(), kind) as to,
        ):
            places = asyncio.Semaphore(4)  # the caller keeps to the limit

            async def one(number: int) -> None:
                async with places:
                    reply = await post(to, server.base_url, f'{{"email":"{number}"}}')
                assert reply.body == str(number).encode()

            await asyncio.gather(*(one(number) for number in range(200)))
            assert server.connections <= (100 if kind == "lean" else 200)

    asyncio.run(main())


@both
def test_a_refused_connection_proves_that_nothing_left(kind: Kind) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}"

        async def main() -> None:
            async with connected(base_url, {"api_key": KEY}, 1, Timeouts(), kind) as transport:
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
            async with connected(base_url, {"api_key": KEY}, 1, Timeouts(), kind) as transport:
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
            async with connected(base_url, {"api_key": KEY}, 1, Timeouts()) as transport:
                with pytest.raises(NotConnected, match=r"net\.proxy_error"):
                    await post(transport, base_url)

    asyncio.run(main())
    assert seen == [b"CONNECT api.example.com:443 HTTP/1.1"]


def test_servers_that_close_at_random_moments_never_make_a_lost_row_look_unsent() -> None:
    """A row read by the server is never reported as not connected: that would send it twice."""
    rng = random.Random(8)  # noqa: S311
    arrived: list[bytes] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            arrived.append(request.rpartition(b'"email":"')[2].rstrip(b'"}'))
            if rng.random() < 0.1:
                return
            await peer.say(ACCEPTED)
            if rng.random() < 0.1:
                return

    async def main() -> dict[str, str]:
        ends = {}
        key = {"api_key": KEY}
        async with (
            serving(script) as server,
            connected(server.base_url, key, 8, Timeouts()) as transport,
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
