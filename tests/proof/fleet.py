"""Many accounts on several workers, some of which are repeatedly killed, frozen and cut off:
`python -m tests.proof.fleet --accounts 12 --workers 3 --minutes 2 --seed 1`.

The long form: `--accounts 1000 --workers 4 --minutes 20 --every 30 --kill-only --quota 2/min`. Each
worker has its own route to the database; there are two routes to RD, one of which serves every
other worker. The sandbox knows what arrived and how many requests exceeded a quota. At the end
nobody arrived twice, the ledger knows each row that arrived, and what it says is true. The proof
reports how much of the quotas was used from when all accounts were running, and how long others
took to take over all accounts of a killed worker.
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import Final, NamedTuple

from support.cable import TO_CLIENT, TO_SERVER, Cable, cable
from support.lists import MAPPING, people
from support.postgres import Server, serving
from support.processes import dying_with_parent

from rdimport.sandbox import SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

TIMEOUT: Final = 300.0
PERILS: Final = (
    "killed",
    "frozen",
    "cut from the database",
    "held",
    "drained",
    "cut from RD",
    "held from RD",
)


@dataclass
class Options:
    """The options of the proof."""

    accounts: int
    workers: int
    minutes: float
    every: float
    quota: str
    seed: int
    kill_only: bool


@dataclass(eq=False)
class Worker:
    """A process and its route to the database."""

    process: Popen[bytes]
    line: Cable
    back_at: float | None = None
    """When it recovers from what was done to it."""


@dataclass(eq=False)
class Way:
    """A route to RD, used by some of the workers."""

    host: str
    line: Cable
    back_at: float | None = None


@dataclass(eq=False)
class Death:
    """A killed worker: its number, how many leases it had, and after how many seconds others had
    half and all of them. The holder of an account and its quota sends as soon as the pace allows:
    that wait is not counted.
    """

    at: float
    process: int
    leases: int
    half: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        if self.seconds is None:
            return "never"
        return f"{self.leases} leases: half {self.half or 0:.1f}, all {self.seconds:.1f}"


class Cpu(NamedTuple):
    """CPU seconds: of all workers, of PostgreSQL, of the proof with its sandbox and cables."""

    workers: float
    server: float
    proof: float


def cpu_of(process: int) -> float:
    """CPU seconds of a live process."""
    used = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


@dataclass
class Fleet:
    """A folder with settings, lists and keys, and the workers that use it."""

    options: Options
    folder: Path
    box: RunningSandbox
    server: Server
    stack: ExitStack
    workers: list[Worker] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    perils: Counter[str] = field(default_factory=Counter)
    used: list[Cpu] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.url = self.server.new_database()
        self.database = self.url.rpartition("/")[2].replace("%20", " ")
        port = int(self.box.base_url.rpartition(":")[2].partition("/")[0])
        straight = self.stack.enter_context(cable(port))
        beside = self.stack.enter_context(cable(port, ("::1", straight.port)))
        self.ways = [Way("127.0.0.1", straight), Way("[::1]", beside)]
        self._rd = self.box.base_url.replace(f"127.0.0.1:{port}", f"{{}}:{straight.port}")
        self._started = 0
        number, unit = self.options.quota.split("/")
        self.per_second = int(number) / {"s": 1, "min": 60, "h": 3600}[unit]
        self.rows = max(5, int(self.per_second * (self.options.minutes + 5) * 60))
        self.clients = [f"client-{n}" for n in range(self.options.accounts)]
        self._environment = os.environ | {
            "RDIMPORT_LEDGER_KEY": secrets.token_hex(32),
            "RDIMPORT_CONFIG": str(self.folder / "rdimport.toml"),
            "RDIMPORT_BASE_URL": self._rd.format(self.ways[0].host),
            "RDIMPORT_STATE_DIR": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "POLARS_MAX_THREADS": "1",
        }

    def set_up(self) -> None:
        moment = time.localtime(time.time() - 60)
        every = f"{moment.tm_min} {moment.tm_hour} * * *"
        settings = ['[defaults]\nreport_dir = "reports"\npatience = "10s"\n']
        (self.folder / "list.yaml").write_text(MAPPING)
        for client in self.clients:
            (self.folder / f"{client}.csv").write_text(
                people(self.rows).replace("@", f"@{client}.")
            )
            key = self.folder / f"{client}.key"
            key.write_text(self.box.create_key("fleet", client))
            key.chmod(0o600)
            settings.append(
                f'[accounts.{client}]\napi_key = {{file = "{client}.key"}}\n'
                f'quota = "{self.options.quota}"\n'
                f'[jobs.{client}]\naccount = "{client}"\nfiles = "{client}.csv"\n'
                f'mapping = "list.yaml"\nevery = "{every}"\n'
            )
        (self.folder / "rdimport.toml").write_text("".join(settings))
        if self.do("fleet", "init"):
            sys.exit("no ledger could be made")
        self._db = self.stack.enter_context(self.server.connect(self.database))

    def _start(self, url: str, *args: str, way: int = 0) -> Popen[bytes]:
        log = (self.folder / "workers.log").open("ab")
        with log:
            return Popen(
                [sys.executable, "-m", "rdimport", *args],
                cwd=self.folder,
                env=self._environment
                | {
                    "RDIMPORT_LEDGER": url,
                    "RDIMPORT_BASE_URL": self._rd.format(self.ways[way].host),
                },
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=dying_with_parent(),
            )

    def do(self, *args: str) -> int:
        return self._start(self.url, *args).wait(TIMEOUT)

    def start_worker(self) -> None:
        line = self.stack.enter_context(cable(self.server.port))
        url = self.url.replace(f":{self.server.port}/", f":{line.port}/")
        slots = str(max(2, -(-self.options.accounts // max(1, self.options.workers - 1))))
        args, way = ("worker", "--slots", slots), self._started % len(self.ways)
        self._started += 1
        self.workers.append(Worker(self._start(url, *args, way=way), line))

    def harm(self, rng: Random, now: float) -> None:
        """Do harm to one of the unharmed workers."""
        fine = [one for one in self.workers if one.back_at is None]
        one = rng.choice(fine)
        what = "killed"
        if not self.options.kill_only:
            what = rng.choice(PERILS)
        self.perils[what] += 1
        if what.endswith("RD"):
            self._harm_way(rng, what, now)
            return
        if what == "killed":
            one.process.kill()
            process = one.process.pid
            self.deaths.append(Death(now, process, self.leases([process]).get(process, 0)))
        elif what == "drained":
            one.process.terminate()
        elif what == "frozen":
            one.process.send_signal(signal.SIGSTOP)
            one.back_at = now + rng.uniform(1, 60)
        elif what == "held":
            one.line.hold(TO_SERVER, TO_CLIENT)
            one.back_at = now + rng.uniform(1, 40)
        else:
            one.line.unplug()
            one.back_at = now + rng.uniform(1, 40)
        if what in ("killed", "drained"):
            one.process.wait(TIMEOUT)
            self.workers.remove(one)
            self.start_worker()

    def _harm_way(self, rng: Random, what: str, now: float) -> None:
        fine = [way for way in self.ways if way.back_at is None]
        if not fine:
            return
        way = rng.choice(fine)
        if what.startswith("cut"):
            way.line.unplug()
        else:
            way.line.hold(TO_SERVER, TO_CLIENT)
        way.back_at = now + rng.uniform(1, 40)

    def look(self, now: float) -> None:
        """See who has taken over the leases of dead workers."""
        waiting = [death for death in self.deaths if death.seconds is None]
        left = self.leases([death.process for death in waiting]) if waiting else {}
        for death in waiting:
            if death.half is None and left.get(death.process, 0) <= death.leases / 2:
                death.half = now - death.at
            if death.process not in left:
                death.seconds = now - death.at

    def leases(self, processes: list[int]) -> dict[int, int]:
        """How many leases each of these processes holds, of accounts and of quotas."""
        found = self._db.execute(
            "SELECT process, count(*) FROM rdimport.lease WHERE process = ANY(%s) GROUP BY 1",
            (processes,),
        ).fetchall()
        return dict(found)

    def cpu(self) -> Cpu:
        """The CPU used so far."""
        workers = sum(cpu_of(one.process.pid) for one in self.workers)
        gone = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = resource.getrusage(resource.RUSAGE_SELF)
        return Cpu(
            workers + gone.ru_utime + gone.ru_stime,
            self.server.cpu(),
            ours.ru_utime + ours.ru_stime,
        )

    def mend(self, now: float) -> None:
        """End the harm whose time is over. Accounts that gave up on RD continue at once."""
        for way in self.ways:
            if way.back_at is not None and way.back_at <= now:
                way.back_at = None
                way.line.mend()
                self.do("fleet", "resume", *self.clients)
        for one in self.workers:
            if one.back_at is not None and one.back_at <= now:
                one.back_at = None
                one.line.mend()
                with suppress(ProcessLookupError):
                    one.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Let all workers end in order."""
        self.mend(float("inf"))
        for one in self.workers:
            one.process.terminate()
        for one in self.workers:
            try:
                one.process.wait(60)
            except TimeoutExpired:
                one.process.kill()


def play(fleet: Fleet) -> tuple[float, float]:
    """Play the scenario; return when it began and ended by the sandbox's clock."""
    options, rng = fleet.options, Random(fleet.options.seed)  # noqa: S311
    for _ in range(options.workers):
        fleet.start_worker()
    while len({one["account"] for one in fleet.box.timeline()}) < options.accounts:
        time.sleep(1)
    began = time.time()
    fleet.used.append(fleet.cpu())
    next_harm, ending = began + options.every, began + options.minutes * 60
    while time.time() < ending:
        time.sleep(0.5)
        fleet.mend(time.time())
        fleet.look(time.time())
        if next_harm <= time.time() < ending - options.every / 2:  # time to see what follows
            next_harm += options.every
            fleet.harm(rng, time.time())
    ended = time.time()
    fleet.used.append(fleet.cpu())
    fleet.end()
    return began, ended


def untruths(fleet: Fleet) -> list[str]:
    """What is not as it should be."""
    arrived = Counter(one["email"] for one in fleet.box.conversions())
    found = [f"{email} arrived {n} times" for email, n in arrived.items() if n > 1]
    with fleet.server.connect(fleet.database) as db:
        rows = db.execute(
            "SELECT d.account, c.state, count(*) FROM rdimport.conversion c"
            " JOIN rdimport.destination d ON d.id = c.destination GROUP BY 1, 2"
        ).fetchall()
    known: dict[str, Counter[int]] = defaultdict(Counter)
    for account, state, number in rows:
        known[account][state] = number
    has = Counter(email.partition("@")[2].partition(".")[0] for email in arrived)
    for client in fleet.clients:
        states = known[client]
        doubt = states[0] + states[2]  # the next run holds what a dead one left in flight
        if states[1] > has[client]:
            found.append(f"{client}: {states[1]} accepted, {has[client]} arrived")
        if states[1] + doubt < has[client]:
            found.append(f"{client}: {has[client]} arrived, {states[1]} + {doubt} known")
        if states[3]:
            found.append(f"{client}: {states[3]} refused, and none was to be")
    return found


def report(fleet: Fleet, began: float, ended: float) -> int:
    """Print what was measured; return 1 if something is untrue."""
    times = [float(one["at"]) for one in fleet.box.timeline()]
    used = sum(began <= at < ended for at in times)
    allowed = fleet.options.accounts * fleet.per_second * (ended - began)
    wrong = untruths(fleet)
    for text in wrong:
        print(f"seed {fleet.options.seed}: {text}")
    print(f"{fleet.options} load {os.getloadavg()[0]:.1f}")
    print(f"{len(times)} rows arrived, {len(wrong)} untruths, {dict(fleet.perils)}")
    print(f"quota used: {100 * used / allowed:.1f} % of {allowed:.0f}")
    counts = fleet.box.counts()
    share = 100 * counts["throttled"] / max(1, counts["requests"])
    print(f"429: {counts['throttled']} ({share:.2f} %)")
    parts = [after - before for before, after in zip(*fleet.used, strict=True)]
    cores = [f"{part / (ended - began):.2f}" for part in parts]
    print("cores used by workers, PostgreSQL and the proof: " + ", ".join(cores))
    print("s until others had the accounts of a killed worker, and their quotas:")
    for one in fleet.deaths:
        print(f"  {one}")
    return 1 if wrong else 0


def main() -> int:
    """Return 0 if nothing was untrue."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.fleet", description=__doc__)
    parser.add_argument("--accounts", type=int, default=12)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--every", type=float, default=15, help="seconds between two perils")
    parser.add_argument("--quota", default="60/min", help="of each account")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kill-only", action="store_true")
    options = Options(**vars(parser.parse_args()))
    folder = Path(tempfile.mkdtemp(prefix="rdimport-fleet-"))
    sandbox = SandboxOptions(plan=options.quota, lead_limit=0, custom_fields="any", keep=2_000_000)
    try:
        with ExitStack() as stack:
            server = stack.enter_context(serving(max_connections=str(100 + 2 * options.accounts)))
            box = stack.enter_context(running(sandbox))
            fleet = Fleet(options, folder, box, server, stack)
            fleet.set_up()
            return report(fleet, *play(fleet))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
