"""What a row costs each kind of ledger: two writes (it begins, it ends), in groups.

    python benchmarks/ledgers.py [--rows N] [--grown 10000000]

CPU of this process and, for PostgreSQL, of the server beside it; the server comes with the
development packages. Groups of one are few, as each waits for the disk. Then known rows are looked
up. With --grown a shared ledger is made that knows so many conversions already, and the same is
asked of that: what a group of 16 costs, and how many pages it reads, before and after; look-up;
size.
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
from hashlib import blake2b, md5
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


GROW = """
BEGIN; TRUNCATE rdimport.conversion;
ALTER TABLE rdimport.conversion DROP CONSTRAINT conversion_pkey;
INSERT INTO rdimport.conversion (identity, destination, state, attempt, epoch, payload, run, file,
    row, receipt, source, left_at)
SELECT decode(md5(n::text), 'hex'), 1, 1, 1, 1, substr(decode(md5(n::text), 'hex'), 1, 8), 1, 0, n,
    '5408c5a3-4711-4f2e-8d0b-13408a3407f3', n, 1790000000000 FROM generate_series(1, {most}) n;
ALTER TABLE rdimport.conversion ADD PRIMARY KEY (identity, destination); COMMIT;
VACUUM ANALYZE rdimport.conversion
"""


def pages(server: Server, database: str) -> int:
    server.ask("SELECT 1 FROM pg_stat_force_next_flush()", database=database)
    asked = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s"
    return int(server.ask(asked, database))


def grown(most: int) -> None:
    """A shared ledger before and after it has grown."""
    quick = {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "8GB"}
    with serving(**quick, maintenance_work_mem="1GB") as server:
        url = server.new_database()
        name = url.rpartition("/")[2].replace("%20", " ")
        shared = PostgresStore(url, bytes(range(32)).hex())
        shared.make()
        with shared.open() as ledger:
            for number, what in enumerate(("warming up", "an empty ledger", f"{most} conversions")):
                if number == 2:
                    at = time.perf_counter()
                    server.do(*GROW.format(most=most).split(";"), database=name)
                    print(f"made in {time.perf_counter() - at:.0f} s")
                some = rows(10_000 * number, 3_200)
                mine, theirs, read = time.process_time(), server_cpu(server), pages(server, name)
                written(ledger, f"20261128-12000{number}-bbbb", some, 16)
                ours = (time.process_time() - mine) / len(some) * 1e6
                cost = (server_cpu(server) - theirs) / len(some) * 1e6
                read = (pages(server, name) - read) / len(some)
                print(f"{what}, groups of 16: {ours:.0f} + {cost:.0f} µs, {read:.1f} pages a row")
            looked_up(ledger, most)
        size = server.ask("SELECT pg_total_relation_size('rdimport.conversion')", database=name)
        print(f"{size / most:.0f} bytes a conversion")


def looked_up(ledger: Ledger, most: int) -> None:
    chosen = range(1, most, max(1, most // 65_536))
    some = [md5(str(number).encode(), usedforsecurity=False).digest() for number in chosen]
    mine, at = time.process_time(), time.perf_counter()
    found = ledger.known(1, pl.Series(some, dtype=pl.Binary)).height
    ours, took = time.process_time() - mine, time.perf_counter() - at
    print(f"{found} of {most} looked up: {found / took:.0f}/s, {ours / found * 1e6:.1f} µs of ours")


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
    words.add_argument("--grown", type=int, default=0, help="conversions known before (0)")
    told = words.parse_args()
    if told.grown:
        grown(told.grown)
        return
    most = told.rows
    with ledgers() as kinds:
        for kind, ledger, cpu in kinds:
            measured(ledger, kind, cpu, most)


if __name__ == "__main__":
    main()
