"""The cost of a row for each kind of ledger within a run: two writes (begin, end), in groups.

    python benchmarks/ledgers.py [--rows N] [--repeat N] [--grown 10000000]

CPU of this process and, for PostgreSQL, of the server, which comes with the development packages.
As a baseline for the current state of the machine, each figure is followed by the cost of the same
rows without a ledger: psycopg inserts them into a table with one index and updates them, each group
durable. Both are measured in turn; figures are medians. There are few groups of one, as each waits
for the disk. Then known rows are looked up. With --grown, a shared ledger with that many
conversions is created and measured: the cost of a group of 16, before and after; look-up; size. The
server does not vacuum meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from hashlib import blake2b, md5
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.postgres import serving

from rdimport.core.row import State
from rdimport.ledger import (
    Counters,
    Ledger,
    Outcome,
    RowResult,
    Run,
    RunRecord,
    SendAttempt,
    store_of,
)
from rdimport.ledger.postgres.store import PostgresStore

if TYPE_CHECKING:
    import psycopg

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


@contextmanager
def running(ledger: Ledger, name: str) -> Iterator[Run]:
    run = ledger.start_run(name, "there", datetime.now(UTC), RunRecord(account="a"))
    run.apply((), (), Counters())
    yield run
    run.finish(datetime.now(UTC), 0, None)


def write_rows(run: Run, some: list[SendAttempt], group: int) -> None:
    open_rows: list[SendAttempt] = []
    for start in range(0, len(some), group):
        ends = [RowResult(one, Outcome(0, one.row, State.ACCEPTED), RECEIPT) for one in open_rows]
        begun = some[start : start + group]
        open_rows = list(run.apply(begun, ends, Counters(start, seconds=start / 1000)))


BARE_END: Final = """
UPDATE bare SET state = 1, receipt = g.receipt
FROM unnest(%b::bytea[], %b::text[]) AS g(identity, receipt) WHERE bare.identity = g.identity
"""
BARE_BEGIN: Final = """
INSERT INTO bare SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::int[], %b::int[])
"""


def bare(db: psycopg.Connection[Any], some: list[SendAttempt], group: int) -> None:
    """The same two durable writes per row, without claim, count or lease check."""
    before: list[SendAttempt] = []
    for start in range(0, len(some), group):
        begun = some[start : start + group]
        with db.pipeline():
            db.execute(BARE_END, ([one.identity for one in before], [RECEIPT for _ in before]))
            places = [one.file for one in begun], [one.row for one in begun]
            hashes = [blake2b(one.payload.encode(), digest_size=8).digest() for one in begun]
            db.execute(BARE_BEGIN, ([one.identity for one in begun], hashes, *places))
        before = begun


def cost(write: Callable[[], None], cpu: Callable[[], float], count: int) -> tuple[float, float]:
    """Microseconds of CPU per row, ours and the server's."""
    mine, theirs = time.process_time(), cpu()
    write()
    return (time.process_time() - mine) / count * 1e6, (cpu() - theirs) / count * 1e6


def measure(kind: Kind, most: int, repeat: int) -> None:
    kind.bare.execute("TRUNCATE bare")
    first = number = 0
    for group in (1, 16, 64, 256):
        count = min(most, 100 * group if group > 1 else most // 20)
        found: list[Measured] = []
        for _ in range(repeat + 1):
            some, name = rows(first, count), f"20261128-12{number:04}-aaaa"
            first, number = first + count, number + 1
            base = cost(lambda: bare(kind.bare, some, group), kind.bare_cpu, count)  # noqa: B023
            with running(kind.ledger, name) as run:
                at = time.perf_counter()
                cpu = cost(lambda: write_rows(run, some, group), kind.cpu, count)  # noqa: B023
                found.append(Measured(*cpu, *base, count / (time.perf_counter() - at)))
        report(kind.name, group, found[1:])  # the first is a warm-up
    where = kind.ledger.destination("there")
    assert where is not None
    known = pl.Series([one.identity for one in rows(0, first)], dtype=pl.Binary)
    at = time.perf_counter()
    height = kind.ledger.known(where, known).height
    print(
        f"{kind.name:10} {height} known rows looked up: {height / (time.perf_counter() - at):.0f}/s"
    )


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


def measure_grown(most: int) -> None:
    """Measure a shared ledger before and after it has grown."""
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
                with running(ledger, f"20261128-12000{number}-bbbb") as run:
                    ours, theirs = cost(
                        lambda: write_rows(run, some, 16),  # noqa: B023
                        server.cpu,
                        len(some),
                    )
                print(f"{what}, groups of 16: {ours:.0f} + {theirs:.0f} µs")
            measure_lookup(ledger, most)
        size = server.ask("SELECT pg_total_relation_size('rdimport.conversion')", database=name)
        print(f"{size / most:.0f} bytes a conversion")


def measure_lookup(ledger: Ledger, most: int) -> None:
    chosen = range(1, most, max(1, most // 65_536))
    some = [md5(str(number).encode(), usedforsecurity=False).digest() for number in chosen]
    mine, at = time.process_time(), time.perf_counter()
    found = ledger.known(1, pl.Series(some, dtype=pl.Binary)).height
    ours, took = time.process_time() - mine, time.perf_counter() - at
    print(f"{found} of {most} looked up: {found / took:.0f}/s, {ours / found * 1e6:.1f} µs of ours")


class Measured(NamedTuple):
    """Microseconds of CPU per row, ours and the server's, with a ledger and without one."""

    ours: float
    server: float
    bare: float
    bare_server: float
    speed: float


def report(name: str, group: int, found: list[Measured]) -> None:
    ours, server, bare, bare_server, speed = (median(values) for values in zip(*found, strict=True))
    ratio = median(sum(one[:2]) / sum(one[2:4]) for one in found)
    print(
        f"{name:10} groups of {group:3}: {ours:5.0f} + {server:4.0f} µs, {speed:6.0f} rows/s; "
        f"{ratio:.2f} times the bare {bare:.0f} + {bare_server:.0f} µs"
    )


class Kind(NamedTuple):
    """A ledger, its server's CPU so far, and a bare table to compare it with."""

    name: str
    ledger: Ledger
    cpu: Callable[[], float]
    bare: psycopg.Connection[Any]
    bare_cpu: Callable[[], float]


@contextmanager
def ledgers() -> Iterator[list[Kind]]:
    with tempfile.TemporaryDirectory() as home, serving(autovacuum="off") as server:
        shared = PostgresStore(server.new_database(), bytes(range(32)).hex())
        shared.make()

        def cpu() -> float:
            return server.cpu()

        with (
            store_of(Path(home)).open() as one,
            shared.open() as other,
            closing(server.connect()) as db,
        ):
            db.execute("SET plan_cache_mode = force_custom_plan")
            db.execute(
                "CREATE TABLE bare (identity bytea PRIMARY KEY, payload bytea, file int, row int,"
                " state smallint DEFAULT 0, receipt text) WITH (fillfactor = 80)"
            )
            yield [Kind("SQLite", one, float, db, cpu), Kind("PostgreSQL", other, cpu, db, cpu)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="at most at once (20000)")
    parser.add_argument("--repeat", type=int, default=9, help="times, of which the median (9)")
    parser.add_argument("--grown", type=int, default=0, help="conversions known before (0)")
    args = parser.parse_args()
    if args.grown:
        measure_grown(args.grown)
        return
    most = args.rows
    with ledgers() as kinds:
        for kind in kinds:
            measure(kind, most, args.repeat)


if __name__ == "__main__":
    main()
