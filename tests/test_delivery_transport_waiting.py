"""How long the transport waits, and which connection it uses for the next row."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

import pytest
from support.peer import ACCEPTED, KEY, Peer, both, post, sending, serving, warm

from rdimport.delivery.transport import (
    Kind,
    NotAnswered,
    NotConnected,
    Timeouts,
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


def shut(end: socket.socket) -> None:
    end.shutdown(socket.SHUT_RDWR)


def speak(end: socket.socket) -> None:
    os.write(end.fileno(), ACCEPTED)


@pytest.mark.parametrize("trouble", [shut, speak])
def test_the_system_is_asked_before_writing_though_the_event_loop_has_not_looked_yet(
    trouble: Callable[[socket.socket], None],
) -> None:
    last: list[Peer] = []
    rows = 0

    async def script(peer: Peer) -> None:
        nonlocal rows
        while await peer.request():
            rows += 1
            last[:] = [peer]
            await peer.say(ACCEPTED)

    async def main() -> None:
        async with serving(script) as server, sending(server) as send:
            await warm(server, send)
            sent = rows
            used = last[0]
            trouble(used.writer.get_extra_info("socket"))
            assert (await send()).status == 200  # no await until it is written
            assert rows == sent + 1
            assert last[0] is not used

    asyncio.run(main())


def test_what_comes_unasked_ends_the_connection_and_answers_no_row() -> None:
    async def script(peer: Peer) -> None:
        while await peer.request():
            last[:] = [peer]
            smuggled = b"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n" if surplus else b""
            await peer.say(ACCEPTED + smuggled)

    async def main() -> None:
        nonlocal surplus
        async with serving(script) as server, sending(server) as send:
            await warm(server, send)
            surplus = True
            for _ in range(3):
                assert (await send()).status == 200
                used = last[0]
                assert (await send()).status == 200
                assert last[0] is not used

    surplus = False
    last: list[Peer] = []
    asyncio.run(main())


def test_an_idle_connection_is_not_used_beyond_its_time_or_the_servers_word() -> None:
    async def script(peer: Peer) -> None:
        while await peer.request():
            said = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n"
            await peer.say(said if declared else ACCEPTED)

    async def main(timeouts: Timeouts) -> int:
        async with serving(script) as server, sending(server, timeouts=timeouts) as send:
            for _ in range(100):
                await send()
            return server.connections

    declared = False
    assert asyncio.run(main(Timeouts())) < 50
    assert asyncio.run(main(Timeouts(idle=0))) == 100
    declared = True
    assert asyncio.run(main(Timeouts())) == 100


@both
@pytest.mark.parametrize("timeouts", [Timeouts(read=0.1), Timeouts(total=1)])
def test_silence_ends_with_doubt(kind: Kind, timeouts: Timeouts) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.request()

    async def main() -> None:
        async with serving(script) as server, sending(server, kind, timeouts=timeouts) as send:
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
        timeouts = Timeouts(total=0.2)
        async with serving(script) as server, sending(server, kind, timeouts=timeouts) as send:
            with pytest.raises(NotAnswered, match=r"net\.read_timeout"):
                await send()

    asyncio.run(main())


def test_a_server_that_takes_no_bytes_ends_with_doubt() -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async def main() -> None:
        key = {"api_key": KEY}
        timeouts = Timeouts(write=0.1)
        async with (
            serving(script) as server,
            connected(server.base_url, key, 1, timeouts) as to,
        ):
            with pytest.raises(NotAnswered, match=r"net\.write_timeout"):
                await post(to, server.base_url, '"' + "x" * 20_000_000 + '"')

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["lean", "httpx"])
def test_not_a_byte_leaves_once_the_turn_may_be_over_though_it_took_long_to_connect(
    kind: Kind,
) -> None:
    """The last check comes after connecting: the machine may sleep in between."""
    heard: list[object] = []

    async def script(peer: Peer) -> None:
        heard.append(await peer.request())

    async def main() -> None:
        asked: list[bool] = []

        def may_send() -> bool:
            asked.append(True)
            return False

        key = {"api_key": KEY}
        async with serving(script) as server:
            how = server.base_url, key, 1, Timeouts(), kind
            async with connected(*how, may_send=may_send) as to:
                with pytest.raises(NotConnected):
                    await post(to, server.base_url)
            assert asked == [True]
            assert server.connections == 1

    asyncio.run(main())
    assert not any(heard)


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
