"""Plays a scenario: the installed command as a process, against the endpoint, round by round."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
import shutil
import signal
import sys
import tempfile
import zipfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

from .books import Start
from .checker import Checker, Ended, Run
from .endpoint import Endpoint
from .nursery import Nursery, no_file_beyond
from .rows import Row, Sheet, number_of, written
from .scenario import Edit, Interruption, Round, Scenario, scenario

HUNG_AFTER = 90.0
"""Seconds after which a client that has not ended counts as hung."""


@dataclass
class Verdict:
    """What the proof of one seed came to."""

    seed: int
    untruths: list[str]
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


async def play(seed: int, keep: Path | None = None, nursery: Nursery | None = None) -> Verdict:
    """Play one seed. With `keep`, the folder of a seed that failed is copied there."""
    plan = scenario(seed)
    home = Path(tempfile.mkdtemp(prefix=f"rdimport-proof-{seed}-"))
    try:
        verdict = await _Play(plan, home, nursery).all_rounds()
        if verdict.untruths and keep is not None:
            shutil.copytree(home, keep / f"seed-{seed}", dirs_exist_ok=True)
        return verdict
    finally:
        shutil.rmtree(home, ignore_errors=True)


class _Play:
    def __init__(self, plan: Scenario, home: Path, nursery: Nursery | None) -> None:
        self.plan = plan
        self.home = home
        self.nursery = nursery
        self.commands = iter(range(1000))
        self.chance = Random(plan.seed + 1)  # noqa: S311
        self.lists = dict(plan.lists)
        self.keys = {a: f"proof-key-{self.chance.getrandbits(64):016x}" for a in "ab"}
        accounts = {key: account for account, key in self.keys.items()}
        self.endpoint = Endpoint(self.chance, accounts, refuses=plan.refuses)
        self.starts: dict[int, Start] = {}
        self.checker = Checker(plan, self.endpoint, home, self.starts)
        self.reports: dict[str, dict[str, Any]] = {}
        """The last summary of each account."""
        self.numbers = iter(range(1000))

    async def all_rounds(self) -> Verdict:
        async with self.endpoint:
            for turn in self.plan.rounds:
                await self._round(turn)
        self.checker.at_the_end()
        faults = Counter(str(receipt.fault) for receipt in self.endpoint.receipts)
        counts = self.checker.counts + Counter(seeds=1)
        return Verdict(self.plan.seed, self.checker.untruths, counts, faults)

    async def _round(self, turn: Round) -> None:
        for edit in turn.edits:
            self._edit(edit)
        if turn.purge:
            await self._purge()
        told = [self._start(turn), *([self._start(turn.beside)] if turn.beside else [])]
        second: list[Ended] = []
        if turn.second:
            self.endpoint.gate.clear()
        running = [asyncio.create_task(self._run(start)) for start in told]
        if turn.second:
            second = await self._second(told[0], running[0])
        ends = await asyncio.gather(*running)
        await self.endpoint.hang_up()
        runs = self.checker.after(list(zip(told, ends, strict=True)))
        for ended in second:
            self.checker.at(f"a second run beside run {told[0].number}")
            self.checker.well_behaved(ended)
            self.checker.must(ended.code == 75, f"a second run ended with {ended.code}")
            self.checker.counts["second runs"] += 1
        for run in runs:
            await self._look_at_report(run)

    def _start(self, turn: Round) -> Start:
        number = next(self.numbers)
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

    def _edit(self, edit: Edit) -> None:
        rows = list(self.lists[edit.list])
        at = edit.row % len(rows)
        row = rows[at]
        if edit.kind == "grow":
            rows.append(Row(f"p{edit.fresh}@exemplo.com.br", f"Nome {edit.fresh}"))
        elif edit.kind == "double":
            rows.append(row._replace(name=f"Outro {edit.fresh}"))
        elif edit.kind == "drop" and len(rows) > 1:
            del rows[at]
        elif edit.kind in ("rename", "correct"):
            word = "Outro" if edit.kind == "rename" else "Certo"
            rows[at] = row._replace(name=f"{word} {edit.fresh}")
        elif edit.kind == "restore":
            rows[at] = row._replace(name=f"Nome {number_of(row.email)}")
        self.lists[edit.list] = tuple(rows)

    def _mended(self, account: str, number: int) -> Sheet | None:
        """The failure report of the account's last run, as a person gives it back."""
        last = self.reports.get(account)
        if last is None:
            return None
        with (self.home / last["failures_csv"]).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        rows = []
        for at, line in enumerate(lines):
            row = Row(line["E-mail"], line["Nome"], line["Cidade"], line["Etiquetas"])
            if line["rdimport_state"] == "invalid" and self.chance.random() < 0.8:
                row = row._replace(email=f"p{9000 + 100 * number + at}@exemplo.com.br")
            elif line["rdimport_state"] == "refused" and self.chance.random() < 0.7:
                row = row._replace(name=f"Certo {number_of(row.email)}")
            rows.append(row)
            line.update(zip(("E-mail", "Nome", "Cidade", "Etiquetas"), row, strict=True))
        if not rows:
            return None
        name = f"mended-{number}.csv"
        with (self.home / name).open("w", encoding="utf-8-sig", newline="") as file:
            out = csv.DictWriter(file, list(lines[0]), quoting=csv.QUOTE_ALL)
            out.writeheader()
            out.writerows(lines)
        origins = tuple((line["rdimport_file"], int(line["rdimport_row"])) for line in lines)
        return Sheet(name, tuple(rows), origins)

    async def _run(self, start: Start) -> Ended:
        turn = start.turn
        patient = turn.calm or turn.second
        words = ["run", *(sheet.name for sheet in start.sheets), "-m", f"{start.number}.yaml"]
        words += ["--json", "--account", turn.account, *self.plan.options]
        words += ["--timeout", "60s" if patient else self._impatient()]
        words += [word for state in turn.resend for word in ("--resend", state)]
        if turn.limit is not None:
            words += ["--canary" if turn.canary else "--limit", str(turn.limit)]
        if turn.max_duration or turn.rates:
            words += ["--max-duration", turn.max_duration or "4s"]
        return await self._command(words, start)

    def _impatient(self) -> str:
        return ("0.5s", "0.8s")[self.plan.seed % 2]

    async def _second(self, first: Start, running: asyncio.Task[Ended]) -> list[Ended]:
        """Another process for the same account, while the first cannot go on."""
        reading = asyncio.Event()
        self.endpoint.seen = lambda stage, _: reading.set() if stage == "read" else None
        waiting = asyncio.create_task(reading.wait())
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        ends = []
        if reading.is_set() and not running.done():
            files = [sheet.name for sheet in first.sheets]
            words = ["run", *files, "-m", f"{first.number}.yaml", "--account", first.turn.account]
            ended = await self._command(words, None)
            ends += [] if running.done() else [ended]
        self.endpoint.gate.set()
        return ends

    async def _purge(self) -> None:
        """Everything that the ledger knows of people is forgotten, and nothing else."""
        self.checker.at(f"a purge after {len(self.starts)} runs")
        ended = await self._command(["purge", "--older-than", "0s"], None)
        self.checker.well_behaved(ended)
        self.checker.must(ended.code == 0, f"purge ended with {ended.code}: {ended.err}")
        self.reports.clear()
        for path in (self.home / "state").glob("ledger*"):
            data = path.read_bytes()
            for rows in self.lists.values():
                told = [r.email for r in rows if r.email.encode() in data]
                self.checker.must(not told, f"purge left {told[:3]} in {path.name}")
        self.checker.counts["purges"] += 1

    async def _look_at_report(self, run: Run) -> None:
        """`rdimport report` says the same as the run did, and of one that died what it may."""
        self.checker.at(f"report of run {run.start.number}")
        account, told = run.start.turn.account, run.ended.summary
        name = run.books.runs.get(run.start.number)
        if told is None and name is not None and run.ended.died:
            ended = await self._command(["report", name, "--json"], None)
            self.checker.well_behaved(ended)
            self.checker.must(ended.summary is not None, f"no report: {ended.err[-900:]}")
            if ended.summary is not None:
                told = ended.summary
                self.checker.summary_is_true(run, told, dead=True)
        elif told is not None and run.start.turn.again:
            before = _files(self.home, told)
            ended = await self._command(["report", told["run_id"], "--json"], None)
            self.checker.well_behaved(ended)
            self.checker.must(ended.summary == told, f"report says {ended.summary}, not {told}")
            other = [n for n, data in _files(self.home, told).items() if data != before[n]]
            self.checker.must(not other, f"written again, these differ: {other}")
            self.checker.counts["reports written again"] += 1
        if told is not None:
            self.reports[account] = told

    async def _command(self, words: list[str], start: Start | None) -> Ended:
        account = words[words.index("--account") + 1] if "--account" in words else "a"
        number = next(self.commands)
        wanted = {
            "words": words,
            "cwd": str(self.home),
            "out": str(self.home / f"out-{number}.txt"),
            "err": str(self.home / f"err-{number}.txt"),
            "file_size": start.turn.file_size if start else None,
            "env": self._environment(account),
        }
        pid, code = await (self.nursery.start(**wanted) if self.nursery else _start(**wanted))
        if start is not None:
            start.process = pid
            self.starts[pid] = start
        told = start.turn.interruption if start else None
        sent = asyncio.Event()
        interrupting = asyncio.create_task(self._interrupt(pid, code, account, told, sent))
        over, _ = await asyncio.wait([code], timeout=HUNG_AFTER)
        if not over:
            os.kill(pid, signal.SIGKILL)
        ended = await code
        interrupting.cancel()
        said = self._said(number, "out"), self._said(number, "err")
        return _ended(ended, *said, not over, told if sent.is_set() else None)

    def _said(self, number: int, where: str) -> bytes:
        path = self.home / f"{where}-{number}.txt"
        return path.read_bytes() if path.exists() else b""  # it may have died before its first word

    def _environment(self, account: str) -> dict[str, str]:
        return os.environ | {
            "HOME": str(self.home),
            "RDIMPORT_API_KEY": self.keys[account],
            "RDIMPORT_BASE_URL": self.endpoint.base_url,
            "RDIMPORT_STATE_DIR": "state",
            "POLARS_MAX_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    async def _interrupt(
        self,
        pid: int,
        code: asyncio.Future[int],
        account: str,
        told: Interruption | None,
        sent: asyncio.Event,
    ) -> None:
        """Wait for the moment, then send the signal, unless the process has ended by then."""
        if told is None:
            return
        now = asyncio.Event()
        left = [told.count]

        def seen(stage: str, whose: str) -> None:
            left[0] -= stage == told.stage and whose == account
            if left[0] <= 0:
                now.set()

        if told.stage:
            self.endpoint.seen = seen
            await now.wait()
            await asyncio.sleep(told.delay)
        else:
            await asyncio.sleep(told.delay * 4)
        if code.done():
            return
        sent.set()
        first = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, first.get(told.kind.split()[0], signal.SIGTERM))
            if told.kind.endswith("twice"):
                os.kill(pid, signal.SIGINT if told.kind == "stop twice" else signal.SIGTERM)
            elif told.kind == "stop, then kill":
                await asyncio.sleep(0.05)
                if not code.done():
                    os.kill(pid, signal.SIGKILL)


def _opened(path: str) -> BinaryIO:
    return Path(path).open("wb")


async def _start(**wanted: Any) -> tuple[int, asyncio.Future[int]]:
    """The command in full, as somebody types it."""
    size = wanted["file_size"]
    with ExitStack() as stack:
        out, err = (stack.enter_context(_opened(wanted[name])) for name in ("out", "err"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rdimport",
            *wanted["words"],
            cwd=wanted["cwd"],
            env=wanted["env"],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            preexec_fn=None if size is None else lambda: no_file_beyond(size),
        )
    return process.pid, asyncio.ensure_future(process.wait())


def _files(home: Path, told: dict[str, Any]) -> dict[str, object]:
    """What a report holds, without the moment in which its workbook was written."""
    found: dict[str, object] = {
        name: (home / told[name]).read_bytes()
        for name in ("summary_json", "failures_csv", "report_html")
    }
    with zipfile.ZipFile(home / told["failures_xlsx"]) as book:
        for name in book.namelist():
            if name != "docProps/core.xml":
                found[name] = book.read(name)
    return found


def _ended(code: int, out: bytes, err: bytes, hung: bool, told: Interruption | None) -> Ended:
    summary: dict[str, Any] | None = None
    if out.startswith(b"{"):
        summary = json.loads(out)
    return Ended(code, summary, err.decode(), hung, told)
