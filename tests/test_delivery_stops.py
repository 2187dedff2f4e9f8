"""When sending stops by itself, with a real ledger and an endpoint that follows a script."""

from __future__ import annotations

import asyncio
import random
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.ledgers import sqlite_ledger
from support.peer import ACCEPTED, KEY, Peer, Script, serving
from support.waiting import TIMEOUT

from rdimport.core.clock import Clock, SystemClock
from rdimport.core.errors import LedgerError
from rdimport.core.events import ignore_events
from rdimport.core.row import State
from rdimport.core.stop import StopReason
from rdimport.delivery.circuit_breaker import TURNED_AWAY
from rdimport.delivery.dispatcher import GRACE, Delivery, Settings
from rdimport.delivery.pacing.pacer import EvenPacer
from rdimport.delivery.transport import Timeouts, connected
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.ledger import PendingRow, Run, RunRecord, SendAttempt
from rdimport.ledger.sqlite.ledger import SqliteLedger


@dataclass
class Book:
    """A ledger with a run of some rows."""

    ledger: SqliteLedger
    run: Run
    rows: int

    def pending_rows(self) -> Iterator[PendingRow]:
        for number in range(self.rows):
            row = SendAttempt(number.to_bytes(16, "big"), 0, number + 2, f'{{"n":{number}}}')
            yield PendingRow(row, ("a",))


@contextmanager
def book(folder: Path, rows: int) -> Iterator[Book]:
    with sqlite_ledger(folder) as ledger:
        run = ledger.start_run("r", "there", datetime.now(UTC), RunRecord(account="a"))
        run.record_rows(rows, 0, ())
        yield Book(ledger, run, rows)


async def deliver(
    to: Book, script: Script, clock: Clock | None = None, tls: ssl.SSLContext | None = None
) -> Delivery:
    async with serving(script, tls) as server:
        station = RDStation(KEY, base_url=server.base_url)
        key = station.credentials()
        async with connected(server.base_url, key, 8, Timeouts()) as transport:
            delivery = Delivery(
                destination=station,
                transport=transport,
                run=to.run,
                pending_rows=to.pending_rows(),
                trace=lambda problem, _file, _cells: problem,
                pace=EvenPacer(None),
                settings=Settings(concurrency=8),
                clock=clock or SystemClock(),
                chance=random.Random(1),  # noqa: S311
                observer=ignore_events,
            )
            await delivery.deliver()
    return delivery


class Walking:
    """A clock that advances a little at each reading, and whose sleep ends a little early."""

    def __init__(self, early: float) -> None:
        self._at = 0.0
        self._early = early

    def monotonic(self) -> float:
        self._at += 0.001
        return self._at

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        self._at += max(0.0, seconds - self._early)
        await asyncio.sleep(0)


def throttled(headers: bytes, body: bytes) -> bytes:
    size = b"Content-Length: %d\r\n\r\n" % len(body)
    return b"HTTP/1.1 429 Too Many Requests\r\n" + headers + size + body


def test_a_ledger_that_fails_ends_a_run_that_is_held_for_the_quota_at_once(tmp_path: Path) -> None:
    held = throttled(b"Retry-After: 3000\r\n", b'{"message":"API rate limit exceeded"}')

    async def main(to: Book) -> None:
        async def script(peer: Peer) -> None:
            while await peer.request():
                to.ledger.query("PRAGMA query_only = ON")  # as if nothing can be written
                await peer.say(held)

        async with asyncio.timeout(TIMEOUT) as late:
            with pytest.raises(LedgerError):
                await deliver(to, script)
        assert not late.expired()

    with book(tmp_path, 20) as to:
        asyncio.run(main(to))


def test_a_row_that_was_set_aside_leaves_in_whatever_moment_it_comes_due(tmp_path: Path) -> None:
    said = b'{"error":"lead_limiter rate limit exceeded","remaining_time":1}'

    async def main(to: Book, early: float) -> None:
        answers = iter([throttled(b"", said), ACCEPTED])

        async def script(peer: Peer) -> None:
            while await peer.request():
                await peer.say(next(answers))

        assert (await deliver(to, script, Walking(early))).stopped is None

    for step in range(30):
        with book(tmp_path / str(step), 1) as to:
            asyncio.run(main(to, step / 10_000))
            assert to.run.counts()[State.ACCEPTED] == 1


def test_a_list_of_people_who_all_had_their_share_of_the_day_is_not_asked_for_one_by_one(
    tmp_path: Path,
) -> None:
    said = b'{"error":"lead_limiter rate limit exceeded","remaining_time":43067}'
    asked = 0

    async def script(peer: Peer) -> None:
        nonlocal asked
        while await peer.request():
            asked += 1
            await peer.say(throttled(b"", said))

    with book(tmp_path, 400) as to:
        delivery = asyncio.run(deliver(to, script))
        assert to.run.counts()[State.PENDING] == 400
    assert delivery.stopped is StopReason.LEAD_QUOTA
    assert 43_000 < (delivery.parked_for or 0) <= 43_067
    assert asked < TURNED_AWAY + 8  # those in flight


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_stops_the_run_and_leaves_its_row_uncertain(tmp_path: Path, status: int) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: https://exemplo.com/b?api_key={KEY}\r\n"
    asked = 0

    async def script(peer: Peer) -> None:
        nonlocal asked
        while await peer.request():
            asked += 1
            await peer.say(answer.encode() + b"Content-Length: 0\r\n\r\n")

    with book(tmp_path, 400) as to:
        delivery = asyncio.run(deliver(to, script))
        counts = to.run.counts()
    assert delivery.stopped is StopReason.WRONG_ENDPOINT
    assert delivery.stopped_by == f"HTTP {status}; Location: https://exemplo.com/b"
    assert counts[State.UNCERTAIN] == asked <= 16
    assert counts[State.PENDING] == 400 - asked


def test_scattered_losses_leave_their_rows_in_doubt_and_stop_nothing(tmp_path: Path) -> None:
    lost = random.Random(2)  # noqa: S311

    async def script(peer: Peer) -> None:
        while await peer.request():
            if lost.random() < 0.05:
                peer.reset()
                return
            await peer.say(ACCEPTED)

    with book(tmp_path, 1_500) as to:
        assert asyncio.run(deliver(to, script)).stopped is None
        counts = to.run.counts()
    assert counts[State.ACCEPTED] + counts[State.UNCERTAIN] == 1_500
    assert 20 < counts[State.UNCERTAIN] < 150


@pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the certificate")
@pytest.mark.parametrize("fault", ["self-signed", "of another name"])
def test_a_certificate_that_is_not_trusted_stops_the_run_at_once_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    if fault == "of another name":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    async def script(peer: Peer) -> None:
        await peer.request()

    slept: list[float] = []

    class Watched(SystemClock):
        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)
            await super().sleep(seconds)

    with book(tmp_path / "state", 40) as to:
        delivery = asyncio.run(deliver(to, script, Watched(), tls))
        assert to.run.counts()[State.PENDING] == 40
    assert delivery.stopped is StopReason.CERTIFICATE
    assert set(slept) <= {GRACE}
    assert delivery.stopped_by.startswith("net.tls")
    assert "certificate verify failed" in delivery.stopped_by
