"""What `rdimport status` says: one screen that answers whether last night's job worked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rdimport.report.words import Words
from rdimport.row import FAILED, State
from rdimport.screen.parts import counts, printable, wrapped
from rdimport.status import RunStatus

_WORDS: Final = Words("en")


def table(runs: Sequence[RunStatus]) -> Iterator[str]:
    """The answer: the latest run that was no trial, in full. Then a line for each run, the newest
    first.
    """
    if not runs:
        yield "There was no run yet."
        return
    yield from one(next((run for run in runs if not run.sandbox), runs[0]))
    yield ""
    yield f"{'Run':<20} {'started':<11}{'took':>10} {'where':<8} {'to':<7}   rows failed  left"
    for run in runs:
        rows = run.counts
        failed = sum(rows[state] for state in FAILED)
        took = _WORDS.duration(run.seconds) if run.seconds is not None else ""
        to = "sandbox" if run.sandbox else printable(run.account, 7)
        yield (
            f"{run.run_id:<20} {_local(run.started_at, '%m-%d %H:%M'):<11}{took:>10} "
            f"{run.where:<8} {to:<7}{sum(rows.values()):>7}{failed:>7}{rows[State.PENDING]:>6}"
        )


def one(run: RunStatus) -> Iterator[str]:
    """One run in full."""
    yield from wrapped(f"{_answer(run)} Run {run.run_id}")
    where = "a sandbox" if run.sandbox else f"account {run.account}"
    files = ", ".join(printable(name, 80) for name in run.files) or "no file"
    yield from wrapped(f"{files}, to {where}")
    took = f", took {_WORDS.duration(run.seconds)}" if run.seconds is not None else ""
    used = f", {run.quota_used:.0%} of the quota used" if run.quota_used is not None else ""
    why = f" ({run.stopped_because})" if run.stopped_because else ""
    started = _local(run.started_at, "%Y-%m-%d %H:%M")
    yield from wrapped(f"started {started}, {run.where}{why}{took}{used}")
    yield from counts(run.counts, 0, _WORDS)
    if run.next:
        yield from wrapped(run.next)


def _answer(run: RunStatus) -> str:
    if run.where == "running":
        return "It is at work."
    if run.where == "failed":
        return "It did not work: nothing was sent."
    if run.counts[State.PENDING] or run.where != "finished":
        return "It did not come to its end."
    if any(run.counts[state] for state in FAILED):
        return "It worked, but for some rows."
    return "It worked: every row has arrived."


def _local(moment: str, form: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime(form)
