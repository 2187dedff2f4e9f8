"""What a row costs each kind of ledger: two writes (it begins, it ends), in groups.

    python benchmarks/ledgers.py [--rows N]

CPU of this process and, for PostgreSQL, of the server beside it; the server comes with the
development packages. Groups of one are few, as each waits for the disk. Then known rows are looked
up, and a run's last rows are held against its first.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.postgres import Server, serving

from rdimport.core.row import State
from rdimport.ledger import Counters, Ledger, Outcome, RowResult, RunRecord, SendAttempt, store_of
from rdimport.ledger.postgres.store import PostgresStore

RECEIPT = "5408c5a3-4711-4f2e-8d0b-13408a3407f3"
TICKS = os.sysconf("SC_CLK_TCK")


def rows(first: int, count: int) -> list[SendAttempt]:
    return [
        SendAttempt(
            blake2b(number.to_bytes(8, "big"), digest_size=16).digest(),
            0,
            number,
            f'{{"email":"pessoa{number}@exemplo.com.br","name":"Pessoa {number}"}}',
        )
        for number in range(first, first + count)
    ]


def server_cpu(server: Server) -> float:
    total = 0
    for process in [server.pid, *server.children()]:
        try:
            told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, told[11:15]))
    return total / TICKS


def written(ledger: Ledger, name: str, some: list[SendAttempt], group: int) -> None:
    run = ledger.start_run(name, "there", datetime.now(UTC), RunRecord(account="a"))
    run.record_rows(len(some), 0, ())
    open_rows: list[SendAttempt] = []
    for start in range(0, len(some), group):
        ends = [
            RowResult(
                one, Outcome(0, one.row, State.ACCEPTED), "5408c5a3-4711-4f2e-8d0b-13408a3407f3"
            )
            for one in open_rows
        ]
        begun = some[start : start + group]
        open_rows = list(run.apply(begun, ends, Counters(start, seconds=start / 1000)))
    run.finish(datetime.now(UTC), 0, None)


def measured(ledger: Ledger, kind: str, cpu: Callable[[], float], most: int) -> None:
    first = 0
    for number, group in enumerate((16, 1, 16, 64, 256)):
        count = min(most, 100 * group if group > 1 else most // 20)
        some = rows(first, count)
        first += count
        mine, theirs, at = time.process_time(), cpu(), time.perf_counter()
        written(ledger, f"20261128-12000{number}-aaaa", some, group)
        ours = (time.process_time() - mine) / count * 1e6
        server = (cpu() - theirs) / count * 1e6
        speed = count / (time.perf_counter() - at)
        if number:  # the first ones warm up
            print(
                f"{kind:9} groups of {group:3}: {ours:5.0f} + {server:4.0f} µs, {speed:6.0f} rows/s"
            )
    where = ledger.destination("there")
    assert where is not None
    known = pl.Series([one.identity for one in rows(0, first)], dtype=pl.Binary)
    at = time.perf_counter()
    found = ledger.known(where, known).height
    print(f"{kind:10} {found} known rows looked up: {found / (time.perf_counter() - at):.0f}/s")


@contextmanager
def ledgers() -> Iterator[Iterator[tuple[str, Ledger, Callable[[], float]]]]:
    with tempfile.TemporaryDirectory() as home, serving() as server:
        shared = PostgresStore(server.new_database(), bytes(range(32)).hex())
        shared.make()
        with store_of(Path(home)).open() as one, shared.open() as other:
            yield iter((("SQLite", one, float), ("PostgreSQL", other, lambda: server_cpu(server))))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rows", type=int, default=20_000, help="at most at once (20000)")
    most = words.parse_args().rows
    with ledgers() as kinds:
        for kind, ledger, cpu in kinds:
            measured(ledger, kind, cpu, most)


if __name__ == "__main__":
    main()
