"""The status of runs, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rdimport.core.messages import _, language, ngettext
from rdimport.core.messages.written import minute
from rdimport.core.row import FAILED, State
from rdimport.core.stop import StopReason
from rdimport.destination.address import is_loopback
from rdimport.ledger import Ledger, Run, RunFacts, RunRecord
from rdimport.report.next_steps import RunEnd, Step, steps, written_by
from rdimport.report.stop_reason import in_words
from rdimport.report.words import Words


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of one run.

    `where` is `running`, `finished`, `stopped`, `failed` or `killed`, which means that its end is
    not recorded. `seconds` is its duration, None without an end. `quota_used` is a share from 0 to
    1. `sandbox`: it went to a sandbox of its own; `local`: its rows stayed on this machine.
    `report` is the path of its failure report, None if there is none. `later` is the run that
    continued the same list.
    `next` says what to do, and `command` does it; both may be empty, and further steps are in
    `then`. If the input was not `read_to_end`, it has more rows than `counts` says.
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
    local: bool = False
    forgotten: bool = False
    read_to_end: bool = True
    report: str | None = None
    later: str | None = None
    next: str = ""
    command: str = ""
    then: tuple[Step, ...] = ()
    job: str = ""
    mapping: str = ""
    error: str = ""
    requests: int | None = None
    throttled: int | None = None

    def as_json(self) -> dict[str, Any]:
        """A JSON object for scripts."""
        then = [step._asdict() for step in self.then]
        return {**asdict(self), "then": then, "rows": sum(self.counts.values())}


_JUST_AGAIN: Final = frozenset(
    {
        StopReason.SIGNAL,
        StopReason.MAX_DURATION,
        StopReason.LEAD_QUOTA,
        StopReason.LEASE,
        StopReason.LIMIT,
    }
)
"""Stop reasons after which running the same command again is enough."""

LATEST: Final = 10
"""Number of runs listed by default."""


def runs(
    ledger: Ledger,
    at_work: Callable[[str], bool],
    names: Sequence[str],
    *,
    location_options: Sequence[str] = (),
    report_dir: Path | None = None,
) -> Iterator[RunStatus]:
    """The status of the runs of those names, newest first. Raises UsageError for an unknown name.

    `at_work` tells whether an account's lock is held. `location_options` has the options by which a
    command finds this ledger; `report_dir` is the folder of reports, if it is not the one that each
    run used.
    """
    latest: set[str] = set()
    for one in names:
        run = ledger.run(one)
        account = run.facts().record.account
        found_run = _status(run, account, running=account not in latest and at_work(account))
        latest.add(account)
        reports = report_dir or Path(run.facts().record.report_dir)
        yield _advised(found_run, run, reports, location_options)


def _status(run: Run, account: str, *, running: bool) -> RunStatus:
    facts = run.facts()
    record = facts.record
    start, end = facts.started_at, facts.finished_at
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
        stopped_because=facts.stopped_because,
        resume_at=facts.resume_at,
        exit_code=facts.exit_code,
        counts=run.counts(),
        quota_used=facts.quota_used,
        sandbox=record.sandbox,
        local=record.sandbox or is_loopback(urlsplit(record.base_url).hostname),
        forgotten=facts.forgotten_at is not None,
        later=run.later(),
        read_to_end=run.read_to_end(facts),
        job=record.job,
        mapping=record.mapping,
        error=facts.error,
        requests=facts.requests,
        throttled=facts.throttled,
    )


def _advised(
    run: RunStatus, noted: Run, reports: Path, location_options: Sequence[str]
) -> RunStatus:
    """The run with its failure report and what to do next."""
    path = reports.absolute() / run.run_id / "failures.xlsx"
    run = replace(run, report=str(path) if os.path.lexists(path) else None)
    left = run.counts[State.PENDING]
    if run.where == "running":
        return run
    if run.where == "failed" and run.error:
        return replace(run, next=run.error)
    if run.where == "failed":
        return replace(
            run, next=_("Nothing was sent: its command says why when you type it yourself.")
        )
    if run.later:
        later = _("Run {run} continued with the same list.", run=run.later)
        if left:
            rows = ngettext("{number} row was left then.", "{number} rows were left then.", left)
            later = f"{rows} {later}"
        return replace(run, next=later)
    if run.forgotten and not left and run.read_to_end:
        return run
    record = noted.facts().record
    first, *then = _steps(run, record, path, location_options) or [Step("", "")]
    sentence = first.sentence
    if run.where == "killed":
        no_end = _(
            "Its end is not recorded: its process was killed, or it could not write to the ledger."
        )
        sentence = f"{no_end} {sentence}".strip()
    return replace(run, next=sentence, command=first.command, then=tuple(then))


def _steps(
    run: RunStatus, record: RunRecord, report: Path, location_options: Sequence[str]
) -> list[Step]:
    """What to do about remaining and failed rows."""
    again = list(record.again)
    named = next((option for option in ("--ledger", "--state-dir") if option in again), "")
    if location_options and named:  # the ledger may have been moved
        at = again.index(named)
        again[at : at + 2] = location_options
    lost = not run.report and any(run.counts[state] for state in FAILED)
    counts = run.counts | dict.fromkeys(FAILED, 0) if lost else run.counts
    ended = RunEnd(
        counts=counts,
        read_to_end=run.read_to_end,
        sandbox=run.sandbox,
        mapping=record.mapping,
        given=record.given or run.files,
        started_in=record.started_in,
        resend=record.resend,
        again=tuple(again),
        failures_xlsx=str(report),
    )
    words = Words(language())
    done = tuple(map(words, ("next.done", "next.sandbox_done", "next.none_sent")))
    found = [step for step in steps(ended, words) if step.sentence not in done]
    if run.read_to_end and run.counts[State.PENDING]:
        sentence = " ".join((*_stopped(run, record.base_url, words), _left(run), found[0].sentence))
        found[0] = found[0]._replace(sentence=sentence)
    if lost and not run.forgotten:
        folder = report.parent.parent
        sentence = _(
            "Its failure report is not in {folder}; this command writes it:", folder=folder
        )
        found.append(Step(sentence, written_by(run.run_id, folder, location_options)))
    return found


def _stopped(run: RunStatus, base_url: str, words: Words) -> Iterator[str]:
    """Why it stopped, and what to do before its command is typed again, if anything."""
    found = in_words(run.stopped_because, base_url, None, words.lang)
    if run.where == "stopped" and found is not None:
        yield words("stopped", reason=found.sentence)
        if run.stopped_because not in _JUST_AGAIN:
            yield f"{found.remedy[0].upper()}{found.remedy[1:]}."


def _left(run: RunStatus) -> str:
    """The number of rows that a run left, and the time from which they can be sent."""
    left = run.counts[State.PENDING]
    if not run.resume_at:
        return ngettext("{number} row is left.", "{number} rows are left.", left)
    return ngettext(
        "{number} row is left, to be sent after {moment}.",
        "{number} rows are left, to be sent after {moment}.",
        left,
        moment=minute(run.resume_at),
    )


def _where(facts: RunFacts, *, running: bool) -> str:
    if facts.finished_at is None:
        return "running" if running and facts.exit_code is None else "killed"
    ends = {0: "finished", 1: "finished", 2: "failed"}
    return "stopped" if facts.exit_code is None else ends.get(facts.exit_code, "stopped")
