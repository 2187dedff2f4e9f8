"""One worker with many accounts on a shared ledger: rows per second, CPU and memory per account.

`python benchmarks/fleet.py --accounts 25 100 --quota 60/min --seconds 30`. Each account has a list
that lasts longer than that. Measured from when all accounts are running: CPU of the worker and of
PostgreSQL, the worker's memory and threads, and the database connections. The cost per account is
the difference between two numbers of accounts. The endpoint is the receiver, which costs the same
for any client.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

import receiver
from support.lists import MAPPING, people
from support.postgres import Server, serving

_TICK = os.sysconf("SC_CLK_TCK")
_ROWS = "SELECT count(*) FROM rdimport.conversion WHERE state = 1"
_BEGUN = "SELECT count(DISTINCT destination) FROM rdimport.conversion"
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, 'rdimport')
"""


class Look(NamedTuple):
    """What worker and database have used and done so far."""

    at: float
    worker: float
    server: float
    rows: int


def look(process: int, server: Server, database: str) -> Look:
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(times[11]) + int(times[12])) / _TICK
    rows = int(server.ask(_ROWS, database=database))
    return Look(time.monotonic(), cpu, server.cpu(), rows)


def status(process: int, name: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name)))


def set_up(folder: Path, accounts: int, rows: int, quota: str) -> None:
    moment = time.localtime(time.time() - 60)
    every = f"{moment.tm_min} {moment.tm_hour} * * *"
    settings = ['[defaults]\nreport_dir = "reports"\n']
    (folder / "list.yaml").write_text(MAPPING)
    (folder / "list.csv").write_text(people(rows))
    for number in range(accounts):
        key = folder / f"{number}.key"
        key.write_text(secrets.token_hex(16))
        key.chmod(0o600)
        settings.append(
            f'[accounts.client{number}]\napi_key = {{file = "{number}.key"}}\nquota = "{quota}"\n'
            f'[jobs.job{number}]\naccount = "client{number}"\nfiles = "list.csv"\n'
            f'mapping = "list.yaml"\nevery = "{every}"\n'
        )
    (folder / "rdimport.toml").write_text("".join(settings))


def measure(server: Server, base_url: str, accounts: int, quota: str, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder, url = Path(home), server.new_database()
        database = url.rpartition("/")[2].replace("%20", " ")
        number, unit = quota.split("/")
        per_second = int(number) / {"s": 1, "min": 60, "h": 3600}[unit]
        set_up(folder, accounts, int(per_second * (seconds + accounts + 120)) + 10, quota)
        environment = os.environ | {
            "RDIMPORT_LEDGER": url,
            "RDIMPORT_LEDGER_KEY": secrets.token_hex(32),
            "RDIMPORT_CONFIG": str(folder / "rdimport.toml"),
            "RDIMPORT_BASE_URL": base_url,
            "RDIMPORT_STATE_DIR": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "POLARS_MAX_THREADS": "1",
        }
        command = [sys.executable, "-m", "rdimport"]
        subprocess.run(
            [*command, "fleet", "init"], env=environment, check=True, capture_output=True
        )
        worker_command = [*command, "worker", "--slots", str(accounts)]
        with (folder / "log").open("wb") as log:
            worker = subprocess.Popen(worker_command, env=environment, stdout=log, stderr=log)
        started = time.monotonic()
        while server.ask(_BEGUN, database=database) < accounts:
            time.sleep(0.5)
            if worker.poll() is not None or time.monotonic() > started + 600:
                sys.exit((folder / "log").read_text()[-2000:] or "it takes too long")
        begun = time.monotonic() - started
        before, commits = (
            look(worker.pid, server, database),
            server.ask(_COMMITS, database=database),
        )
        time.sleep(seconds)
        after = look(worker.pid, server, database)
        commits = server.ask(_COMMITS, database=database) - commits
        memory, threads = status(worker.pid, "VmRSS"), status(worker.pid, "Threads")
        connections = server.ask(_CONNECTIONS, database=database)
        worker.kill()
        worker.wait()
    passed, rows = after.at - before.at, after.rows - before.rows
    share = 100 * rows / (passed * accounts * per_second)
    ours, theirs = after.worker - before.worker, after.server - before.server
    print(
        f"{accounts:8} {begun:8.0f} {rows / passed:8.1f} {share:7.1f} {1e6 * ours / rows:9.0f} "
        f"{1e6 * theirs / rows:9.0f} {1e3 * ours / passed / accounts:9.2f} {memory / 1024:8.0f} "
        f"{threads:8} {connections:6} {commits / passed:9.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[1, 25, 100])
    parser.add_argument("--quota", default="60/min", help="of each account")
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    print(f"{args.quota} an account, {args.seconds:g} s, load {os.getloadavg()[0]:.1f}")
    print(
        "accounts  begin s   rows/s  quota %  us a row  server us  ms/s each   MB RSS"
        "  threads  conns  commits/s"
    )
    with serving(max_connections="600") as server, receiver.receiving() as at:
        for accounts in args.accounts:
            measure(server, at.base_url, accounts, args.quota, args.seconds)


if __name__ == "__main__":
    main()
