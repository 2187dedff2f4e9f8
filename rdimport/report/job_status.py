"""The latest run of each account and job, and what to do now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rdimport.core.errors import ExitCode
from rdimport.core.row import State
from rdimport.core.stop import AS_ASKED
from rdimport.ledger import Attempt, Latest, Ledger
from rdimport.report.run_status import RunStatus, runs

FINE: Final = 0
NEEDS_A_PERSON: Final = 1
FAILED: Final = 2
UNKNOWN: Final = 3
"""Exit codes of `status --check`, as used by monitoring plugins."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of an account and job.

    `job` is empty for a run outside of a job, which is then identified by its mapping. `run` is its
    latest run or, with an empty `run_id`, an attempt that did not begin; None if there was none.
    `age` is the number of seconds since it began; `verdict` the result of `--check`.
    """

    account: str
    job: str
    mapping: str
    run: RunStatus | None
    age: float | None
    last_success: str | None
    verdict: int
    too_old: bool = False

    def as_json(self) -> dict[str, Any]:
        """A JSON object for scripts."""
        return {
            "account": self.account,
            "job": self.job or None,
            "mapping": self.mapping or None,
            "age": self.age,
            "last_success": self.last_success,
            "verdict": self.verdict,
            "too_old": self.too_old,
            "run": self.run.as_json() if self.run else None,
        }


def jobs(
    ledger: Ledger,
    at_work: Callable[[str], bool],
    *,
    now: datetime,
    since: datetime | None = None,
    max_age: float | None = None,
    location_options: Sequence[str] = (),
    report_dir: Path | None = None,
    job: str | None = None,
) -> Iterator[JobStatus]:
    """All accounts and jobs in the ledger, or those of one `job`, the latest first. A latest run
    older than `max_age` seconds counts as failed, and so does one that begins as far in the future:
    a clock was wrong.
    """
    for found in ledger.latest_of_jobs(since, job):
        if found.run is not None:
            (run,) = runs(
                ledger,
                at_work,
                [found.run],
                location_options=location_options,
                report_dir=report_dir,
            )
        elif found.attempt is not None:
            run = _attempted(found.attempt)
        else:
            continue
        yield _judged(found, run, now, max_age)


def never_run(account: str, job: str, mapping: str, *, max_age: float | None) -> JobStatus:
    """The status of a configured job that has never run."""
    verdict = FINE if max_age is None else FAILED
    return JobStatus(account, job, mapping, None, None, None, verdict, max_age is not None)


def verdict(found: Sequence[JobStatus]) -> int:
    """The worst of several verdicts; unknown for none."""
    return max((status.verdict for status in found), default=UNKNOWN)


def _judged(found: Latest, run: RunStatus, now: datetime, max_age: float | None) -> JobStatus:
    age = (now - datetime.fromisoformat(run.started_at)).total_seconds()
    too_old = max_age is not None and abs(age) > max_age
    judged = FAILED if too_old else _verdict(run)
    return JobStatus(
        found.account, found.job, found.mapping, run, age, found.last_success, judged, too_old
    )


def _verdict(run: RunStatus) -> int:
    if run.where == "running":
        return FINE
    if run.where == "finished":
        return NEEDS_A_PERSON if run.exit_code == ExitCode.FAILED_ROWS else FINE
    return NEEDS_A_PERSON if run.stopped_because in AS_ASKED else FAILED


def _attempted(attempt: Attempt) -> RunStatus:
    at = attempt.at.isoformat()
    where = {ExitCode.BUSY: "busy", ExitCode.DONE: "finished"}.get(attempt.exit_code, "failed")
    return RunStatus(
        run_id="",
        account=attempt.account,
        files=attempt.given,
        started_at=at,
        finished_at=at,
        seconds=0.0,
        where=where,
        stopped_because=None,
        resume_at=None,
        exit_code=attempt.exit_code,
        counts=dict.fromkeys(State, 0),
        quota_used=None,
        next=attempt.message if attempt.exit_code else "",
        job=attempt.job,
        mapping=attempt.mapping,
        error=attempt.message if attempt.exit_code else "",
    )
