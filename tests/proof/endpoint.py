"""An endpoint that fails in every way we can think of, and records all that it received."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Self

from .rows import Key, Payload, canonical

HANG = 20.0
"""Seconds without an answer: much longer than any client of the proof waits."""


class Fault(StrEnum):
    """The fate of one request. The groups below say what it proves."""

    ACCEPT = "accept"
    ACCEPT_SLOWLY = "accept, byte by byte"
    ACCEPT_CHUNKED = "accept, in chunks"
    ACCEPT_CLOSE = "accept, and close as announced"
    ACCEPT_IDLE = "accept, and close the idle connection without a word"
    ACCOUNT = "429 of the account"
    LEAD = "429 of the lead"
    UNAVAILABLE = "503 with Retry-After"
    KEY = "the key is refused"
    PATH = "404"
    REFUSE = "the row is refused"
    RESET_UNREAD = "reset before the body is read"
    CLOSE_UNREAD = "close before the body is read"
    HANG_UNREAD = "no answer, body unread"
    RESET_UNSTORED = "reset, not stored"
    HANG_UNSTORED = "no answer, not stored"
    FAIL_UNSTORED = "5xx, not stored"
    ACCOUNT_CUT = "429 that ends in its middle"
    RESET_STORED = "stored, then reset"
    CLOSE_STORED = "stored, then closed"
    HANG_STORED = "stored, no answer"
    FAIL_STORED = "stored, then 5xx"
    CUT_STORED = "stored, answer ends in its middle"
    CUT_HEAD_STORED = "stored, headers end in their middle"
    GARBAGE_STORED = "stored, 200 with a body that is not RD's"
    NOISE_STORED = "stored, and noise instead of HTTP"
    ODD_STORED = "stored, another status"
    DRIP_STORED = "stored, an answer that takes for ever"
    FLOOD_STORED = "stored, an answer without an end"


NOT_NOW = frozenset({Fault.ACCOUNT, Fault.LEAD, Fault.UNAVAILABLE, Fault.KEY, Fault.PATH})
"""A complete answer of this kind proves that nothing arrived: another attempt is right."""

ACCEPTED = frozenset(f for f in Fault if f.name.startswith("ACCEPT"))
UNREAD = frozenset(f for f in Fault if f.name.endswith("_UNREAD"))
STORED = ACCEPTED | {f for f in Fault if f.name.endswith("_STORED")}
AMBIGUOUS = frozenset(Fault) - ACCEPTED - NOT_NOW - {Fault.REFUSE}


@dataclass(slots=True)
class Receipt:
    """One request whose body was read completely."""

    key: Key
    payload: str
    round: int
    fault: Fault
    stored: bool
    uuid: str
    answered: bool = False
    """Whether the whole answer was written to the network."""


@dataclass
class Endpoint:
    """Listens on loopback within the block. `accounts` are by key. `turns` has for each the number
    of its run and the rates of faults, as shares of the requests; the rest is accepted in one of
    the usual ways. `refuses` says which rows are always refused.
    """

    rng: Random
    accounts: dict[str, str]
    turns: dict[str, tuple[int, dict[Fault, float]]] = field(default_factory=dict)
    refuses: Callable[[Payload], bool] = lambda _: False
    receipts: list[Receipt] = field(default_factory=list)
    seen: Callable[[str, str], None] = lambda _, __: None
    """Called with every stage that a request passes, and its account: connected, read, stored,
    half, answered.
    """
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, requests are read and no more."""
    base_url: str = ""
    wrong: list[str] = field(default_factory=list)
    unread: Counter[int] = field(default_factory=Counter)
    """By run, requests of which only the head was read, and idle connections closed without notice:
    a client may just have written to them.
    """
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self.gate.set()
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Drop all connections: their client is gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            idle = HANG
            while idle:
                async with asyncio.timeout(idle):
                    head = await reader.readuntil(b"\r\n\r\n")
                idle = await self._request(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _request(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> float:
        """Serve one request; return how many seconds the connection may then be idle, 0 to close
        it.
        """
        account = self._account(head)
        turn, rates = self.turns.get(account, (-1, {}))
        self.seen("connected", account)
        fault = self._draw(rates)
        if fault in UNREAD:
            self.unread[turn] += 1
            return await self._silent(fault, writer)
        lines = head.lower().split("\r\n")
        length = next(int(v[15:]) for v in lines if v.startswith("content-length:"))
        body = json.loads(await reader.readexactly(length))
        if set(body) != {"event_type", "event_family", "payload"}:
            self.wrong.append(f"envelope: {sorted(body)}")
        payload = body["payload"]
        if self.refuses(payload) and fault in ACCEPTED:
            fault = Fault.REFUSE
        token = str(uuid.UUID(int=self.rng.getrandbits(128)))
        key = Key(account, payload["conversion_identifier"], payload["email"])
        receipt = Receipt(key, canonical(payload), turn, fault, fault in STORED, token)
        self.receipts.append(receipt)
        self.seen("read", account)
        await self.gate.wait()
        if receipt.stored:
            self.seen("stored", account)
        if fault.name.startswith(("RESET", "CLOSE", "HANG")):
            return await self._silent(fault, writer)
        return await self._answer(receipt, writer)

    def _draw(self, rates: dict[Fault, float]) -> Fault:
        point = self.rng.random()
        for fault, rate in rates.items():
            point -= rate
            if point < 0:
                return fault
        return self.rng.choice(sorted(ACCEPTED)) if self.rng.random() < 0.3 else Fault.ACCEPT

    def _account(self, head: str) -> str:
        """The account of the key. Every request must be RD's call, whatever happens to it."""
        found = re.match(r"POST /platform/conversions\?api_key=([^ &]+) HTTP/1\.1\r\n", head)
        account = self.accounts.get(found[1]) if found else None
        if account is None:
            self.wrong.append(f"request line: {head.splitlines()[0]}")
        return account or ""

    async def _silent(self, fault: Fault, writer: asyncio.StreamWriter) -> float:
        if fault.name.startswith("HANG"):
            await asyncio.sleep(HANG)
        elif fault.name.startswith("RESET"):
            _reset(writer)
        return 0

    async def _answer(self, receipt: Receipt, writer: asyncio.StreamWriter) -> float:
        raw = _raw(receipt, self.rng)
        fault = receipt.fault
        if fault in (Fault.CUT_STORED, Fault.CUT_HEAD_STORED, Fault.ACCOUNT_CUT):
            end = raw.index(b"\r\n\r\n") + 4
            half = end // 2 if fault is Fault.CUT_HEAD_STORED else (end + len(raw)) // 2
            writer.write(raw[:half])
            await writer.drain()
            self.seen("half", receipt.key.account)
            if self.rng.random() < 0.5:
                _reset(writer)
            return 0
        if fault in (Fault.ACCEPT_SLOWLY, Fault.DRIP_STORED):
            await self._drip(receipt, raw, writer, HANG if fault is Fault.DRIP_STORED else 0.05)
        else:
            writer.write(raw)
        await writer.drain()
        receipt.answered = True
        self.seen("answered", receipt.key.account)
        if fault is Fault.ACCEPT_IDLE:
            self.unread[receipt.round] += 1
            return 0.001 + self.rng.random() * 0.02
        return 0 if fault in _CLOSING else HANG

    async def _drip(
        self, receipt: Receipt, raw: bytes, writer: asyncio.StreamWriter, seconds: float
    ) -> None:
        """Spread an answer over some seconds; each pause alone is too short for a timeout."""
        for start in range(0, len(raw), 8):
            writer.write(raw[start : start + 8])
            await writer.drain()
            self.seen("half", receipt.key.account)
            await asyncio.sleep(seconds * 8 / len(raw))


_WAITS = ("", "Retry-After: 0", "Retry-After-Quotas: 1", "RateLimit-Reset: 0", "Retry-After: soon")
_ODD = (201, 202, 300, 418) * 8 + (301, 302, 303)
"""The last three end a run, so they are rare."""
_GARBAGE = (b"", b"OK", b"<html></html>", b'{"event_uuid": null}', b'{"event_uuid": "', b"\xff\x00")


def _raw(receipt: Receipt, rng: Random) -> bytes:
    """The bytes of the answer to a request with this fault."""
    good = json.dumps({"event_uuid": receipt.uuid}).encode()
    build = _ANSWERS.get(receipt.fault)
    return build(good, rng) if build is not None else _http(200, good)


def _account(_: bytes, rng: Random) -> bytes:
    return _http(429, b'{"message": "API rate limit exceeded"}', rng.choice(_WAITS))


def _lead(_: bytes, __: Random) -> bytes:
    said = "'lead_limiter' rate limit exceeded for 86400 second(s) period for key 'x'"
    body = {"error": said, "max": 120, "usage": 121, "remaining_time": 43067}
    return _http(429, json.dumps(body).encode())


def _chunked(good: bytes, _: Random) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = (good[:9], good[9:], b"")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def _failed(_: bytes, rng: Random) -> bytes:
    return _http(rng.choice((500, 502, 503, 504)), b"<html>oops</html>")


def _noise(good: bytes, rng: Random) -> bytes:
    return rng.choice((b"HTTP/9 what\r\n\r\n", b"\x00" * 40, b"SSH-2.0\r\n", good))


def _error(kind: str, path: str) -> bytes:
    error = {"error_type": kind, "error_message": "Não serve.", "path": path}
    return json.dumps({"errors": [error]}).encode()


def _http(status: int, body: bytes, header: str = "") -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *filter(None, [header])]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Reset the connection: without lingering, the system sends RST instead of FIN."""
    with contextlib.suppress(OSError):
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


_CLOSING = frozenset({Fault.ACCEPT_CLOSE, Fault.NOISE_STORED, Fault.FLOOD_STORED})

_ANSWERS: dict[Fault, Callable[[bytes, Random], bytes]] = {
    Fault.ACCOUNT: _account,
    Fault.ACCOUNT_CUT: _account,
    Fault.LEAD: _lead,
    Fault.UNAVAILABLE: lambda _, __: _http(503, b"", "Retry-After: 0"),
    Fault.KEY: lambda _, rng: _http(rng.choice((401, 403)), _error("UNAUTHORIZED", "")),
    Fault.PATH: lambda _, __: _http(404, b"<html>"),
    Fault.REFUSE: lambda _, c: _http(c.choice((400, 422)), _error("INVALID", "$.payload.name")),
    Fault.FAIL_STORED: _failed,
    Fault.FAIL_UNSTORED: _failed,
    Fault.GARBAGE_STORED: lambda _, rng: _http(200, rng.choice(_GARBAGE)),
    Fault.NOISE_STORED: _noise,
    Fault.ODD_STORED: lambda good, c: _http(c.choice(_ODD), good, "Location: /x"),
    Fault.FLOOD_STORED: lambda good, _: _http(200, b" " * 200_000 + good),
    Fault.ACCEPT_CHUNKED: _chunked,
    Fault.ACCEPT_CLOSE: lambda good, _: _http(200, good, "Connection: close"),
}
