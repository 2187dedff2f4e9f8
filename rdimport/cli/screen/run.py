"""The summary at the end of a run: counts, problems, and what to run next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rdimport.core.messages import _, speaking
from rdimport.core.messages.reasons import explain, remedy
from rdimport.core.row import State
from rdimport.core.visible import Shown, shown
from rdimport.ledger import Example
from rdimport.report.html.page import name_of, pace_facts, remarks
from rdimport.report.html.privacy import discreet
from rdimport.report.next_steps import steps
from rdimport.report.stop_reason import why
from rdimport.report.summary import RunSummary
from rdimport.report.words import Words

_KINDS: Final = 3
"""Number of problem kinds shown; the others are in the report."""

_CODES: Final = {
    State.ACCEPTED: "32",
    State.INVALID: "31",
    State.REFUSED: "31",
    State.UNCERTAIN: "35",
    State.PENDING: "34",
}
"""Colours (SGR parameters of ECMA-48) of the most relevant states."""
_BOLD: Final = "1"
_DIM: Final = "2"


def lines(
    summary: RunSummary,
    examples: Mapping[str, Sequence[Example]],
    width: int = 80,
    *,
    colour: bool = False,
    lang: str = "en",
    near: bool = False,
    mail: bool = False,
) -> Shown:
    """The summary of a run as lines of at most `width` columns; commands and paths are not wrapped.

    `examples` are those of the report (`figures.examples`). The caller decides about colour, which
    is off without a terminal, on a dumb one, or with NO_COLOR. `near`: the reader is in this folder
    and needs no absolute paths. `mail`: name the run's account, and shorten personal data.
    """
    screen = _Screen(max(width, 40), Words(lang), colour=colour, near=near, mail=mail)
    return Shown("\n".join(screen.lines(summary, examples)))


class _Screen:
    def __init__(self, width: int, words: Words, *, colour: bool, near: bool, mail: bool) -> None:
        self._width = width
        self._mail = mail
        self._near = near
        self._words = words
        self._colour = colour

    def lines(
        self, summary: RunSummary, examples: Mapping[str, Sequence[Example]]
    ) -> Iterator[str]:
        yield from self._wrapped(self._words("run", run=summary.run_id), style=_BOLD)
        if self._mail:
            with speaking(self._words.lang):
                subject = _subject(summary)
            yield from self._wrapped(subject, breaks=False)  # it has paths
        yield from self._counts(summary)
        if summary.requests:
            yield from self._wrapped(", ".join(pace_facts(summary, self._words)), style=_DIM)
        stop = why(summary, self._words.lang)
        if stop is not None:
            yield ""
            yield from self._wrapped(self._words("stopped", reason=stop.sentence))
            yield from self._wrapped(f"→ {stop.remedy}")
        if wrong := self._words.wrong_column(summary.wrong_column, summary.rows):
            yield ""
            yield from self._wrapped(wrong, style=_BOLD)
        yield from self._problems(summary, examples)
        yield from self._suspect(summary.suspect)
        yield from self._next(summary)

    def _counts(self, summary: RunSummary) -> Iterator[str]:
        words = self._words
        shown = [state for state in State if summary.counts[state]]
        size = max(len(words.state(state)) for state in State)
        for state in shown:
            number = f"{words.number(summary.counts[state]):>11}"
            name = f"{words.state(state):<{size}}"
            means = words.means(state, sandbox=summary.sandbox)
            first, *rest = textwrap.wrap(means, self._width - size - 15)
            yield f"{number}  {self._styled(name, _CODES.get(state, ''))}  {first}"
            yield from (f"{'':{size + 15}}{line}" for line in rest)
        total = f"{words.number(summary.rows):>11}  {words.total(read_to_end=summary.read_to_end)}"
        yield self._styled(total, _BOLD)
        if summary.left_out:
            yield from self._wrapped(words.counted("left_out", summary.left_out))
        for more in remarks(summary, words):
            yield from self._wrapped(more)

    def _problems(
        self, summary: RunSummary, examples: Mapping[str, Sequence[Example]]
    ) -> Iterator[str]:
        words, counts = self._words, summary.problems
        if not counts:
            return
        yield ""
        yield from self._wrapped(words("problems"), style=_BOLD)
        for code, rows in list(counts.items())[:_KINDS]:
            yield f"{words.number(rows):>11}  {self._styled(code, _BOLD)}"
            if examples.get(code):
                example = self._example(examples[code][0], summary.files)
                yield from self._wrapped(example, indent=13)
            yield from self._wrapped(f"→ {remedy(code, words.lang)}", indent=13)
        if len(counts) > _KINDS:
            more = words.counted("more_kinds", len(counts) - _KINDS)
            yield from self._wrapped(more, indent=13)

    def _suspect(self, cells: Mapping[str, int]) -> Iterator[str]:
        if cells:
            number, codes = sum(cells.values()), ", ".join(cells)
            yield ""
            yield from self._wrapped(self._words.counted("sent_suspect.cells", number, codes=codes))

    def _example(self, example: Example, files: Sequence[str]) -> str:
        words = self._words
        where = words.place(example.row, name_of(example, files), example.problem.column)
        problem = discreet(example.problem) if self._mail else example.problem
        sentence = explain(problem, words.lang)
        return shown(words("example", where=where, sentence=sentence))[:300]

    def _next(self, summary: RunSummary) -> Iterator[str]:
        words = self._words
        yield ""
        if summary.problems:
            yield shown(f"{words('failure_report')}: {summary.failures_xlsx}")
        yield shown(f"{words('report')}: {summary.report_html}")
        for step in steps(summary, words, near=self._near):
            yield ""
            yield from self._wrapped(step.sentence)
            if step.command:
                yield "  " + self._styled(step.command, _BOLD)

    def _wrapped(
        self, text: str, *, indent: int = 0, style: str = "", breaks: bool = True
    ) -> Iterator[str]:
        margin = " " * indent
        for line in textwrap.wrap(
            text,
            self._width,
            initial_indent=margin,
            subsequent_indent=margin,
            break_on_hyphens=False,
            break_long_words=breaks,
        ):
            yield self._styled(line, style)

    def _styled(self, text: str, style: str) -> str:
        text = shown(text)
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and style else text


def _subject(summary: RunSummary) -> str:
    """The account, the job and the files of a run."""
    where = _("account {account}", account=summary.account)
    if summary.job:
        where = _("account {account}, job {job}", account=summary.account, job=summary.job)
    return _("{files}, to {where}", files=", ".join(summary.files), where=where)
