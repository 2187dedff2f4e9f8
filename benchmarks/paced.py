"""The cost of a row that waits for its slot in a quota: CPU per thread, and how often they wake.

    python benchmarks/paced.py                          # a minute and a half
    python benchmarks/paced.py --against ../other-tree  # in turn with the package of another tree

`own` is rdimport's own share: a whole run whose sender answers after a timer, so that nothing is
sent. The other runs add a sender, its connection and TLS. `hand` is the script one would write
instead: http.client over one connection, a durable note before and after each row, no validation,
no report. The runs of a round run concurrently: each sleeps nearly all of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import lists
from whole_runs import Case, folder_with_certificate, start

import rdimport
import rdimport.delivery.transport as transports
from rdimport.core.events import Event, RowFinished
from rdimport.delivery.transport import Reply

KINDS = ["own", "direct", "direct, TLS", "httpx", "httpx, TLS", "hand"]
FIRST = 10
"""Warm-up rows: connections are opened, one-off work is done."""

PARTS = ["loop", "ledger", "process", "woken"]


def usage() -> dict[str, float]:
    """The CPU of each thread in ms, and the voluntary context switches of this process."""
    found = {"process": 1e3 * time.process_time()}
    for thread in threading.enumerate():
        name = "loop" if thread is threading.main_thread() else thread.name
        clock = time.pthread_getcpuclockid(thread.ident or 0)
        found[name] = 1e3 * time.clock_gettime(clock)
    found["woken"] = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    return found


class Meter:
    """Called after each row; measures the cost of one."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._seen = 0
        self._from: dict[str, float] = {}
        self.found: dict[str, float] = {}

    def __call__(self) -> None:
        self._seen += 1
        if self._seen == FIRST:
            self._from = usage()
        elif self._seen == FIRST + self._rows:
            now = usage()
            shared = self._from.keys() & now.keys()
            self.found = {part: (now[part] - self._from[part]) / self._rows for part in shared}


class Answering:
    """A transport that sends nothing and accepts everything."""

    def start(self, _request: Any, done: Callable[[Any], None]) -> None:
        body = b'{"event_uuid":"5408c5a3-4711-4f2e-8d0b-13407a3e30f3"}'
        asyncio.get_running_loop().call_later(0.01, done, Reply(200, {}, body))

    def abandon(self, done: Callable[[Any], None]) -> None:
        """Nothing to abandon."""


@asynccontextmanager
async def answering(*_: object, **__: object) -> AsyncIterator[Answering]:
    yield Answering()


def run(kind: str, port: int, rows: int, per_minute: int) -> dict[str, float]:
    """A whole run."""
    if kind == "own":
        transports.connected = answering  # type: ignore[assignment]
    meter = Meter(rows)

    def watch(event: Event) -> None:
        if isinstance(event, RowFinished):
            meter()

    file, mapping = lists.write(Path.cwd(), FIRST + rows + 1)
    scheme = "https" if "TLS" in kind else "http"
    # its own key: runs with the same key share its quota, and each row checks the others
    to = rdimport.RDStation(f"{os.getpid():020d}", base_url=f"{scheme}://localhost:{port}")
    options: dict[str, Any] = {"quota": f"{per_minute}/min", "on_event": watch}
    options["transport"] = "httpx" if "httpx" in kind else "lean"
    rdimport.run(str(file), str(mapping), to=to, state_dir="state", **options)
    return meter.found


def by_hand(port: int, rows: int, per_minute: int) -> dict[str, float]:
    """The leanest script that knows what it may have sent after a crash."""
    meter = Meter(rows)
    db = sqlite3.connect("hand.sqlite3", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE sent (email TEXT PRIMARY KEY, state TEXT)")
    connection = http.client.HTTPConnection("localhost", port)
    begun = time.monotonic()
    for number in range(FIRST + rows + 1):
        time.sleep(max(0.0, begun + number * 60 / per_minute - time.monotonic()))
        email = f"p{number}@exemplo.com.br"
        db.execute("INSERT INTO sent VALUES (?, 'open')", (email,))
        payload = {"conversion_identifier": "x", "email": email, "name": "Ana", "city": "Recife"}
        body = json.dumps({"event_type": "CONVERSION", "payload": payload})
        connection.request("POST", "/conversions?api_key=k", body)
        answer = connection.getresponse()
        answer.read()
        db.execute("UPDATE sent SET state = ? WHERE email = ?", (answer.status, email))
        meter()
    return meter.found


def started(
    folder: Path, kind: str, tree: Path, ports: dict[str, int], args: argparse.Namespace
) -> subprocess.Popen[str]:
    options = ["--run", kind, ports["https" if "TLS" in kind else "http"], args.rows, args.pace]
    return start(folder, *options, program=Path(__file__), tree=tree)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=80)
    parser.add_argument("--pace", type=int, default=500, help="rows a minute")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--against", type=Path, help="another tree with a package rdimport")
    args = parser.parse_args()
    trees = [Path(__file__).parent.parent, *([args.against] if args.against else [])]
    found: dict[tuple[str, Path], list[dict[str, float]]] = {}
    with folder_with_certificate() as folder:
        cases = [Case(scheme, "", "never", 0.0, "", 0) for scheme in ("http", "https")]
        server = start(folder, "--serve", json.dumps(cases), folder)
        assert server.stdin is not None
        assert server.stdout is not None
        ports = dict(zip(("http", "https"), json.loads(server.stdout.readline()), strict=True))
        for _ in range(args.repeat):
            at_work = {
                (kind, tree): started(folder, kind, tree, ports, args)
                for kind in args.kinds
                for tree in trees
                if kind != "hand" or tree is trees[0]
            }
            for which, process in at_work.items():
                found.setdefault(which, []).append(json.loads(process.communicate()[0]))
        server.stdin.close()
        server.wait()
    print("| a row | event loop, ms | ledger, ms | CPU, ms | woken |\n|---|---:|---:|---:|---:|")
    for (kind, tree), rounds in found.items():
        cells = [median(one.get(part, 0.0) for one in rounds) for part in PARTS]
        name = kind if tree is trees[0] else f"{kind}, {tree}"
        print(f"| {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |")


if __name__ == "__main__":
    if "--run" in sys.argv:
        _, _, kind, *numbers = sys.argv
        port, rows, per_minute = map(int, numbers)
        if kind == "hand":
            print(json.dumps(by_hand(port, rows, per_minute)))
        else:
            print(json.dumps(run(kind, port, rows, per_minute)))
    else:
        main()
