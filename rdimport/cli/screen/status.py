"""What `rdimport status` says: one screen that answers whether last night's job worked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from rdimport.cli.screen.layout import counts, printable, width, wrapped
from rdimport.core.row import FAILED, State
from rdimport.report.run_status import RunStatus
from rdimport.report.words import Words, local

_WORDS: Final = Words("en")


_LEFT: Final = ("Run", "started", "where", "to")
"""Columns of words; those of numbers and times stand to the right."""

_SPARE: Final = ("took", "to", "rows", "started")
"""Columns that a narrow terminal does without, the most dispensable first."""


def table(runs: Sequence[RunStatus], state_dir: Path) -> Iterator[str]:
    """The answer: the latest run that was no trial, in full. Then a line for each run, the newest
    first.
    """
    if not runs:
        yield from wrapped(f"There was no run yet in {state_dir}.")
        return
    yield from one(next((run for run in runs if not run.local), runs[0]))
    yield ""
    lines = [_cells(run) for run in runs]
    sizes = {name: max(len(name), *(len(line[name]) for line in lines)) for name in lines[0]}
    for name in _SPARE:
        if sum(sizes.values()) + len(sizes) - 1 > width():
            del sizes[name]
    space = "  " if sum(sizes.values()) + 2 * (len(sizes) - 1) <= width() else " "
    for line in [{name: name for name in sizes}, *lines]:
        cells = (
            f"{line[name]:<{size}}" if name in _LEFT else f"{line[name]:>{size}}"
            for name, size in sizes.items()
        )
        yield space.join(cells).rstrip()


def _cells(run: RunStatus) -> dict[str, str]:
    """A line of the table by its columns."""
    rows = run.counts
    to = printable(run.account, 7)
    if run.local:
        to = "sandbox" if run.sandbox else "local"
    return {
        "Run": run.run_id,
        "started": _local(run.started_at, "%m-%d %H:%M"),
        "took": _WORDS.duration(run.seconds) if run.seconds is not None else "",
        "where": run.where,
        "to": to,
        "rows": str(sum(rows.values())),
        "failed": str(sum(rows[state] for state in FAILED)),
        "left": str(rows[State.PENDING]),
    }


def one(run: RunStatus) -> Iterator[str]:
    """One run in full."""
    yield from wrapped(f"{_answer(run)} Run {run.run_id}")
    where = "a sandbox of its own" if run.sandbox else f"account {run.account}"
    where += " on this machine (local)" if run.local and not run.sandbox else ""
    files = ", ".join(printable(name, 80) for name in run.files) or "no file"
    yield from wrapped(f"{files}, to {where}")
    took = f", took {_WORDS.duration(run.seconds)}" if run.seconds is not None else ""
    used = f", {run.quota_used:.0%} of the quota used" if run.quota_used is not None else ""
    because = run.stopped_because if run.stopped_because != run.where else None
    why = f" ({because})" if because else ""
    started = local(run.started_at)
    yield from wrapped(f"started {started}, {run.where}{why}{took}{used}")
    yield from counts(run.counts, 0, _WORDS)
    for sentence, command in ((run.next, run.command), *run.then):
        if sentence:
            yield from wrapped(sentence)
        if command:
            yield f"  {command}"  # whole: it is pasted


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
