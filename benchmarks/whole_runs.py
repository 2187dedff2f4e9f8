"""Whole runs of both senders against servers that close idle connections: rows in doubt, early
stops, cost per row, time per answer.

    python benchmarks/whole_runs.py                      # all quotas and closes, plain and TLS
    python benchmarks/whole_runs.py --quotas none --rows 500 --closes "at once" "2 ms"
    python benchmarks/whole_runs.py --senders lean --distance 0 0.025

Each run is a separate process with a list of contacts, a mapping, a ledger and a report. The server
is another one. It closes each connection a given time after its last answer, and may be at a
`--distance`: everything takes that many seconds in each direction, including the close of a
connection; only opening one takes no longer. Paced runs run concurrently, as they are idle nearly
all the time; the others in turn. CPU is that of sending alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast

import rdimport
import rdimport.delivery.transport as transports
from rdimport.core.events import Event, SendingFinished, SendingStarted
from rdimport.delivery.transport import Kind, Reply, Timeouts, Transport
from rdimport.delivery.transport.response import Done
from rdimport.destination import Request

CLOSES = {"at once": 0.0, "2 ms": 0.002, "1 s": 1.0, "5 s": 5.0, "never": None}
QUOTAS = {"120": "120/min", "500": "500/min", "none": None}
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Server: x\r\nRateLimit-Limit: 120\r\nRateLimit-Remaining: 119\r\nContent-Length: 53\r\n\r\n"
    b'{"event_uuid":"5408c5a3-4711-4f2e-8d0b-13407a3e30f3"}'
)
MAPPING = "version: 1\nconversion_identifier: Bench\nfields: {email: E-mail}\n"


class Case(NamedTuple):
    """One run and its server."""

    scheme: str
    quota: str
    closes: str
    distance: float
    sender: str
    rows: int


class Seen:
    """What a server read, by address, and over how many connections."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.connections = 0


class Far(asyncio.Protocol):
    """The server's end of a connection."""

    def __init__(self, seen: Seen, closes: float | None, distance: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seen = seen
        self._closes = closes
        self._distance = distance
        self._data = b""
        self._closed = False
        self._rest: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._seen.connections += 1

    def data_received(self, data: bytes) -> None:
        self._after(self._read, data)

    def _after(self, what: Any, *args: Any) -> None:
        """Call `what` after the delay of the distance."""
        if self._distance:
            self._loop.call_later(self._distance, what, *args)
        else:
            what(*args)

    def _read(self, data: bytes) -> None:
        if self._closed:
            return
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().split(b"content-length:")[1].split()[0]):
            return
        self._data = b""
        self._seen.rows[json.loads(body)["payload"]["email"]] += 1
        if self._rest is not None:
            self._rest.cancel()
        self._after(self._say)
        if self._closes == 0:
            self._close()
        elif self._closes is not None:
            self._rest = self._loop.call_later(self._closes, self._close)

    def _say(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)

    def _close(self) -> None:
        self._closed = True
        self._after(self._transport.close)


async def serve(cases: Sequence[Case], folder: Path) -> None:
    """Print a listening port for each case; when standard input ends, print what was seen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    all_seen = [Seen() for _ in cases]
    ports = []
    for case, seen in zip(cases, all_seen, strict=True):
        tls = context if case.scheme == "https" else None
        server = await asyncio.get_running_loop().create_server(
            lambda seen=seen, case=case: Far(seen, CLOSES[case.closes], case.distance),
            "127.0.0.1",
            0,
            ssl=tls,
            backlog=1_000,
        )
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps([[seen.connections, seen.rows] for seen in all_seen]), flush=True)


class Timed:
    """A transport that records how long answers take."""

    def __init__(self, sender: Transport, seconds: list[float]) -> None:
        self._sender = sender
        self._seconds = seconds
        self._done: dict[Done, Done] = {}

    def start(self, request: Request, done: Done) -> None:
        started = time.perf_counter()

        def timed(end: Reply | Exception) -> None:
            self._done.pop(done, None)
            if isinstance(end, Reply):
                self._seconds.append(time.perf_counter() - started)
            done(end)

        self._done[done] = timed
        self._sender.start(request, timed)

    def abandon(self, done: Done) -> None:
        if done in self._done:
            self._sender.abandon(self._done.pop(done))


def run(case: Case, port: int) -> None:
    """Do one whole run; print its result."""
    seconds: list[float] = []
    cpu: dict[type, float] = {}
    connected = transports.connected

    @asynccontextmanager
    async def timed(
        base_url: str,
        credentials: Mapping[str, str],
        concurrency: int,
        timeouts: Timeouts,
        kind: Kind = "auto",
        **more: Any,
    ) -> AsyncIterator[Transport]:
        how = (concurrency, timeouts, kind)
        async with connected(base_url, credentials, *how, **more) as sender:
            yield Timed(sender, seconds)

    def watch(event: Event) -> None:
        if isinstance(event, SendingStarted | SendingFinished):
            cpu[type(event)] = time.process_time()

    transports.connected = timed  # type: ignore[assignment]
    Path("list.csv").write_text(
        "\n".join(["E-mail", *(f"p{n}@exemplo.com.br" for n in range(case.rows))])
    )
    Path("map.yaml").write_text(MAPPING)
    to = rdimport.RDStation("k" * 20, base_url=f"{case.scheme}://localhost:{port}")
    options: dict[str, Any] = {"state_dir": "state", "transport": case.sender, "on_event": watch}
    options |= {"quota": QUOTAS[case.quota], "share_quota": False}
    result = rdimport.run("list.csv", "map.yaml", to=to, **options)
    found = {
        "counts": {str(state): number for state, number in result.counts.items()},
        "requests": result.summary.requests,
        "stopped": result.summary.stopped_because,
        "cpu": cpu[SendingFinished] - cpu[SendingStarted],
        "seconds": seconds,
    }
    print(json.dumps(found), flush=True)


@contextmanager
def folder_with_certificate() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {folder}/key.pem"
        command += (
            f" -out {folder}/cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        yield folder


def start(
    folder: Path, *args: object, program: Path = Path(__file__), tree: Path | None = None
) -> subprocess.Popen[str]:
    """Start this program or another one in its own process and folder, with the package of a
    tree.
    """
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment = kept | {
        "PYTHONPATH": str((tree or Path(__file__).parent.parent).resolve()),
        "SSL_CERT_FILE": str(folder / "cert.pem"),
        "HOME": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, str(program.resolve()), *map(str, args)],
        cwd=tempfile.mkdtemp(dir=folder),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def measure(cases: Sequence[Case]) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Results in the order of the cases; cases without a quota run one at a time."""
    with folder_with_certificate() as folder:
        together = not any(case.quota == "none" for case in cases)
        server = start(folder, "--serve", json.dumps(cases), folder)
        assert server.stdin is not None
        assert server.stdout is not None
        ports = json.loads(server.stdout.readline())
        running = []
        outputs = []
        for case, port in zip(cases, ports, strict=True):
            running.append(start(folder, "--run", json.dumps(case), port))
            if not together:
                outputs.append(running[-1].communicate()[0])
        outputs += [process.communicate()[0] for process in running[len(outputs) :]]
        server.stdin.close()
        seen = json.loads(server.stdout.readline())
        server.wait()
    for case, output, (connections, rows) in zip(cases, outputs, seen, strict=True):
        yield case, json.loads(output) | {"connections": connections, "read": rows}


def line(case: Case, found: dict[str, Any]) -> str:
    counts, read = found["counts"], found["read"]
    taken = sorted(found["seconds"]) or [0.0]
    kinds = [
        case.scheme,
        case.quota,
        case.closes,
        f"{2_000 * case.distance:g} ms",
        {"lean": "direct", "httpx": "httpx"}[case.sender],
        case.rows,
        counts["uncertain"],
        counts["pending"] or "",
        found["stopped"] or "",
        counts["uncertain"] - (sum(read.values()) - counts["accepted"]),
        sum(number > 1 for number in read.values()),
        found["connections"],
        f"{1e6 * found['cpu'] / max(1, found['requests']):.0f}",
        f"{1e3 * median(taken):.1f}",
        f"{1e3 * taken[int(0.99 * len(taken))]:.1f}",
    ]
    return f"| {' | '.join(map(str, kinds))} |"


HEAD = (
    "| scheme | rows a minute | closes after | round trip | sender | rows | in doubt | not sent"
    " | stopped | of the doubt not read | twice | connections | CPU per row, µs | answer, ms"
    " | 99 % |"
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schemes", nargs="+", default=["http", "https"])
    parser.add_argument("--quotas", nargs="+", default=list(QUOTAS), choices=QUOTAS)
    parser.add_argument("--closes", nargs="+", default=list(CLOSES), choices=CLOSES)
    parser.add_argument("--senders", nargs="+", default=["lean", "httpx"])
    parser.add_argument("--distance", nargs="+", type=float, default=[0.025])
    parser.add_argument("--rows", type=int, default=2_000, help="of a run without a quota")
    parser.add_argument("--minutes", type=float, default=3.0, help="of a run with a quota")
    return parser.parse_args()


def main() -> None:
    if "--serve" in sys.argv:
        cases = [Case(*case) for case in json.loads(sys.argv[2])]
        asyncio.run(serve(cases, Path(sys.argv[3])))
        return
    if "--run" in sys.argv:
        run(Case(*json.loads(sys.argv[2])), int(sys.argv[3]))
        return
    args = parse_args()
    print(HEAD + "\n" + "|---" * HEAD.count(" | ") + "|---|", flush=True)
    for quota in args.quotas:
        rows = args.rows if quota == "none" else round(float(quota) * args.minutes)
        every = product(args.schemes, args.closes, args.distance, args.senders)
        cases = [Case(s, quota, c, d, sender, rows) for s, c, d, sender in every]
        for case, found in measure(cases):
            print(line(case, found), flush=True)


if __name__ == "__main__":
    main()
