"""Did last night's jobs work? A line for each account and job, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rdimport.cli.screen.layout import printable, width, wrapped
from rdimport.core.messages import _, language, ngettext, untranslated
from rdimport.core.row import State
from rdimport.report.job_status import FAILED, FINE, JobStatus
from rdimport.report.words import Words

_ANSWERS: Final = {
    "running": untranslated("at work"),
    "finished": untranslated("worked"),
    "failed": untranslated("nothing sent"),
    "busy": untranslated("account in use"),
    "killed": untranslated("killed"),
    "stopped": untranslated("stopped"),
}

_HEADINGS: Final = (
    untranslated("account"),
    untranslated("job"),
    untranslated("began"),
    untranslated("result"),
    untranslated("sent"),
    untranslated("earlier"),
    untranslated("failed"),
    untranslated("doubt"),
    untranslated("left"),
    untranslated("file"),
)
_TO_THE_RIGHT: Final = range(4, 9)
_SPARE: Final = (9, 5, 8)
"""Columns that a narrow terminal does without, the most dispensable first."""


def lines(found: Sequence[JobStatus]) -> Iterator[str]:
    """How many worked, a line for each, then what to do about those that did not."""
    ordered = sorted(found, key=lambda status: -status.verdict)
    yield from wrapped(_count(ordered))
    yield ""
    yield from _table([tuple(map(_, _HEADINGS)), *map(_cells, ordered)])
    for status in ordered:
        if status.verdict != FINE:
            yield ""
            yield from _advice(status)


def _count(found: Sequence[JobStatus]) -> str:
    failed = sum(status.verdict == FAILED for status in found)
    fine = sum(status.verdict == FINE for status in found)
    total = len(found)
    return ngettext(
        "{number} job: {fine} worked, {rows} with rows for a person, {failed} failed.",
        "{number} jobs: {fine} worked, {rows} with rows for a person, {failed} failed.",
        total,
        fine=fine,
        rows=total - fine - failed,
        failed=failed,
    )


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    shown = list(range(len(_HEADINGS)))
    sizes = [max(len(row[column]) for row in rows) for column in shown]
    for spare in _SPARE:
        if sum(sizes[column] + 2 for column in shown) > width() + 2:
            shown.remove(spare)
    for row in rows:
        cells = (
            f"{row[column]:>{sizes[column]}}"
            if column in _TO_THE_RIGHT
            else f"{row[column]:<{sizes[column]}}"
            for column in shown
        )
        yield "  ".join(cells).rstrip()


def _cells(status: JobStatus) -> tuple[str, ...]:
    words, run = Words(language()), status.run
    name = status.job or Path(status.mapping).name
    start = (printable(status.account), printable(name))
    if run is None:
        return (*start, "", _answer(status), "", "", "", "", "", "")
    counts = run.counts
    numbers = (
        counts[State.ACCEPTED],
        counts[State.ALREADY_IMPORTED],
        counts[State.INVALID] + counts[State.REFUSED],
        counts[State.UNCERTAIN],
        counts[State.PENDING],
    )
    ago = _("{time} ago", time=words.duration(status.age or 0.0))
    files = ", ".join(printable(Path(file).name, 80) for file in run.files)
    shown = [words.number(number) if number else "" for number in numbers]
    return (*start, ago, _answer(status), *shown, files)


def _answer(status: JobStatus) -> str:
    if status.run is None:
        return _("never ran")
    if status.too_old:
        return _("too long ago")
    if status.run.where == "finished" and status.verdict != FINE:
        return _("some rows failed")
    return _(_ANSWERS[status.run.where])


def _advice(status: JobStatus) -> Iterator[str]:
    """What to do about it."""
    run = status.run
    name = " ".join(filter(None, (status.account, status.job or Path(status.mapping).name)))
    answer = f"{printable(name)}: {_answer(status)}"
    yield from wrapped(f"{answer} ({run.run_id})" if run and run.run_id else answer)
    for sentence, command in ((run.next, run.command), *run.then) if run else ():
        for line in sentence.splitlines():
            yield from wrapped(line, "  ")
        if command:
            yield f"    {command}"  # whole: it is pasted
