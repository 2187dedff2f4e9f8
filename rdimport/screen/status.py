"""What `rdimport status` says: one screen that answers whether last night's job worked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rdimport.report.words import Words
from rdimport.row import FAILED, State
from rdimport.screen.parts import counts, printable
from rdimport.status import RunStatus


def table(runs: Sequence[RunStatus]) -> Iterator[str]:
    """One line for each run, the newest first, and what to do next about the newest."""
    if not runs:
        yield "There was no run yet."
        return
    yield f"{'Run':<22}{'started':<18}{'took':>12}  {'where':<9}{'rows':>9}{'failed':>8}{'left':>9}"
    for run in runs:
        rows = run.counts
        failed = sum(rows[state] for state in FAILED)
        took = Words("en").duration(run.seconds) if run.seconds is not None else ""
        yield (
            f"{run.run_id:<22}{_local(run.started_at):<18}{took:>12}  {run.where:<9}"
            f"{sum(rows.values()):>9}{failed:>8}{rows[State.PENDING]:>9}"
        )
    yield ""
    yield f"The latest, {', '.join(printable(name, 80) for name in runs[0].files) or 'no file'}:"
    yield from one(runs[0])


def one(run: RunStatus) -> Iterator[str]:
    """One run in full."""
    yield from counts(run.counts, 0)
    used = f", {run.quota_used:.0%} of the quota used" if run.quota_used is not None else ""
    why = f" ({run.stopped_because})" if run.stopped_because else ""
    yield f"{run.run_id}, account {run.account}: {run.where}{why}{used}"
    if run.next:
        yield run.next


def _local(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"
