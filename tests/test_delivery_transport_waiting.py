"""How long the transport waits, and which connection may carry the next row."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from support.peer import ACCEPTED, KEY, Peer, both, post, sending, serving

from rdimport.delivery.transport import (
    Kind,
    NotAnswered,
    Patience,
    connected,
)


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
            with pytest.raises(NotAnswered, match=r"net\.read_timeout"):
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
            with pytest.raises(NotAnswered, match=r"net\.read_timeout"):
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
            with pytest.raises(NotAnswered, match=r"net\.write_timeout"):
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
