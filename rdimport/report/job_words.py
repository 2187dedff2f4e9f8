"""The status of an account and job in words, for the screen and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rdimport.core.messages import _, language, ngettext, untranslated
from rdimport.core.stop import StopReason
from rdimport.report.job_status import FAILED, FINE, JobStatus
from rdimport.report.words import Words

_ANSWERS: Final = {
    "running": untranslated("in progress"),
    "finished": untranslated("worked"),
    "failed": untranslated("nothing sent"),
    "busy": untranslated("account in use"),
    "killed": untranslated("no end recorded"),
    "stopped": untranslated("stopped"),
}

_CLOCKS: Final = 600.0
"""Seconds by which the clocks of two machines may differ."""

_AS_ASKED: Final[dict[str, str]] = {
    StopReason.CANARY: untranslated("trial sent"),
    StopReason.LIMIT: untranslated("limit reached"),
}


def name(status: JobStatus) -> str:
    """The job, or the mapping used in its place."""
    return status.job or Path(status.mapping).name


def answer(status: JobStatus) -> str:
    """The result in a word or two."""
    if status.run is None:
        return _("never ran")
    if status.too_old:
        return _("too long ago") if _is_past(status) else _("in the future")
    if status.run.where == "finished" and status.verdict != FINE:
        return _("some rows failed")
    run = status.run
    return _(_AS_ASKED.get(run.stopped_because or "", _ANSWERS[run.where]))


def age(status: JobStatus) -> str:
    """How long ago the latest run began, or how far in the future if a clock was wrong; empty if
    there was none.
    """
    if status.run is None:
        return ""
    time = Words(language()).duration(abs(status.age or 0.0))
    return _("{time} ago", time=time) if _is_past(status) else _("in {time}", time=time)


def _is_past(status: JobStatus) -> bool:
    """Whether the latest run began before now, give or take a difference between clocks."""
    return (status.age or 0.0) > -_CLOCKS


def count(found: Sequence[JobStatus]) -> str:
    """How many worked and how many did not, or never ran."""
    failed = sum(status.verdict == FAILED for status in found)
    idle = sum(status.verdict == FINE and status.run is None for status in found)
    fine = sum(status.verdict == FINE for status in found) - idle
    rows = len(found) - fine - failed - idle
    jobs = ngettext("{number} job", "{number} jobs", len(found))
    never = [ngettext("{number} never ran", "{number} never ran", idle)] if idle else []
    return f"{jobs}: {', '.join([*endings(fine, rows, failed), *never])}."


def endings(worked: int, rows: int, failed: int) -> tuple[str, str, str]:
    """How many jobs ended in each way; `rows`: with rows that need attention."""
    return (
        ngettext("{number} worked", "{number} worked", worked),
        ngettext(
            "{number} with rows that need attention", "{number} with rows that need attention", rows
        ),
        ngettext("{number} failed", "{number} failed", failed),
    )
