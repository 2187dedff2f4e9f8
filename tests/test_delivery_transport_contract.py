"""One contract for both senders: what a hostile answer proves, and what happens to its row."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.peer import KEY, KINDS, Peer, both, sending, serving
from support.waiting import TIMEOUT

from rdimport.delivery.transport import Kind, NotAnswered, NotConnected, Timeouts
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.destination.verdict import VERDICTS, Action, Arrived, Evidence

OK = b"HTTP/1.1 200 OK\r\n"
RECEIPT = b'{"event_uuid":"u"}'
SIZED = b"Content-Length: 18\r\n\r\n"
GOOD = OK + SIZED + RECEIPT
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"

ACCEPT, REFUSE, RETRY, DOUBT, STOP = (
    Action.ACCEPT,
    Action.REFUSE,
    Action.RETRY,
    Action.DOUBT,
    Action.STOP,
)

ANSWERS: dict[str, tuple[bytes, Action]] = {
    "the receipt": (GOOD, ACCEPT),
    "the receipt in chunks": (CHUNKED + b"12\r\n" + RECEIPT + b"\r\n0\r\n\r\n", ACCEPT),
    "the receipt up to the close": (OK + b"\r\n" + RECEIPT, ACCEPT),
    "the receipt after interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + GOOD,
        ACCEPT,
    ),
    "two receipts": (GOOD + GOOD, ACCEPT),
    "a receipt and an error after it": (GOOD + b"HTTP/1.1 500 X\r\n" + EMPTY, ACCEPT),
    "a receipt and garbage after it": (GOOD + b"\x00\xff", ACCEPT),
    "an error and a receipt after it": (b"HTTP/1.1 500 X\r\n" + EMPTY + GOOD, DOUBT),
    "a refusal and a receipt after it": (b"HTTP/1.1 422 X\r\n" + EMPTY + GOOD, REFUSE),
    "nothing": (b"", DOUBT),
    "only interim answers": (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, DOUBT),
    "an interim answer that claims the receipt": (b"HTTP/1.1 103 X\r\n" + SIZED + RECEIPT, DOUBT),
    "a flood of interim answers": (b"HTTP/1.1 100 Continue\r\n\r\n" * 30_000, DOUBT),
    "half a head": (OK + b"Content-Le", DOUBT),
    "half a body": (GOOD[:-2], DOUBT),
    "a body cut where it is valid JSON": (
        OK + b"Content-Length: 30\r\n\r\n" + RECEIPT,
        DOUBT,
    ),
    "a length that cuts the receipt": (OK + b"Content-Length: 9\r\n\r\n" + RECEIPT, DOUBT),
    "chunks without an end": (CHUNKED + b"12\r\n" + RECEIPT + b"\r\n", DOUBT),
    "a chunk of no size": (CHUNKED + b"xyz\r\n" + RECEIPT + b"\r\n0\r\n\r\n", DOUBT),
    "a chunk shorter than it says": (CHUNKED + b"13\r\n" + RECEIPT + b"\r\n0\r\n\r\n", DOUBT),
    "a length and chunks": (
        OK
        + b"Content-Length: 18\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n"
        + RECEIPT
        + b"\r\n0\r\n\r\n",
        DOUBT,
    ),
    "two lengths": (OK + b"Content-Length: 18\r\nContent-Length: 3\r\n\r\n" + RECEIPT, DOUBT),
    "two equal lengths": (OK + b"Content-Length: 18\r\n" + SIZED + RECEIPT, DOUBT),
    "a list of lengths": (OK + b"Content-Length: 18, 18\r\n\r\n" + RECEIPT, DOUBT),
    "a negative length": (OK + b"Content-Length: -18\r\n\r\n" + RECEIPT, DOUBT),
    "bare line feeds": (GOOD.replace(b"\r\n", b"\n"), DOUBT),
    "a folded line": (OK + b"A: b\r\n c\r\n" + SIZED + RECEIPT, DOUBT),
    "a space before the colon": (OK + b"A : b\r\n" + SIZED + RECEIPT, DOUBT),
    "a NUL in a header": (OK + b"A: \x00\r\n" + SIZED + RECEIPT, DOUBT),
    "NULs before the answer": (b"\x00" * 10 + GOOD, DOUBT),
    "a NUL in the body": (OK + b"Content-Length: 19\r\n\r\n\x00" + RECEIPT, DOUBT),
    "endless headers": (OK + b"X: y\r\n" * 150_000, DOUBT),
    "one endless header": (OK + b"X: " + b"y" * 1_000_000, DOUBT),
    "many headers": (OK + b"X: y\r\n" * 2_000 + SIZED + RECEIPT, ACCEPT),
    "a huge body": (OK + b"Content-Length: 9000000\r\n\r\n" + b" " * 9_000_000, DOUBT),
    "a compressed receipt": (
        OK
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(gzip.compress(RECEIPT)), gzip.compress(RECEIPT)),
        DOUBT,
    ),
    "a compressed bomb": (
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 20_000_000 + RECEIPT, 1),
        DOUBT,
    ),
    "status 000": (b"HTTP/1.1 000 X\r\n" + SIZED + RECEIPT, DOUBT),
    "status 099": (b"HTTP/1.1 099 X\r\n" + SIZED + RECEIPT, DOUBT),
    "status 999": (b"HTTP/1.1 999 X\r\n" + SIZED + RECEIPT, DOUBT),
    "status 20": (b"HTTP/1.1 20 X\r\n" + SIZED + RECEIPT, DOUBT),
    "status 2000": (b"HTTP/1.1 2000 X\r\n" + SIZED + RECEIPT, DOUBT),
    "HTTP/0.9": (RECEIPT, DOUBT),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n" + SIZED + RECEIPT, ACCEPT),
    "HTTP/3": (b"HTTP/3.0 200 OK\r\n" + SIZED + RECEIPT, DOUBT),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", DOUBT),
    "a frame of HTTP/2": (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", DOUBT),
    "an alert of TLS": (b"\x15\x03\x03\x00\x02\x02\x28", DOUBT),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", DOUBT),
    "a request": (b"POST /x HTTP/1.1\r\nHost: y\r\n" + SIZED + RECEIPT, DOUBT),
    "another protocol": (
        b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + GOOD,
        DOUBT,
    ),
    "an upgrade beside the receipt": (
        OK + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + SIZED + RECEIPT,
        ACCEPT,
    ),
    "201": (b"HTTP/1.1 201 X\r\n" + SIZED + RECEIPT, DOUBT),
    "204": (b"HTTP/1.1 204 X\r\n\r\n", DOUBT),
    "204 with a receipt": (b"HTTP/1.1 204 X\r\n" + SIZED + RECEIPT, DOUBT),
    "304": (b"HTTP/1.1 304 X\r\n\r\n", DOUBT),
    "200 with an empty body": (OK + EMPTY, DOUBT),
    "200 with a list": (OK + b"Content-Length: 20\r\n\r\n[" + RECEIPT + b"]", DOUBT),
    "301": (b"HTTP/1.1 301 X\r\nLocation: http://127.0.0.1:1/\r\n" + EMPTY, DOUBT),
    "303": (b"HTTP/1.1 303 X\r\nLocation: http://127.0.0.1:1/\r\n" + EMPTY, DOUBT),
    "307": (b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\n" + EMPTY, STOP),
    "400": (b"HTTP/1.1 400 X\r\n" + EMPTY, REFUSE),
    "401": (b"HTTP/1.1 401 X\r\n" + EMPTY, STOP),
    "413": (b"HTTP/1.1 413 X\r\n" + EMPTY, REFUSE),
    "429": (b"HTTP/1.1 429 X\r\n" + EMPTY, RETRY),
    "503": (b"HTTP/1.1 503 X\r\n" + EMPTY, DOUBT),
    "503 with a time": (b"HTTP/1.1 503 X\r\nRetry-After: 1\r\n" + EMPTY, RETRY),
    "a refusal cut short": (b"HTTP/1.1 422 X\r\nContent-Length: 9\r\n\r\n{", DOUBT),
}


async def outcome(pieces: Sequence[bytes], kind: Kind, *, reset: bool = False) -> Evidence:
    """What is known of a row if its request is answered like this, and the connection closed."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.say(piece)
            await asyncio.sleep(0)
        if reset:
            peer.reset()

    async with (
        serving(script) as server,
        sending(server, kind, timeouts=Timeouts.within(TIMEOUT)) as send,
    ):
        try:
            reply = await send()
        except NotConnected:
            return Evidence.NOT_CONNECTED
        except NotAnswered:
            return Evidence.NOT_ANSWERED
    return RDStation(KEY).read(*reply).evidence


@both
@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_has_the_outcome_of_the_table(kind: Kind, name: str) -> None:
    answer, action = ANSWERS[name]
    assert VERDICTS[asyncio.run(outcome([answer], kind))].action is action


@both
@pytest.mark.parametrize("said", [b"", OK, GOOD[:-2], OK + b"\r\n" + RECEIPT])
def test_a_reset_before_a_whole_answer_leaves_a_doubt(kind: Kind, said: bytes) -> None:
    evidence = asyncio.run(outcome([said] if said else [], kind, reset=True))
    assert VERDICTS[evidence].action is DOUBT


@both
def test_a_surplus_answer_belongs_to_no_row(kind: Kind) -> None:
    """The server answers the first request twice, and closes the connection instead of answering
    the second.
    """

    async def script(peer: Peer) -> None:
        await peer.request()
        if server.connections == 1:
            await peer.say(GOOD + GOOD)
            await peer.request()

    async def main() -> list[str]:
        found = []
        async with sending(server, kind, places=1) as send:
            for _ in range(2):
                try:
                    found.append((await send()).body.decode())
                except NotAnswered:
                    found.append("doubt")
        return found

    async def both_ends() -> list[str]:
        nonlocal server
        async with serving(script) as server:
            return await main()

    server = None  # type: ignore[assignment]
    assert asyncio.run(both_ends()) == [RECEIPT.decode(), "doubt"]


def test_a_late_surplus_answer_belongs_to_no_row_if_each_request_has_its_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        connection = server.connections
        if connection == 1:
            await peer.say(GOOD)
            await second.wait()
            await peer.say(GOOD)
            answered.set()
        else:
            second.set()
            await answered.wait()

    async def main() -> None:
        nonlocal server
        async with serving(script) as server, sending(server, "httpx", places=1) as send:
            assert (await send()).body == RECEIPT
            with pytest.raises(NotAnswered):
                await send()

    server = None  # type: ignore[assignment]
    second, answered = asyncio.Event(), asyncio.Event()
    asyncio.run(main())


PIECES = st.sampled_from(
    [
        OK,
        GOOD,
        CHUNKED,
        SIZED,
        EMPTY,
        RECEIPT,
        b"\r\n",
        b"\n",
        b"12\r\n",
        b"0\r\n\r\n",
        b"HTTP/1.1 100 X\r\n\r\n",
        b"HTTP/1.1 422 X\r\n",
        b"HTTP/1.1 503 X\r\nRetry-After: 1\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: close\r\n",
        b"Connection: upgrade\r\nUpgrade: x\r\n",
        b"Content-Length: 18\r\n",
        b"X: \xe9\x80\r\n",
        b" x\r\n",
        b"\x00",
    ]
)


def _is_receipt(said: bytes) -> bool:
    """Whether it can contain a well-formed 200 with an `event_uuid` at all."""
    head, _, rest = said.lstrip(b"\r\n").partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 1"):
        head, _, rest = rest.lstrip(b"\r\n").partition(b"\r\n\r\n")
    return head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")) and any(
        "event_uuid" in json.loads(part) for part in (RECEIPT,) if part in rest
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=30), max_size=7))
@example([b"\r\n", b"\r\n", GOOD])
def test_whatever_bytes_come_both_senders_agree_and_accept_only_a_receipt(
    pieces: list[bytes],
) -> None:
    found = [asyncio.run(outcome(pieces, kind)) for kind in KINDS]
    arrived = [VERDICTS[evidence].arrived for evidence in found]
    assert arrived[0] is arrived[1], found
    if Arrived.YES in arrived:
        assert _is_receipt(b"".join(pieces))
