"""Play a scenario: run the installed command against the endpoint, round by round."""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from .books import Start
from .checker import Checker, Ended, Run
from .commands import end_of, ended_as, files, signalled, started
from .competition import Competition
from .endpoint import Endpoint
from .group import judge
from .ledgers import Files
from .losses import LOSSES
from .perils import Perils
from .rivals import Rivals
from .rows import COLUMNS, Key, Row, Sheet, number_of, written
from .scenario import Interruption, Round, Scenario, scenario
from .settling import settle
from .shared import Database, Lane
from .verdicts import Verdict

HUNG_AFTER = 90.0
"""Seconds after which a client that has not ended counts as hung."""


async def play(
    seed: int,
    keep: Path | None = None,
    lane: Lane | None = None,
    *,
    quick: bool = False,
) -> Verdict:
    """Play a seed; with a `lane`, its ledger is in PostgreSQL. Failures are kept in `keep`;
    `quick`: commands are forked.
    """
    plan = scenario(seed, shared=lane is not None)
    home = Path(tempfile.mkdtemp(prefix=f"rdimport-proof-{seed}-"))
    keeper = Files(home) if lane is None else Database(home, lane, through_pooler=plan.pooled)
    try:
        verdict = await _Play(plan, home, keeper, quick=quick).all_rounds()
        if verdict.untruths and keep is not None:
            shutil.copytree(home, keep / f"seed-{seed}", dirs_exist_ok=True)
        return verdict
    finally:
        if isinstance(keeper, Database):
            keeper.drop()
        shutil.rmtree(home, ignore_errors=True)


class _Play:
    def __init__(
        self, plan: Scenario, home: Path, keeper: Files | Database, *, quick: bool
    ) -> None:
        self.keeper = keeper
        self.plan = plan
        self.home = home
        self.quick = quick
        self.commands = iter(range(1000))
        self.rng = Random(plan.seed + 1)  # noqa: S311
        self.lists = dict(plan.lists)
        self.endpoint = Endpoint(self.rng, {}, refuses=plan.refuses)
        self.starts: dict[int, Start] = {}
        self.checkers = {
            ledger: Checker(plan, self.endpoint, home, self.starts, ledger=ledger, keeper=keeper)
            for ledger in ("state", "elsewhere")
        }
        self.checker = self.checkers["state"]
        rng = Random(plan.seed + 2)  # noqa: S311
        self.perils = Perils(keeper, self.endpoint, self.checker, self._plainly, rng)
        for account, keys in self.perils.keys.items():
            self.endpoint.accounts |= dict.fromkeys(keys.values(), account)
        self.reports: dict[str, dict[str, Any]] = {}
        """The last summary of each account."""
        self.before_loss: set[Key] = set()
        """Conversions sent before the ledger was lost in mid-run."""
        self.numbers = iter(range(1000))

    async def all_rounds(self) -> Verdict:
        async with self.endpoint:
            if self.plan.upgraded:
                await self.perils.upgrade()
            await self._make()
            for turn in self.plan.rounds:
                await self._round(turn)
            await asyncio.to_thread(self.keeper.come_back)
            self.checker.at_the_end()
            rng = Random(self.plan.seed + 3)  # noqa: S311
            await settle(self.checker, self._plainly, self.perils.keys["a"]["own"], rng)
        elsewhere = self.checkers["elsewhere"]
        self.checker.untruths += elsewhere.untruths
        self.checker.counts["runs with another ledger"] = elsewhere.counts["runs"]
        faults = Counter(str(receipt.fault) for receipt in self.endpoint.receipts)
        counts = self.checker.counts + Counter(seeds=1)
        return Verdict(self.plan.seed, self.checker.untruths, counts, faults)

    async def _make(self) -> None:
        """What a person does before the first run."""
        for ledger in self.checkers:
            env = self._environment(self.perils.keys["a"]["own"], "ana", ledger)
            for args in self.keeper.ready(ledger):
                done = await self._watched(args, env)
                self.checker.at(f"{' '.join(args)} for {ledger}")
                self.checker.must(done.code == 0, f"code {done.code}: {done.err[-900:]}")

    async def _compete(self, turn: Round, competition: Competition) -> None:
        """Let several runs of the account compete; then the endpoint drops their connections."""
        assert isinstance(self.keeper, Database)
        start = self._start(turn)
        ends: dict[int, Ended] = {}

        async def run(environment: dict[str, str], wait: str, began: Callable[[int], None]) -> None:
            args = self._args(start)
            env = self._environment(self.perils.key(turn), turn.user, "state") | environment
            at: list[int] = []
            seen = at.append
            ended = await self._watched(
                [*args, "--wait", wait], env, start, began=lambda pid: (seen(pid), began(pid))
            )
            ends[at[0]] = ended

        rivals = Rivals(competition, self.keeper, run)
        self.endpoint.seen = rivals.passes
        await rivals.compete()
        self.endpoint.seen = lambda _stage, _account: None
        await self.endpoint.hang_up()
        self.checker.counts += rivals.counts
        judge(self.checker, start, ends)
        for ledger in self.keeper.in_doubt():
            env = self._environment(self.perils.key(turn), turn.user, ledger)
            done = await self._watched(["ledger", "accept", "--yes"], env)
            self.checker.must(done.code == 0, f"accept: code {done.code}: {done.err[-900:]}")
            self.checker.counts["a standby that a person accepted"] += 1
        self.reports.pop(turn.account, None)

    async def _round(self, turn: Round) -> None:
        await asyncio.to_thread(self.keeper.come_back)
        for edit in turn.edits:
            self.lists[edit.list] = edit.done(self.lists[edit.list])
        if turn.purge:
            await self._purge()
        checker = self.checkers[turn.ledger]
        if checker is self.checker:
            turn = await self._in_peril(turn)
        if turn.competition is not None:
            await self._compete(turn, turn.competition)
            return
        starts = [self._start(turn), *([self._start(turn.beside)] if turn.beside else [])]
        second: list[Ended] = []
        if turn.second:
            self.endpoint.gate.clear()
        running = [asyncio.create_task(self._command(self._args(start), start)) for start in starts]
        if turn.second:
            second = await self._second(starts[0], running[0])
        ends = await asyncio.gather(*running)
        await self.endpoint.hang_up()
        if (lost := ends[0].interrupted) and lost.kind in LOSSES:
            await self._is_noticed(starts[0], lost)
        runs = checker.after(list(zip(starts, ends, strict=True)))
        for ended in second:
            self.checker.at(f"a second run beside run {starts[0].number}")
            self.checker.well_behaved(ended)
            self.checker.must(ended.code == 75, f"a second run ended with {ended.code}")
            self.checker.counts["second runs"] += 1
        for run in runs:
            await self._look_at_report(run, checker)

    async def _in_peril(self, turn: Round) -> Round:
        """Try what comes before a run with the next number, which may leave that to another."""
        number = next(self.numbers)
        args = self._args(self._start(replace(turn, way_back=False), number))
        return await self.perils.before(turn, args)

    async def _is_noticed(self, start: Start, lost: Interruption) -> None:
        """Beyond the rows in flight none was sent, nor is until the ledger is put back."""
        rows = {receipt.key for receipt in self.checker.receipts()} - self.before_loss
        most = self.plan.concurrency
        self.checker.at(f"run {start.number}, {lost.kind}")
        self.checker.must(len(rows) <= most, f"{len(rows)} rows left after that, not {most}")
        await self.perils.noticed(lost.kind, self._args(start), start.turn)

    def _start(self, turn: Round, number: int | None = None) -> Start:
        number = next(self.numbers) if number is None else number
        sheets = [self._sheet(name) for name in turn.files if name in self.lists]
        if turn.way_back and (mended := self._mended(turn.account, number)):
            sheets = [mended]
            self.checker.counts["with a corrected report"] += 1
        self.endpoint.turns[turn.account] = number, turn.rates
        (self.home / f"{number}.yaml").write_text(turn.rules.text(), encoding="utf-8")
        return Start(number, turn, sheets)

    def _sheet(self, name: str) -> Sheet:
        (self.home / name).write_text(written(self.lists[name]), encoding="utf-8")
        return Sheet(name, self.lists[name])

    def _mended(self, account: str, number: int) -> Sheet | None:
        """The failure report of the account's last run, as a person corrects and returns it."""
        last = self.reports.get(account)
        if last is None:
            return None
        with (self.home / last["failures_csv"]).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        rows = []
        before = tuple(Row(*(line[name] for name in COLUMNS)) for line in lines)
        for at, (line, was) in enumerate(zip(lines, before, strict=True)):
            row = was
            if line["rdimport_state"] == "invalid" and self.rng.random() < 0.8:
                row = row._replace(email=f"p{9000 + 100 * number + at}@exemplo.com.br")
            elif line["rdimport_state"] == "refused" and self.rng.random() < 0.7:
                row = row._replace(name=f"Certo {number_of(row.email)}")
            rows.append(row)
            line.update(zip(COLUMNS, row, strict=True))
        if not rows:
            return None
        name = f"mended-{number}.csv"
        with (self.home / name).open("w", encoding="utf-8-sig", newline="") as file:
            out = csv.DictWriter(file, list(lines[0]), quoting=csv.QUOTE_ALL)
            out.writeheader()
            out.writerows(lines)
        origins = tuple((line["rdimport_file"], int(line["rdimport_row"])) for line in lines)
        return Sheet(name, tuple(rows), origins, before)

    def _args(self, start: Start) -> list[str]:
        turn = start.turn
        patient = turn.calm or turn.second
        args = ["run", *(sheet.name for sheet in start.sheets), "-m", f"{start.number}.yaml"]
        args += ["--json", "--account", turn.account, *self.plan.options]
        args += ["--timeout", "60s" if patient else ("0.5s", "0.8s")[self.plan.seed % 2]]
        args += [word for state in turn.resend for word in ("--resend", state)]
        if turn.limit is not None:
            args += ["--canary" if turn.canary else "--limit", str(turn.limit)]
        if turn.max_duration or turn.rates:
            args += ["--max-duration", turn.max_duration or "4s"]
        return args

    async def _second(self, first: Start, running: asyncio.Task[Ended]) -> list[Ended]:
        """Start another process for the same account while the first cannot continue."""
        reading = asyncio.Event()
        self.endpoint.seen = lambda stage, _: reading.set() if stage == "read" else None
        waiting = asyncio.create_task(reading.wait())
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        ends = []
        if reading.is_set() and not running.done():
            files = [sheet.name for sheet in first.sheets]
            args = ["run", *files, "-m", f"{first.number}.yaml", "--account", first.turn.account]
            turn = first.turn
            other = "bia" if turn.user == "ana" else "ana"
            ended = await self._plainly(args, self.perils.key(turn), other)
            ends += [] if running.done() else [ended]
        self.endpoint.gate.set()
        return ends

    async def _purge(self) -> None:
        """Purge: the ledger forgets everything about people, and nothing else."""
        self.checker.at(f"a purge after {len(self.starts)} runs")
        ended = await self._command(["purge", "--older-than", "0s"], None)
        self.checker.well_behaved(ended)
        self.checker.must(ended.code == 0, f"purge ended with {ended.code}: {ended.err}")
        self.reports.clear()
        named = self.keeper.named(row.email for rows in self.lists.values() for row in rows)
        self.checker.must(not named, f"purge left {named[:3]} in the ledger")
        self.checker.counts["purges"] += 1

    async def _look_at_report(self, run: Run, checker: Checker) -> None:
        """`rdimport report` says what the run said, and of a run that died what it may."""
        if checker is not self.checker:
            return
        self.checker.at(f"report of run {run.start.number}")
        account, summary = run.start.turn.account, run.ended.summary
        name = run.books.runs.get(run.start.number)
        if summary is None and name is not None and run.ended.died:
            ended = await self._command(["report", name, "--json"], None)
            self.checker.well_behaved(ended)
            self.checker.must(ended.summary is not None, f"no report: {ended.err[-900:]}")
            if ended.summary is not None:
                summary = ended.summary
                self.checker.summary_is_true(run, summary, dead=True)
        elif summary is not None and run.start.turn.again:
            before = files(self.home, summary)
            ended = await self._command(["report", summary["run_id"], "--json"], None)
            self.checker.well_behaved(ended)
            self.checker.must(
                ended.summary == summary, f"report says {ended.summary}, not {summary}"
            )
            other = [n for n, data in files(self.home, summary).items() if data != before[n]]
            self.checker.must(not other, f"written again, these differ: {other}")
            self.checker.counts["reports written again"] += 1
        if summary is not None:
            self.reports[account] = summary

    async def _plainly(
        self, args: list[str], key: str, user: str, interruption: Interruption | None = None
    ) -> Ended:
        """Run a command that is no run of the scenario."""
        return await self._watched(
            args, self._environment(key, user, "state"), interruption=interruption
        )

    async def _command(self, args: list[str], start: Start | None) -> Ended:
        if start is None:
            return await self._plainly(args, self.perils.keys["a"]["own"], "ana")
        turn = start.turn
        env = self._environment(self.perils.key(turn), turn.user, turn.ledger)
        return await self._watched(args, env, start, turn.interruption)

    async def _watched(
        self,
        args: list[str],
        env: dict[str, str],
        start: Start | None = None,
        interruption: Interruption | None = None,
        began: Callable[[int], object] = lambda _: None,
    ) -> Ended:
        number = next(self.commands)
        outputs = [self.home / f"{where}-{number}.txt" for where in ("out", "err")]
        process = started(
            args,
            env,
            home=self.home,
            outputs=outputs,
            file_size=start.turn.file_size if start else None,
            quick=self.quick,
        )
        pid, code = process.pid, asyncio.ensure_future(end_of(process))
        if start is not None:
            start.process = pid
            self.starts[pid] = start
        began(pid)
        account = start.turn.account if start else ""
        sent = asyncio.Event()
        interrupting = asyncio.create_task(self._interrupt(pid, code, account, interruption, sent))
        over, _ = await asyncio.wait([code], timeout=HUNG_AFTER)
        if not over:
            os.kill(pid, signal.SIGKILL)
        ended = await code
        interrupting.cancel()
        out, err = (path.read_bytes() for path in outputs)
        return ended_as(ended, out, err, not over, interruption if sent.is_set() else None)

    def _environment(self, key: str, user: str, ledger: str) -> dict[str, str]:
        """A ledger elsewhere is another computer's: on its own, a user is asked about it."""
        home = self.home / user if ledger == "state" else self.home / f"{user} elsewhere"
        return os.environ | {
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "RDIMPORT_API_KEY": key,
            "RDIMPORT_BASE_URL": self.endpoint.base_url,
            **self.keeper.environment(ledger),
            "POLARS_MAX_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    async def _interrupt(
        self,
        pid: int,
        code: asyncio.Future[int],
        account: str,
        interruption: Interruption | None,
        sent: asyncio.Event,
    ) -> None:
        """Wait for the moment, then send the signal, unless the process has ended."""
        if interruption is None:
            return
        now = asyncio.Event()
        left = [interruption.count]

        def seen(stage: str, whose: str) -> None:
            left[0] -= stage == interruption.stage and whose == account
            if left[0] <= 0:
                now.set()

        if interruption.stage:
            self.endpoint.seen = seen
            await now.wait()
            await asyncio.sleep(interruption.delay)
        else:
            await asyncio.sleep(interruption.delay * 4)
        if code.done():
            return
        sent.set()
        if interruption.kind in LOSSES:
            self.before_loss = {receipt.key for receipt in self.checker.receipts()}
            self.keeper.befalls_a_run(interruption.kind, pid)
            return
        await signalled(interruption.kind, pid, code)
