"""Plays a scenario: the installed command as a process, against the endpoint, round by round."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from .checker import Checker, Ended
from .endpoint import Endpoint
from .scenario import MAPPING, Interruption, Round, Scenario, scenario

PATIENCE = 90.0
"""Seconds after which a client that has not ended counts as hung."""


@dataclass
class Verdict:
    """What the proof of one seed came to."""

    seed: int
    untruths: list[str]
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


async def play(seed: int, keep: Path | None = None) -> Verdict:
    """Play one seed. With `keep`, the folder of a seed that failed is copied there."""
    plan = scenario(seed)
    home = Path(tempfile.mkdtemp(prefix=f"rdimport-proof-{seed}-"))
    try:
        verdict = await _Play(plan, home).all_rounds()
        if verdict.untruths and keep is not None:
            shutil.copytree(home, keep / f"seed-{seed}", dirs_exist_ok=True)
        return verdict
    finally:
        shutil.rmtree(home, ignore_errors=True)


class _Play:
    def __init__(self, plan: Scenario, home: Path) -> None:
        self.plan = plan
        self.home = home
        chance = Random(plan.seed + 1)  # noqa: S311
        self.key = f"proof-key-{chance.getrandbits(64):016x}"
        self.endpoint = Endpoint(chance, self.key, refuses=plan.refuses)
        self.checker = Checker(plan, self.endpoint, home, self.key)
        self.counts: Counter[str] = Counter(seeds=1)

    async def all_rounds(self) -> Verdict:
        rows = "".join(f"{email},{name}\n" for email, name in self.plan.lines)
        (self.home / "list.csv").write_text("E-mail,Nome\n" + rows, encoding="utf-8")
        (self.home / "list.yaml").write_text(MAPPING, encoding="utf-8")
        async with self.endpoint:
            for number, turn in enumerate(self.plan.rounds):
                await self._round(number, turn)
        self.checker.at_the_end()
        self.counts.update(self.checker.counts)
        faults = Counter(str(receipt.fault) for receipt in self.endpoint.receipts)
        return Verdict(self.plan.seed, self.checker.untruths, self.counts, faults)

    async def _round(self, number: int, turn: Round) -> None:
        self.endpoint.round, self.endpoint.rates = number, turn.rates
        words = ["run", "list.csv", "-m", "list.yaml", "--json", *self.plan.options]
        words += ["--max-duration", "4s"] if turn.rates else []
        words += ["--resend", "uncertain"] if turn.resend else []
        ended = await self._command(words, turn.interruption)
        await self.endpoint.hang_up()
        self.counts["runs"] += 1
        if ended.died:
            told = await self._command(["report", "--json"], None)
            self.checker.after_death(told)
        self.checker.after_round(number, turn, ended)

    async def _command(self, words: list[str], interruption: Interruption | None) -> Ended:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rdimport",
            *words,
            cwd=self.home,
            env=os.environ
            | {
                "HOME": str(self.home),
                "RDIMPORT_API_KEY": self.key,
                "RDIMPORT_BASE_URL": self.endpoint.base_url,
                "RDIMPORT_STATE_DIR": "state",
                "POLARS_MAX_THREADS": "1",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        interrupting = asyncio.create_task(self._interrupt(process, interruption))
        hung = False
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await process.communicate()
        except TimeoutError:
            hung = True
            process.kill()
            out, err = await process.communicate()
        interrupting.cancel()
        sent = interrupting.done() and not interrupting.cancelled() and interrupting.result()
        return _ended(process.returncode, out, err, hung, interruption if sent else None)

    async def _interrupt(
        self, process: asyncio.subprocess.Process, told: Interruption | None
    ) -> bool:
        """Wait for the moment, then send the signal; false when there is none to send."""
        if told is None:
            return False
        now = asyncio.Event()
        left = [told.count]

        def seen(stage: str) -> None:
            left[0] -= stage == told.stage
            if left[0] <= 0:
                now.set()

        if told.stage:
            self.endpoint.seen = seen
            await now.wait()
            await asyncio.sleep(told.delay)
        else:
            await asyncio.sleep(told.delay * 4)
        if process.returncode is not None:
            return False
        _signal(process, told.kind)
        return True


def _signal(process: asyncio.subprocess.Process, kind: str) -> None:
    if kind == "kill":
        process.kill()
    else:
        process.send_signal(signal.SIGTERM)
        if kind == "stop twice":
            process.send_signal(signal.SIGINT)


def _ended(
    code: int | None, out: bytes, err: bytes, hung: bool, told: Interruption | None
) -> Ended:
    summary: dict[str, Any] | None = None
    if out.strip():
        summary = json.loads(out)
    return Ended(-1 if code is None else code, summary, err.decode(), hung, told)
