"""Let runs compete: each on its own machine, with its own cable to the database."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import psycopg

from .competition import Blow, Competition, Peril
from .shared import END_SESSIONS, Database

# isort: split
from support.cable import TO_CLIENT, TO_SERVER, Cable, cable

_ASKS = re.compile(rb"P.{4}([^\0]*)\0\s*INSERT INTO rdimport\.conversion AS c", re.DOTALL)
"""A claim, and the prepared statement's name under which it is repeated."""

Run = Callable[[dict[str, str], str, Callable[[int], None]], Awaitable[None]]


@dataclass
class Machine:
    """One of the runs, and its routes to the database."""

    lines: list[Cable]
    pid: int = 0
    over: bool = False
    asked: bool = False
    names: set[bytes] = field(default_factory=set)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the run, unless it has ended."""
        if self.pid and not self.over:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def claims(self, data: bytes) -> bool:
        """Whether it is a claim."""
        found = _ASKS.search(data)
        if found and found[1]:
            self.names.add(found[1])
        return bool(found) or any(b"\0" + name + b"\0" in data for name in self.names)


class Rivals:
    """The competition of one round. `run` starts a command with an environment and a wait, reports
    its process, and returns when it ends.
    """

    def __init__(self, competition: Competition, database: Database, run: Run) -> None:
        self.competition = competition
        self.database = database
        self.run = run
        self.counts: Counter[str] = Counter()
        self.machines: list[Machine] = []
        self._left = {peril: peril.count for peril in competition.perils}
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []
        self._latest = 0

    async def compete(self) -> None:
        """Let them compete until the last has ended."""
        with ExitStack() as stack:
            ports = [self.database.port]
            if self.competition.fails_over:
                await asyncio.to_thread(self.database.lane.follow)
                await asyncio.to_thread(self.database.lane.wait_for_standby)
                assert self.database.lane.standby is not None
                ports.append(self.database.lane.standby.port)
            for number in range(len(self.competition.waits)):
                lines = [stack.enter_context(cable(port)) for port in ports]
                machine = Machine(lines)
                self.machines.append(machine)
                for line in lines:
                    line.watch(self._watcher(number, machine))
            runs = [asyncio.create_task(self._one(n)) for n in range(len(self.machines))]
            blows = asyncio.create_task(self._blows(runs))
            await asyncio.gather(*runs)
            await blows
            for timer in self._timers:
                timer.cancel()

    async def _one(self, number: int) -> None:
        await asyncio.sleep(self.competition.delays[number])
        machine = self.machines[number]
        ports = tuple(line.port for line in machine.lines)
        environment = self.database.environment("state", number + 1, ports)

        def started(pid: int) -> None:
            machine.pid = pid
            for peril in self.competition.perils:
                if peril.machine == number and peril.moment == "any":
                    self._later(0.3 * peril.count, lambda p=peril: self._happens(p, machine))

        await self.run(environment, self.competition.waits[number], started)
        machine.over = True

    def passes(self, stage: str, _account: str) -> None:
        """A row of the last run to claim has reached a stage at the endpoint."""
        self._see(self.machines[self._latest], stage)

    def _watcher(self, number: int, machine: Machine) -> Callable[[str, bytes], None]:
        def seen(way: str, data: bytes) -> None:
            if way == TO_SERVER and machine.claims(data):
                self._latest = number
                machine.asked = True
                self._see(machine, "asks")
            elif way == TO_CLIENT and machine.asked:
                machine.asked = False
                self._see(machine, "is told")

        return seen

    def _see(self, machine: Machine, moment: str) -> None:
        due = []
        with self._lock:
            for peril in self._left:
                if peril.moment == moment:
                    self._left[peril] -= 1
                    due += [peril] if self._left[peril] == 0 else []
        for peril in due:
            self._happens(peril, machine)

    def _happens(self, peril: Peril, machine: Machine) -> None:
        if machine.over:
            return
        self.counts[f"{peril.act}, when: {peril.moment}"] += 1
        acts: dict[str, Callable[[], None]] = {
            "frozen": lambda: machine.signal(signal.SIGSTOP),
            "killed": lambda: machine.signal(signal.SIGKILL),
            "torn out": lambda: None,
            "cut to the server": lambda: _each(machine, lambda line: line.cut(TO_SERVER)),
            "cut to the client": lambda: _each(machine, lambda line: line.cut(TO_CLIENT)),
            "held": lambda: _each(machine, lambda line: line.hold(TO_SERVER, TO_CLIENT)),
        }
        acts[peril.act]()
        if peril.act == "frozen" and peril.moment == "asks":  # its claim arrives late
            _each(machine, lambda line: line.hold(TO_SERVER))
        self._later(peril.seconds, lambda: self._is_over(peril, machine))
        if peril.lapses:
            self._later(peril.seconds / 4, self.database.lapse)

    def _is_over(self, peril: Peril, machine: Machine) -> None:
        if peril.act in ("torn out", "cut to the server", "cut to the client"):
            _each(machine, lambda line: line.reset())
        _each(machine, lambda line: line.mend())
        machine.signal(signal.SIGCONT)

    async def _blows(self, runs: Sequence[asyncio.Task[None]]) -> None:
        blows = list(self.competition.blows)
        if self.competition.fails_over:
            blows = [Blow("the standby takes over", 2.0)]
        waited = 0.0
        for blow in sorted(blows, key=lambda blow: blow.after):
            _done, left = await asyncio.wait(runs, timeout=blow.after - waited)
            waited = blow.after
            if not left and blow.kind != "the standby takes over":
                return
            self.counts[blow.kind] += 1
            await asyncio.to_thread(self._strike, blow.kind)

    def _strike(self, kind: str) -> None:
        database, server = self.database, self.database.lane.server
        if kind == "turns lapse":
            database.lapse()
        elif kind == "sessions are ended":
            with suppress(psycopg.Error):
                server.ask(END_SESSIONS, database.name)
        elif kind == "the server is killed":
            server.kill()
            server.start()
        else:
            database.lane.fail_over()

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, do)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()


def _each(machine: Machine, do: Callable[[Cable], None]) -> None:
    for line in machine.lines:
        do(line)
