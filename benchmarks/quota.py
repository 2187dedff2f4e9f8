"""How much of an account's quota does a run use, and how often is it refused?

    python benchmarks/quota.py                       # the clock scaled down: windows of 3 seconds
    python benchmarks/quota.py --seconds 60 --windows 10      # ten minutes of real time
    python benchmarks/quota.py --others 0.3 --headers none
    python benchmarks/quota.py --runs 2              # two runs of one account, each with a ledger

A separate endpoint process counts requests in fixed windows as RD does (120 in each) and reports
that in its headers. `--others` is the share of the quota that another client uses, at random
moments. The first and the last window are not counted, as the run covers only part of them. With
`--runs`, several processes import at the same time; `--apart` keeps them from sharing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from rdimport import api
from rdimport.core.quota import Quota
from rdimport.core.row import State
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.mapping import Mapping

LIMIT = 120
MAPPING = "version: 1\nconversion_identifier: Bench\nfields: {email: email}\n"


class Endpoint:
    """Counts in fixed windows from the start of the endpoint plus a random phase."""

    def __init__(self, seconds: float, others: float, headers: str, latency: float) -> None:
        self.seconds = seconds
        self.others = others
        self.headers = headers
        self.latency = latency
        self.phase = random.Random(7).random() * seconds
        self.taken: Counter[int] = Counter()
        self.ours: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.by_run: Counter[tuple[int, str]] = Counter()

    def window(self) -> int:
        return int((time.monotonic() + self.phase) // self.seconds)

    def take(self) -> tuple[bool, int, float]:
        number = self.window()
        allowed = self.taken[number] < LIMIT
        self.taken[number] += allowed
        left = (number + 1) * self.seconds - time.monotonic() - self.phase
        tick = self.seconds / 60  # RD's headers count whole seconds of a minute
        return allowed, LIMIT - self.taken[number], math.ceil(left / tick) * tick

    async def other_client(self) -> None:
        rng = random.Random(3)
        while self.others:
            await asyncio.sleep(rng.expovariate(self.others * LIMIT / self.seconds))
            self.take()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            lines = head.lower().split(b"\r\n")
            size = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            body = await reader.readexactly(size)
            run = body.partition(b'"email":"')[2].partition(b"-")[0].decode()
            await asyncio.sleep(self.latency / 2)
            allowed, remaining, reset = self.take()
            number = self.window()
            (self.ours if allowed else self.refused)[number] += 1
            self.by_run[number, run] += allowed
            await asyncio.sleep(self.latency / 2)
            writer.write(self.answer(allowed, remaining, reset))
        writer.close()

    def answer(self, allowed: bool, remaining: int, reset: float) -> bytes:
        body = b'{"event_uuid":"u"}' if allowed else b'{"message":"API rate limit exceeded"}'
        headers = [f"content-length: {len(body)}"]
        if self.headers != "none":
            headers += [f"RateLimit-Limit: {LIMIT}", f"RateLimit-Remaining: {remaining}"]
            headers += [f"RateLimit-Reset: {reset:.3f}"]
        if not allowed:
            headers.append(f"Retry-After: {reset:.3f}")
        status = "200 OK" if allowed else "429 Too Many Requests"
        return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def endpoint_process(pipe: Connection, options: argparse.Namespace) -> None:
    async def main() -> None:
        endpoint = Endpoint(options.seconds, options.others, options.headers, options.latency)
        server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
        other = asyncio.create_task(endpoint.other_client())
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        other.cancel()
        counted = (endpoint.taken, endpoint.ours, endpoint.refused, endpoint.by_run)
        pipe.send([dict(c) for c in counted])

    asyncio.run(main())


def import_list(options: argparse.Namespace, port: int, folder: Path, name: str, rows: int) -> None:
    """One run, in its own process, with its own list and ledger."""
    home = folder / name
    home.mkdir()
    os.environ["XDG_CACHE_HOME"] = str(folder / "quota")  # where runs share the quota
    file = home / "list.csv"
    file.write_text("email\n" + "".join(f"{name}-{i}@exemplo.com.br\n" for i in range(rows)))
    done = api.run(
        [str(file)],
        Mapping.parse(MAPPING),
        to=RDStation("benchmark", base_url=f"http://127.0.0.1:{port}"),
        state_dir=home / "state",
        report_dir=home / "reports",
        quota=Quota(LIMIT, options.seconds),
        share_quota=not options.apart,
    )
    if done.counts[State.ACCEPTED] != rows:
        raise RuntimeError(f"{rows} rows, but {done.summary}")


def measure(options: argparse.Namespace) -> dict[str, object]:
    rows = math.ceil(options.windows * LIMIT * (1 - options.others) / options.runs)
    names = [f"run{number}" for number in range(options.runs)]
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=endpoint_process, args=(theirs, options))
    process.start()
    port = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            multiprocessing.Process(
                target=import_list, args=(options, port, Path(folder), name, rows)
            )
            for name in names
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    if any(run.exitcode for run in runs):
        raise RuntimeError("a run failed")
    ours.send("stop")
    taken, accepted, refused, by_run = map(Counter, ours.recv())
    process.join()
    at_work = [{window for window, run in by_run if run == name} for name in names]
    whole = sorted(set.intersection(*at_work))[1:-1]
    sent = sum(accepted.values()) + sum(refused.values())
    got = [sum(by_run[w, name] for w in whole) for name in names]
    return {
        "windows": len(whole),
        "quota used": f"{sum(taken[w] for w in whole) / (LIMIT * len(whole)):.2%}",
        "of it by us": f"{sum(accepted[w] for w in whole) / (LIMIT * len(whole)):.2%}",
        "answered 429": f"{sum(refused.values()) / sent:.3%} of {sent}",
        "share of each run": [f"{part / sum(got):.1%}" for part in got],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a window (3)")
    parser.add_argument("--windows", type=int, default=20, help="about how many (20)")
    parser.add_argument("--others", type=float, default=0.0, help="share that another client takes")
    parser.add_argument("--headers", choices=("told", "none"), default="told")
    parser.add_argument("--latency", type=float, default=0.01, help="seconds of an answer (0.01)")
    parser.add_argument("--runs", type=int, default=1, help="runs at the same time (1)")
    parser.add_argument("--apart", action="store_true", help="do not let them share the quota")
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
