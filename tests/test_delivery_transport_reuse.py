"""Which connections the direct sender reuses: only those known to last."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.waiting import TIMEOUT

import rdimport
from rdimport.delivery.transport.reuse import Reuse

ROWS = 600
BODY = b'{"event_uuid":"u"}'
ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def test_nothing_is_used_again_before_a_connection_was_seen_to_last_twice_as_long() -> None:
    reuse = Reuse()
    assert not reuse.allows(0.0, 0.001)
    reuse.survived(0.1)
    assert reuse.allows(0.02, 0.03)
    assert not reuse.allows(0.02, 0.04)
    assert not reuse.allows(0.06, 0.0)


def test_a_few_closed_connections_count_for_all_that_come() -> None:
    reuse = Reuse()
    reuse.survived(10.0)
    for _ in range(2):
        reuse.closed(0.002)
    assert reuse.allows(1.0, 0.1)
    reuse.closed(1.0)
    assert reuse.allows(0.4, 0.1)
    assert not reuse.allows(0.5, 0.1)
    reuse.closed(0.002)
    assert not reuse.allows(0.001, 0.001)


def test_connections_that_are_closed_now_and_then_are_no_habit() -> None:
    reuse = Reuse()
    reuse.survived(10.0)
    for _ in range(1_000):
        reuse.answered()
    for _ in range(9):
        reuse.closed(0.0)
    assert reuse.allows(1.0, 0.1)
    reuse.closed(0.0)
    assert not reuse.allows(0.0, 0.001)


class Closing(asyncio.Protocol):
    """Closes each connection `closes` seconds after its answer. Data takes `distance` seconds each
    way.
    """

    def __init__(self, closes: float | None, distance: float, rows: Counter[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._closes = closes
        self._distance = distance
        self._rows = rows
        self._closed = False
        self._rest: asyncio.TimerHandle | None = None
        self.gone = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._distance, self._read, data)

    def _read(self, data: bytes) -> None:
        if self._closed:
            return
        self._rows[data.partition(b'"email":"')[2].partition(b'"')[0]] += 1
        self._loop.call_later(self._distance, self._transport.write, ACCEPTED)
        if self._rest is not None:
            self._rest.cancel()
        if self._closes is not None:
            self._rest = self._loop.call_later(self._closes, self._close)

    def _close(self) -> None:
        self._closed = True
        self._loop.call_later(self._distance, self._transport.close)


@contextmanager
def closing(
    closes: float | None, distance: float
) -> Iterator[tuple[str, Counter[bytes], list[int]]]:
    """Its address, the rows it read, and the number of its connections."""
    rows = Counter[bytes]()
    connections = [0]
    open_ones: set[Closing] = set()

    class One(Closing):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            connections[0] += 1
            open_ones.add(self)

        def connection_lost(self, _: Exception | None) -> None:
            self.gone.set_result(None)

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: One(closes, distance, rows), "127.0.0.1", 0, backlog=1_000)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", rows, connections
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_ended(open_ones))
        loop.close()


async def _ended(open_ones: set[Closing]) -> None:
    for one in open_ones:
        one._transport.abort()
    async with asyncio.timeout(TIMEOUT):
        await asyncio.gather(*(one.gone for one in open_ones))


def run(
    base_url: str, folder: Path, rows: int = ROWS, quota: str | None = None
) -> rdimport.RunResult:
    """Do a whole run, by default as fast as rows are answered."""
    people = "\n".join(f"p{number}@exemplo.com.br" for number in range(rows))
    (folder / "list.csv").write_text(f"E-mail\n{people}\n")
    (folder / "map.yaml").write_text(
        "version: 1\nconversion_identifier: x\nfields: {email: E-mail}\n"
    )
    to = rdimport.RDStation("k" * 20, base_url=base_url)
    return rdimport.run(
        folder / "list.csv",
        folder / "map.yaml",
        to=to,
        quota=quota,
        share_quota=False,
        state_dir=folder / "state",
        report_dir=folder / "reports",
    )


@pytest.mark.parametrize("closes", [0.0, 0.002, 0.02])
@pytest.mark.parametrize("distance", [0.0, 0.01])
def test_a_server_that_closes_soon_after_its_answer_leaves_few_rows_in_doubt(
    closes: float, distance: float, tmp_path: Path
) -> None:
    with closing(closes, distance) as (base_url, rows, _):
        runs = [run(base_url, tmp_path)]
        # a machine that stalls for 20 ms at the wrong moments may lose a few in a row
        while runs[-1].counts[rdimport.State.PENDING] and len(runs) < 3:
            runs.append(run(base_url, tmp_path))
    assert runs[-1].counts[rdimport.State.PENDING] == 0
    counts = runs[-1].counts
    accepted = counts[rdimport.State.ACCEPTED] + counts[rdimport.State.ALREADY_IMPORTED]
    assert counts[rdimport.State.UNCERTAIN] <= 0.02 * ROWS * len(runs)
    assert accepted == ROWS - counts[rdimport.State.UNCERTAIN]
    assert set(rows.values()) == {1}
    assert len(rows) >= accepted


def test_a_server_that_keeps_its_connections_sees_them_used_again(tmp_path: Path) -> None:
    with closing(None, 0.0) as (base_url, _, connections):
        result = run(base_url, tmp_path)
    assert result.counts[rdimport.State.ACCEPTED] == ROWS
    assert connections[0] < ROWS / 2


def test_a_run_within_rds_quota_uses_no_connection_twice(tmp_path: Path) -> None:
    with closing(None, 0.0) as (base_url, _, connections):
        result = run(base_url, tmp_path, rows=8, quota="500/min")
    assert result.counts[rdimport.State.ACCEPTED] == 8
    assert connections[0] == 8
