"""Measures rdimport against what a user would write instead, as ratios within one run.

    python benchmarks/bench.py [--rows N] [--check-rows N] [--repeat N] [--only PART]

Every command runs in a process of its own, in turn with the others, several times; medians are
printed. CPU per row is what one more row costs: the difference between a run of N rows and one of
N/10, so that no start-up is in it. Wall-clock figures suffer from whoever else uses the machine;
CPU and ratios do so less.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import lists
from receiver import Receiver, receiving

HERE = Path(__file__).parent
PEERS = str(HERE / "peers.py")
SHARE = {"httpx": 10, "requests": 10, "requests-threads": 10, "httpx2": 5, "xargs-curl": 50}
"""Slow peers get this many times fewer rows; their cost per row does not depend on it."""


class Cost(NamedTuple):
    """What a command took: seconds by the clock, seconds of CPU, MB at its peak."""

    wall: float
    cpu: float
    memory: float


def measured(command: list[str], codes: tuple[int, ...] = (0,)) -> Cost:
    """Run a command to its end. Raises RuntimeError when it fails."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            env={**os.environ, "RDIMPORT_API_KEY": "benchmark", "PYTHONDONTWRITEBYTECODE": ""},
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        if process.returncode not in codes:
            said.seek(0)
            raise RuntimeError(f"{command}: {process.returncode}\n{said.read().decode()[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def rdimport(command: str, files: tuple[Path, Path], folder: Path, *more: str) -> list[str]:
    places = ["--state-dir", str(folder / "state"), "--report-dir", str(folder / "reports")]
    start = [sys.executable, "-m", "rdimport", command, str(files[0]), "-m", str(files[1])]
    return [*start, *places, "--quiet", *more]


def sending(folder: Path, rows: int, repeat: int, receiver: Receiver) -> Iterator[str]:
    """1 and 2 of the table: CPU per delivered row and rows per second."""
    url = f"{receiver.base_url}/platform/conversions?api_key=benchmark"
    target = ("--base-url", receiver.base_url, "--quota", "none")

    def ours(size: int, *more: str) -> Cost:
        shutil.rmtree(folder / "state", ignore_errors=True)
        return measured(rdimport("run", lists.write(folder, size), folder, *target, *more))

    def peer(name: str) -> Callable[[int], Cost]:
        return lambda size: measured(
            [sys.executable, PEERS, name, url, str(lists.write(folder, size)[0])]
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
    """3 and 4: rows checked per second, and memory."""
    ways: dict[str, Callable[[], tuple[Cost, int]]] = {}

    def ours(size: int, bad: float) -> Callable[[], tuple[Cost, int]]:
        files = lists.write(folder, size, bad)
        return lambda: (measured(rdimport("check", files, folder), (0, 1)), size)

    def peer(name: str) -> Callable[[], tuple[Cost, int]]:
        size = rows // 10
        file = str(lists.write(folder, size, 0.01)[0])
        return lambda: (measured([sys.executable, PEERS, name, "", file]), size)

    ways["**rdimport check**, 1 % bad"] = ours(rows, 0.01)
    ways["**rdimport check**, 30 % bad"] = ours(rows, 0.3)
    ways["rdimport check, a tenth of the rows"] = ours(rows // 10, 0.01)
    ways["pandas + pandera, a tenth"] = peer("pandas-pandera")
    ways["csv + pydantic, a tenth"] = peer("csv-pydantic")
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


def starting(folder: Path, repeat: int, receiver: Receiver) -> Iterator[str]:
    """5: start-up."""
    files = lists.write(folder, 100_000)
    target = ("--base-url", receiver.base_url, "--quota", "none", "--limit", "20")
    bare, helped, first = [], [], []
    for _ in range(repeat):
        bare.append(measured([sys.executable, "-c", "pass"]).wall)
        helped.append(measured([sys.executable, "-m", "rdimport", "--help"]).wall)
        shutil.rmtree(folder / "state", ignore_errors=True)
        receiver.arrived()
        start = time.monotonic()
        measured(rdimport("run", files, folder, *target), (3,))
        first.append(receiver.arrived().first - start)
    yield "| start-up | seconds |"
    yield "|---|---:|"
    yield f"| python -c pass | {median(bare):.2f} |"
    yield f"| rdimport --help | {median(helped):.2f} |"
    yield f"| rdimport run, 100,000 rows, to the first POST | {median(first):.2f} |"


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=5_000, help="rows to send (5000)")
    parser.add_argument("--check-rows", type=int, default=100_000, help="rows to check (100000)")
    parser.add_argument("--repeat", type=int, default=3, help="interleaved repetitions (3)")
    parser.add_argument("--only", choices=("send", "check", "start"))
    told = parser.parse_args()
    print(f"Machine: {machine()}")
    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        folder = Path(name)
        parts = {
            "send": lambda: sending(folder, told.rows, told.repeat, receiver),
            "check": lambda: checking(folder, told.check_rows, told.repeat),
            "start": lambda: starting(folder, told.repeat, receiver),
        }
        for part, lines in parts.items():
            if told.only in (None, part):
                print()
                for line in lines():
                    print(line, flush=True)


if __name__ == "__main__":
    main()
