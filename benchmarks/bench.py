"""Measures rdimport against what a user would write instead, as ratios within one run.

    python benchmarks/bench.py [--rows N] [--check-rows N] [--repeat N] [--only PART] …

Every command runs in its own process, in turn with the others, several times; medians are printed.
The peers have their own Python (`--peers`): pandera loads pandas if it is installed, and users of
rdimport need not have it. CPU per row is the marginal cost of a row: the difference between a run
of N rows and one of N/10, which excludes start-up. Other load on the machine affects wall-clock
figures most, CPU and ratios less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import lists
from receiver import Receiver, receiving

from rdimport.core.row import State
from rdimport.ledger import (
    Counters,
    Outcome,
    RowResult,
    RunRecord,
    SendAttempt,
    store_of,
)

HERE = Path(__file__).parent
PEERS, CHECKERS = str(HERE / "peers.py"), str(HERE / "checkers.py")
SHARE = {"httpx": 10, "requests": 10, "requests-threads": 10, "httpx2": 5, "xargs-curl": 50}
"""Slow peers get this many times fewer rows; it does not affect their cost per row."""


class Cost(NamedTuple):
    """What a command took: wall-clock seconds, CPU seconds, peak memory in MB."""

    wall: float
    cpu: float
    memory: float


peers_python = sys.executable


def measured(command: list[str], codes: tuple[int, ...] = (0,)) -> Cost:
    """Run a command to its end. Raises RuntimeError if it fails."""
    start = time.monotonic()
    # polars, loaded in this process, passes its allocator settings on to child processes
    kept = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**kept, "RDIMPORT_API_KEY": "benchmark", "PYTHONDONTWRITEBYTECODE": ""},
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        if process.returncode not in codes:
            output.seek(0)
            raise RuntimeError(f"{command}: {process.returncode}\n{output.read().decode()[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def rdimport(command: str, files: tuple[Path, Path], folder: Path, *more: str) -> list[str]:
    places = ["--state-dir", str(folder / "state"), "--report-dir", str(folder / "reports")]
    start = [sys.executable, "-m", "rdimport", command, str(files[0]), "-m", str(files[1])]
    return [*start, *places, "--quiet", *more]


def forget_all(folder: Path) -> None:
    """Remove the ledger and all traces of it."""
    for name in ("state", "witnesses"):
        shutil.rmtree(folder / name, ignore_errors=True)


def sending(folder: Path, rows: int, repeat: int, receiver: Receiver) -> Iterator[str]:
    """1 and 2 of the table: CPU per delivered row and rows per second."""
    url = f"{receiver.base_url}/platform/conversions?api_key=benchmark"
    target = ("--base-url", receiver.base_url, "--quota", "none")

    def ours(size: int, *more: str) -> Cost:
        forget_all(folder)
        return measured(rdimport("run", lists.write(folder, size), folder, *target, *more))

    def peer(name: str) -> Callable[[int], Cost]:
        return lambda size: measured(
            [peers_python, PEERS, name, url, str(lists.write(folder, size)[0])]
        )

    ways: dict[str, Callable[[int], Cost]] = {
        "**rdimport run**": ours,
        "rdimport run --transport httpx": lambda size: ours(size, "--transport", "httpx"),
    }
    names = "bare pyreqwest aiohttp httpx2 requests-threads requests httpx xargs-curl".split()
    ways |= {name: peer(name) for name in names}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeat):
        for name, way in ways.items():
            size = rows // SHARE.get(name.rpartition(" ")[2], 1)
            receiver.arrived()
            few, many = way(size // 10), way(size)
            if receiver.arrived().requests != size + size // 10:
                raise RuntimeError(f"{name}: not every row arrived")
            extra = size - size // 10
            found[name].append(((many.cpu - few.cpu) / extra, (many.wall - few.wall) / extra))
    cpu = {name: median(c for c, _ in costs) for name, costs in found.items()}
    wall = {name: median(w for _, w in costs) for name, costs in found.items()}
    yield "| way | CPU per row, µs | times bare | rows a second |"
    yield "|---|---:|---:|---:|"
    for name in sorted(ways, key=cpu.__getitem__):
        ratio = cpu[name] / cpu["bare"]
        yield f"| {name} | {1e6 * cpu[name]:.0f} | {ratio:.1f} | {1 / wall[name]:,.0f} |"


def checking(folder: Path, rows: int, repeat: int) -> Iterator[str]:
    """3 and 4: rows checked per second, and memory. The peers get a tenth of the rows."""
    ways: dict[str, Callable[[], tuple[Cost, int]]] = {}

    def ours(size: int, bad: float) -> Callable[[], tuple[Cost, int]]:
        files = lists.write(folder, size, bad)
        return lambda: (measured(rdimport("check", files, folder), (0, 1)), size)

    def peer(name: str, size: int) -> Callable[[], tuple[Cost, int]]:
        file = str(lists.write(folder, size, 0.01)[0])
        return lambda: (measured([peers_python, CHECKERS, name, file]), size)

    same_verdicts(folder)
    ways["**rdimport check**, 1 % bad"] = ours(rows, 0.01)
    ways["**rdimport check**, 30 % bad"] = ours(rows, 0.3)
    ways[f"**rdimport check**, {rows // 10:,} rows"] = ours(rows // 10, 0.01)
    for name in ("pandas + pandera", "csv + pydantic"):
        for kind, job in (("same", "the same job"), ("light", "less of it")):
            way = f"{name}, {job}, {rows // 10:,} rows"
            ways[way] = peer(f"{kind}-{name.replace(' + ', '-')}", rows // 10)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for _ in range(repeat):
        for name, way in ways.items():
            cost, size = way()
            found[name].append((size / cost.wall, 1e6 * cost.cpu / size, cost.memory))
    yield f"| {rows:,} rows, 12 columns | rows a second | CPU per row, µs | peak, MB |"
    yield "|---|---:|---:|---:|"
    for name, costs in found.items():
        speed, cpu, memory = (median(column) for column in zip(*costs, strict=True))
        yield f"| {name} | {speed:,.0f} | {cpu:.1f} | {memory:.0f} |"


def same_verdicts(folder: Path) -> None:
    """Raise RuntimeError unless the peers that do the same job accept and refuse as many rows."""
    files = lists.write(folder, 2_000, 0.3)
    command = [*rdimport("check", files, folder), "--json"]
    summary = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    for name in ("same-pandas-pandera", "same-csv-pydantic"):
        command = [peers_python, CHECKERS, name, str(files[0])]
        counts = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split()
        if [int(count) for count in counts] != [summary["to_send"], summary["invalid"]]:
            raise RuntimeError(f"{name} does not do the same job: {counts}")


def starting(folder: Path, repeat: int, receiver: Receiver) -> Iterator[str]:
    """5: start-up."""
    files = lists.write(folder, 100_000)
    target = ("--base-url", receiver.base_url, "--quota", "none", "--limit", "20")
    bare, helped, first = [], [], []
    for _ in range(repeat):
        bare.append(measured([sys.executable, "-c", "pass"]).wall)
        helped.append(measured([sys.executable, "-m", "rdimport", "--help"]).wall)
        forget_all(folder)
        receiver.arrived()
        start = time.monotonic()
        measured(rdimport("run", files, folder, *target), (3,))
        first.append(receiver.arrived().first - start)
    yield "| start-up | seconds |"
    yield "|---|---:|"
    yield f"| python -c pass | {median(bare):.2f} |"
    yield f"| rdimport --help | {median(helped):.2f} |"
    yield f"| rdimport run, 100,000 rows, to the first POST | {median(first):.2f} |"


def remembering(folder: Path, rows: int, repeat: int) -> Iterator[str]:
    """4: peak memory by the number of rows, with 12 columns and 1 % bad."""
    yield "| rows | peak of `rdimport check`, MB |"
    yield "|---:|---:|"
    for size in (rows // 10, rows, 10 * rows):
        files = lists.write(folder, size, 0.01)
        peaks = [measured(rdimport("check", files, folder), (1,)).memory for _ in range(repeat)]
        yield f"| {size:,} | {median(peaks):.0f} |"


def skipping(folder: Path, rows: int, repeat: int, receiver: Receiver) -> Iterator[str]:
    """6: known rows skipped per second, including start-up and report."""
    target = ("--base-url", receiver.base_url, "--quota", "none")
    forget_all(folder)
    night = rdimport("run", lists.write(folder, rows), folder, *target)
    first, *others = [measured(night) for _ in range(1 + repeat)]
    if receiver.arrived().requests != rows:
        raise RuntimeError("A known row was sent again, or one was not sent.")
    yield f"| the same {rows:,} rows | seconds | rows a second | CPU, s | peak, MB |"
    yield "|---|---:|---:|---:|---:|"
    for name, costs in (("first night, all sent", [first]), ("the nights after", others)):
        wall, cpu, peak = (median(column) for column in zip(*costs, strict=True))
        yield f"| {name} | {wall:.1f} | {rows / wall:,.0f} | {cpu:.1f} | {peak:.0f} |"


def recording(folder: Path, rows: int, repeat: int) -> Iterator[str]:
    """6: the cost of the ledger: each row recorded before it is sent, and its result, in groups."""
    yield "| ledger, by rows in a group | CPU per row, µs | commits a second |"
    yield "|---:|---:|---:|"
    for group in (1, 16, 64):
        costs = []
        for _ in range(repeat):
            forget_all(folder)
            size = rows if group > 1 else rows // 10
            with store_of(folder / "state").open() as ledger:
                run = ledger.start_run("benchmark", "receiver", datetime.now(UTC), RunRecord())
                people = [
                    SendAttempt(identity, 0, row, f'{{"email":"p{row}@exemplo.com.br"}}')
                    for row, identity in enumerate(ledger.digests([str(i) for i in range(size)]))
                ]
                wall, cpu = time.monotonic(), time.process_time()
                ended: list[RowResult] = []
                for at in range(0, size, group):
                    begun = people[at : at + group]
                    run.apply(begun, ended, Counters())
                    ended = [RowResult(o, Outcome(0, o.row, State.ACCEPTED), "-") for o in begun]
                run.apply([], ended, Counters())
            costs.append((time.process_time() - cpu, time.monotonic() - wall))
        cpu, wall = (median(column) / size for column in zip(*costs, strict=True))
        yield f"| {group} | {1e6 * cpu:.1f} | {1 / wall / group:,.0f} |"


def script(*command: str) -> Iterator[str]:
    """6: the output of another script in this folder."""
    yield f"`{' '.join(command)}`:"
    yield ""
    done = subprocess.run(
        [sys.executable, str(HERE / command[0]), *command[1:]],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    yield from (f"    {line}" for line in done.stdout.splitlines())


def machine() -> str:
    cpu = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(": ")[1] for line in lines if line.startswith("model name")), cpu)
    load = f"load {os.getloadavg()[0]:.1f}"
    return (
        f"{os.cpu_count()} × {cpu}, {platform.system()}, Python {platform.python_version()}, {load}"
    )


def main() -> None:
    global peers_python  # noqa: PLW0603
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=5_000, help="rows to send (5000)")
    parser.add_argument("--check-rows", type=int, default=1_000_000, help="rows to check (1000000)")
    parser.add_argument("--again-rows", type=int, default=200_000, help="known rows (200000)")
    parser.add_argument("--repeat", type=int, default=3, help="interleaved repetitions (3)")
    parser.add_argument("--peers", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("--only", metavar="PART", help="one of the parts: send, check …")
    args = parser.parse_args()
    peers_python = args.peers
    print(f"Machine: {machine()}")
    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        folder = Path(name)
        os.environ["XDG_DATA_HOME"] = str(folder / "witnesses")
        parts = {
            "send": lambda: sending(folder, args.rows, args.repeat, receiver),
            "check": lambda: checking(folder, args.check_rows, args.repeat),
            "memory": lambda: remembering(folder, args.check_rows, args.repeat),
            "start": lambda: starting(folder, args.repeat, receiver),
            "again": lambda: skipping(folder, args.again_rows, args.repeat, receiver),
            "ledger": lambda: recording(folder, args.rows, args.repeat),
            "sandbox": lambda: script("sandbox.py", "20000"),
            "quota": lambda: script("quota.py"),
            "quota-shared": lambda: script("quota.py", "--others", "0.3"),
            "quota-runs": lambda: script("quota.py", "--runs", "2"),
        }
        if args.only and args.only not in parts:
            parser.error(f"--only knows {', '.join(parts)}")
        for part, lines in parts.items():
            if args.only in (None, part):
                print()
                for line in lines():
                    print(line, flush=True)


if __name__ == "__main__":
    main()
