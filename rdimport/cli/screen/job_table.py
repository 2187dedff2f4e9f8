"""The status of all accounts and jobs, one line each, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rdimport.cli.screen.layout import printable, table, wrapped
from rdimport.core.messages import _, language, untranslated
from rdimport.core.row import State
from rdimport.report.job_status import FINE, JobStatus
from rdimport.report.job_words import age, answer, count, name
from rdimport.report.words import Words

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
"""Columns omitted on a narrow terminal, the first ones first."""


def lines(found: Sequence[JobStatus]) -> Iterator[str]:
    """The number of jobs that worked, a line for each job, then what to do about the others."""
    ordered = sorted(found, key=lambda status: -status.verdict)
    yield from wrapped(count(ordered))
    yield ""
    rows = [tuple(map(_, _HEADINGS)), *map(_cells, ordered)]
    yield from table(rows, _TO_THE_RIGHT, _SPARE)
    for status in ordered:
        if status.verdict != FINE:
            yield ""
            yield from _advice(status)


def _cells(status: JobStatus) -> tuple[str, ...]:
    words, run = Words(language()), status.run
    start = (printable(status.account), printable(name(status)))
    if run is None:
        return (*start, "", answer(status), "", "", "", "", "", "")
    counts = run.counts
    numbers = (
        counts[State.ACCEPTED],
        counts[State.ALREADY_IMPORTED],
        counts[State.INVALID] + counts[State.REFUSED],
        counts[State.UNCERTAIN],
        counts[State.PENDING],
    )
    files = ", ".join(printable(Path(file).name, 80) for file in run.files)
    shown = [words.number(number) if number else "" for number in numbers]
    return (*start, age(status), answer(status), *shown, files)


def _advice(status: JobStatus) -> Iterator[str]:
    """What to do about one job."""
    run = status.run
    subject = " ".join(filter(None, (status.account, name(status))))
    text = f"{printable(subject)}: {answer(status)}"
    yield from wrapped(f"{text} ({run.run_id})" if run and run.run_id else text)
    for sentence, command in ((run.next, run.command), *run.then) if run else ():
        for line in sentence.splitlines():
            yield from wrapped(line, "  ")
        if command:
            yield f"    {command}"  # not wrapped, so that it can be pasted
