"""Machines that send the same list at the same time through one shared ledger, while they are
frozen, killed and cut off, and the database is: `python -m tests.proof.competing --seeds 60`.

The sandbox knows what arrived. At the end of each story everybody on the list has an end, nobody
arrived twice, and what the ledger says of a person is true.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.cable import TO_CLIENT, TO_SERVER, Cable, cable
from support.claims import KEY
from support.command import Desk
from support.lists import MAPPING, address, people
from support.postgres import Server, serving

from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

LAPSE = "UPDATE rdimport.lease SET until = '-infinity'"
END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'rdimport%'
"""
STATES = {0: "on its way", 1: "accepted", 2: "uncertain", 3: "refused", 9: "free"}


class Machine(Desk):
    """A desk with a cable of its own to the shared ledger."""

    ledger = ""

    def _told(self) -> dict[str, str]:
        shared = {"RDIMPORT_LEDGER": self.ledger, "RDIMPORT_LEDGER_KEY": KEY.hex()}
        return super()._told() | shared


class Story(NamedTuple):
    """What a seed came to: what was untrue, and how often what happened."""

    untruths: list[str]
    counts: Counter[str]


class _Play:
    def __init__(self, seed: int, server: Server, box: RunningSandbox) -> None:
        self.chance = Random(seed)  # noqa: S311
        self.server, self.box = server, box
        self.rows = self.chance.randint(20, 60)
        self.url = server.new_database()
        self.database = self.url.rpartition("/")[2].replace("%20", " ")
        self.counts: Counter[str] = Counter()

    def play(self) -> Story:
        self.box.clear()
        self.box.set_faults(self._faults())
        home = Path(tempfile.mkdtemp(prefix="rdimport-competing-"))
        try:
            with ExitStack() as stack:
                number = self.chance.randint(2, 4)
                lines = [stack.enter_context(cable(self.server.port)) for _ in range(number)]
                machines = [self._machine(home / f"m{n}", line) for n, line in enumerate(lines)]
                machines[0].do("fleet", "init")
                for _ in range(self.chance.randint(1, 2)):
                    self._round(machines, lines)
                self.box.set_faults(Faults())
                self.server.do(LAPSE, database=self.database)
                last = machines[0].do(*self._words(calm=True))
            return Story(self._untruths(last.code), self.counts)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _faults(self) -> Faults:
        share = self.chance.choice((0.0, 0.02, 0.06))
        after, before, cut = (self.chance.random() * share for _ in range(3))
        throttle = self.chance.choice((0.0, 0.05))
        latency = self.chance.choice((0.0, 0.01, 0.05))
        return Faults(
            reset_after=after, reset_before=before, cut=cut, throttle=throttle, latency=latency
        )

    def _machine(self, home: Path, line: Cable) -> Machine:
        home.mkdir()
        machine = Machine(home, self.box.api_key, self.box.base_url)
        machine.ledger = self.url.replace(f":{self.server.port}/", f":{line.port}/")
        machine.write("m.yaml", MAPPING)
        machine.write("list.csv", people(self.rows))
        return machine

    def _words(self, *, calm: bool = False) -> list[str]:
        words = ["run", "list.csv", "-m", "m.yaml", "--quiet", "--patience", "2s"]
        places = 8 if calm else self.chance.choice((1, 2, 4, 8, 16))
        wait = "60s" if calm else self.chance.choice(("0s", "1s", "5s"))
        quota = "none" if calm else self.chance.choice(("none", "60/s", "30/s"))
        return [*words, "--quota", quota, "--concurrency", str(places), "--wait", wait]

    def _round(self, machines: list[Machine], lines: list[Cable]) -> None:
        runs = [machine.start(*self._words()) for machine in machines]
        started = time.monotonic()
        for _ in range(self.chance.randint(1, 5)):
            time.sleep(self.chance.random() * 1.5)
            at = self.chance.randrange(len(runs))
            self._peril(runs[at], lines[at])
        for run, line in zip(runs, lines, strict=True):
            line.mend()
            with suppress(ProcessLookupError):
                run.send_signal(signal.SIGCONT)
        for machine, run in zip(machines, runs, strict=True):
            done = machine.wait(run)
            self.counts[f"exit {done.code}"] += 1
        self.counts["seconds"] += int(time.monotonic() - started)

    def _peril(self, run: Popen[str], line: Cable) -> None:
        perils: list[tuple[str, Callable[[], object]]] = [
            ("frozen", lambda: os.kill(run.pid, signal.SIGSTOP)),
            ("killed", lambda: os.kill(run.pid, signal.SIGKILL)),
            ("connections torn out", line.reset),
            ("cut to the server", lambda: self._cut(line, TO_SERVER)),
            ("cut to the client", lambda: self._cut(line, TO_CLIENT)),
            ("held", lambda: line.hold(TO_SERVER, TO_CLIENT)),
            ("turns lapsed", lambda: self.server.do(LAPSE, database=self.database)),
            ("sessions ended", lambda: self.server.do(END_SESSIONS, database=self.database)),
            ("server killed", self._restart),
        ]
        weights = (5, 2, 2, 2, 2, 1, 5, 2, 1)
        ((name, happens),) = self.chance.choices(perils, weights)
        if run.poll() is None or name in ("turns lapsed", "sessions ended"):
            with suppress(ProcessLookupError):
                happens()
            self.counts[name] += 1

    def _cut(self, line: Cable, way: str) -> None:
        line.cut(way)

        def restore() -> None:
            line.reset()
            line.mend()

        threading.Timer(0.3, restore).start()

    def _restart(self) -> None:
        self.server.kill()
        self.server.start()

    def _untruths(self, code: int) -> list[str]:
        arrived = Counter(one["email"] for one in self.box.conversions())
        found = [f"{email} arrived {n} times" for email, n in arrived.items() if n > 1]
        if code not in (0, 1):
            found.append(f"the last run ended with {code}")
        known = dict(self._known())
        self.counts.update(STATES[state] for state in known.values())
        for row in range(self.rows):
            email, state = address(row), known.get(row + 2, 9)
            if state in (0, 9):
                found.append(f"{email} has no end")
            elif state == 1 and not arrived[email]:
                found.append(f"{email} is accepted, and did not arrive")
            elif state == 3 and arrived[email]:
                found.append(f"{email} is refused, and did arrive")
        return found

    def _known(self) -> list[tuple[int, int]]:
        with self.server.connect(self.database) as db:
            return db.execute("SELECT row, state FROM rdimport.conversion").fetchall()


def main() -> int:
    """0 when no seed showed an untruth."""
    words = argparse.ArgumentParser(prog="python -m tests.proof.competing", description=__doc__)
    words.add_argument("--seeds", type=int, default=60, help="how many (60)")
    words.add_argument("--first", type=int, default=0, help="the first seed (0)")
    told = words.parse_args()
    options = SandboxOptions(plan="none", lead_limit=0, custom_fields="any")
    total: Counter[str] = Counter()
    bad = 0
    with serving() as server, running(options) as box:
        for seed in range(told.first, told.first + told.seeds):
            story = _Play(seed, server, box).play()
            total.update(story.counts)
            bad += bool(story.untruths)
            for untruth in story.untruths:
                print(f"seed {seed}: {untruth}", flush=True)
    print(f"{told.seeds} stories, {bad} with an untruth;", dict(sorted(total.items())))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
