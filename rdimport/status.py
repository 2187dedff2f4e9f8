"""Did last night's job work? The runs that the ledger knows, and what would happen next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from rdimport.destination.rdstation import LOOPBACK
from rdimport.ledger import Ledger, Run
from rdimport.row import FAILED, State


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run. `where` is `running`, `finished`, `stopped`, `failed` or `killed`; `seconds` from
    start to end, None where it has not ended in good order; `quota_used` a share from 0 to 1.
    `sandbox` says that its rows stayed on this machine.
    """

    run_id: str
    account: str
    files: tuple[str, ...]
    started_at: str
    finished_at: str | None
    seconds: float | None
    where: str
    stopped_because: str | None
    resume_at: str | None
    exit_code: int | None
    counts: dict[State, int]
    quota_used: float | None
    sandbox: bool = False
    forgotten: bool = False

    @property
    def next(self) -> str:
        """What to do now, as a sentence; empty when there is nothing to do."""
        if self.where == "running":
            return ""
        if self.where == "failed":
            return "Nothing was sent: its command says why when you type it again."
        if self.counts[State.PENDING]:
            when = ""
            if self.resume_at:
                when = f" after {datetime.fromisoformat(self.resume_at).astimezone():%d %b %H:%M}"
            return f"Run the same command again{when}: {self.counts[State.PENDING]} rows are left."
        if any(self.counts[state] for state in FAILED) and not self.forgotten:
            return f"Correct the rows of its failure report: rdimport report {self.run_id}"
        return ""

    def told(self) -> dict[str, Any]:
        """As an object for scripts."""
        return {**asdict(self), "rows": sum(self.counts.values()), "next": self.next}


LATEST: Final = 10
"""Runs that are told of where none is named."""


def runs(
    ledger: Ledger, at_work: Callable[[str], bool], name: str | None = None
) -> Iterator[RunStatus]:
    """The latest runs, the newest first, or the one of that name.

    `at_work` tells whether an account's lock is held. Raises UsageError for an unknown name.
    """
    found = ledger.query("SELECT name FROM run ORDER BY id DESC LIMIT ?", LATEST)
    latest: set[str] = set()
    for one in [name] if name else [found_name for (found_name,) in found]:
        run = ledger.run(one)
        account = json.loads(run.facts()["facts"])["account"]
        yield _status(run, account, running=account not in latest and at_work(account))
        latest.add(account)


def _status(run: Run, account: str, *, running: bool) -> RunStatus:
    facts = run.facts()
    told = json.loads(facts["facts"])
    allowed = told.get("quota_per_second")
    sending = facts["sending_seconds"]
    start, end = facts["started_at"], facts["finished_at"]
    seconds = None
    if end:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return RunStatus(
        run_id=run.name,
        account=account,
        files=tuple(table.name for table in run.inputs().values()),
        started_at=start,
        finished_at=end,
        seconds=seconds,
        where=_where(facts, running=running),
        stopped_because=facts["stopped_because"],
        resume_at=facts["resume_at"],
        exit_code=facts["exit_code"],
        counts=run.counts(),
        quota_used=(
            round(facts["requests"] / (allowed * sending), 4) if allowed and sending >= 10 else None
        ),
        sandbox=told["sandbox"] or urlsplit(told["base_url"]).hostname in LOOPBACK,
        forgotten=facts["forgotten_at"] is not None,
    )


def _where(facts: dict[str, Any], *, running: bool) -> str:
    if facts["finished_at"] is None:
        return "running" if running and facts["exit_code"] is None else "killed"
    return {0: "finished", 1: "finished", 2: "failed"}.get(facts["exit_code"], "stopped")
