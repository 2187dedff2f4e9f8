"""report.html: a self-contained page for screens, phones and printers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rdimport.core.messages.reasons import UNREACHED, explain, remedy
from rdimport.core.messages.written import second
from rdimport.core.row import FAILED, Problem, State
from rdimport.ledger import Example, FieldRecord
from rdimport.report.data import ReportData
from rdimport.report.html import chart
from rdimport.report.html.privacy import discreet
from rdimport.report.html.text import bar, command, dot, escape, head
from rdimport.report.next_steps import steps
from rdimport.report.private_files import private
from rdimport.report.stop_reason import why
from rdimport.report.summary import RunSummary
from rdimport.report.words import Words

FILE_NAME: Final = "report.html"

_KINDS: Final = 40
"""Number of problem kinds shown; the counts of the others are in summary.json."""

_ENOUGH: Final = 10
"""Minimum rows, and seconds of sending, for a rate that is not dominated by the start."""


def write(data: ReportData, path: Path, lang: str = "en", *, full: bool = False) -> None:
    """Write the page. Without `full`, personal data in it is shortened.

    Raises ReportError if it cannot be written.
    """
    page = _Page(data, Words(lang), (lambda problem: problem) if full else discreet)
    with private(path) as half, half.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in page.lines())
        if not full:
            file.write(f"<footer>{escape(page.words('shortened'))}</footer>\n")
        file.write("</body>\n</html>\n")


class _Page:
    """One page. Every text goes through `escape`; nothing is loaded from elsewhere."""

    def __init__(self, data: ReportData, words: Words, shown: Callable[[Problem], Problem]) -> None:
        self._data = data
        self._summary = data.summary
        self._shown = shown
        self.words = words

    def lines(self) -> Iterator[str]:
        """The page without its closing tags."""
        yield from self._head()
        yield from self._totals()
        yield from self._next()
        yield from self._problems()
        yield from self._suspect()
        yield from self._pace()
        yield from self._mapping()

    def _head(self) -> Iterator[str]:
        summary, words = self._summary, self.words
        title = words("title", files=", ".join(Path(f).name for f in summary.files))
        yield from head(title, words.lang, "page.css")
        yield f"<h1>{escape(title)}</h1>"
        yield f'<p class="verdict">{escape(_verdict(summary, words))}</p>'
        yield f'<p class="soft">{escape(words("run", run=summary.run_id))}</p>\n<dl>'
        for name, value in self._facts():
            yield f"<dt>{escape(words(name))}</dt><dd>{escape(value)}</dd>"
        yield "</dl>"
        stop = why(summary, words.lang)
        if stop is not None:
            sentence = escape(words("stopped", reason=stop.sentence))
            yield f'<div class="stop"><p>{sentence}</p><p class="remedy">'
            yield f"{_marked(stop.remedy)}</p></div>"

    def _facts(self) -> Iterator[tuple[str, str]]:
        summary, words = self._summary, self.words
        yield "files", ", ".join(summary.files)
        yield "mapping", summary.mapping
        yield "started", second(summary.started_at, words.lang)
        finished = summary.finished_at
        yield "finished", second(finished, words.lang) if finished else words("not_finished")
        yield "endpoint", summary.base_url
        yield "account", summary.account
        yield "quota", summary.quota or words("no_quota")

    def _totals(self) -> Iterator[str]:
        summary, words = self._summary, self.words
        states = [state for state in State if summary.counts[state]]
        yield f"<h2>{escape(words('state'))}</h2>"
        yield from bar(summary.counts)
        yield '<table class="totals">'
        for state in states:
            means = words.means(state, sandbox=summary.sandbox)
            yield (
                f'<tr><td class="number">{words.number(summary.counts[state])}</td><td>'
                f"{dot(state)}{escape(words.state(state))}</td>"
                f'<td class="soft meaning">{escape(means)}</td></tr>'
            )
        total = words.total(read_to_end=summary.read_to_end)
        yield (
            f'<tr class="total"><td class="number">{words.number(summary.rows)}</td>'
            f'<td>{escape(total)}</td><td class="meaning"></td></tr>\n</table>'
        )
        if summary.left_out:
            left_out = words.counted("left_out", summary.left_out)
            yield f'<p class="soft">{_marked(left_out)}</p>'
        yield from (f'<p class="soft">{escape(more)}</p>' for more in remarks(summary, words))

    def _next(self) -> Iterator[str]:
        yield f"<h2>{escape(self.words('next'))}</h2>"
        for step in steps(self._summary, self.words):
            yield f"<p>{escape(step.sentence)}</p>"
            if step.command:
                yield f"<pre>{command(step.command)}</pre>"

    def _problems(self) -> Iterator[str]:
        words, counts = self.words, self._summary.problems
        yield f"<h2>{escape(words('problems' if counts else 'no_problems'))}</h2>"
        if self._data.unread:
            unread = words.counted("unread", self._data.unread)
            yield f'<p class="warn">{escape(unread)}</p>'
        if wrong := words.wrong_column(self._summary.wrong_column, self._summary.rows):
            yield f'<p class="warn">{escape(wrong)}</p>'
        most = max(counts.values(), default=1)
        for code, rows in list(counts.items())[:_KINDS]:
            head = f"{words.number(rows)} × {_title(self._data.examples[code], words)}"
            doubt = " uncertain" if code.startswith("uncertain.") else ""
            yield f'<section class="problem{doubt}"><h3>{escape(head)} <code>{escape(code)}</code>'
            yield "</h3>"
            yield f'<div class="share"><span style="width: {rows / most:.1%}"></span></div>\n<ul>'
            for example in self._data.examples[code]:
                problem = self._shown(example.problem)
                place = escape(words.place(example.row, name_of(example, self._summary.files)))
                yield f"<li>{place}: {escape(explain(problem, words.lang))}</li>"
            yield f'</ul><p class="remedy">{_marked(remedy(code, words.lang))}</p></section>'
        if len(counts) > _KINDS:
            yield f"<p>{escape(words.counted('more_kinds', len(counts) - _KINDS))}</p>"

    def _suspect(self) -> Iterator[str]:
        words, cells = self.words, self._summary.suspect
        if not cells:
            return
        yield f"<h2>{escape(words('sent_suspect'))}</h2>\n<ul>"
        for code, number in cells.items():
            yield (
                f"<li>{words.number(number)} × <code>{escape(code)}</code> "
                f'<span class="remedy">{_marked(remedy(code, words.lang))}</span></li>'
            )
        yield f'</ul>\n<p class="soft">{_marked(words("sent_suspect.how"))}</p>'

    def _pace(self) -> Iterator[str]:
        words, data = self.words, self._data
        yield f"<h2>{escape(words('pace'))}</h2>"
        if not data.minutes:
            yield f'<p class="soft">{escape(words("pace.none"))}</p>'
            return
        if len(data.minutes) > 1:  # a single minute needs no chart
            yield chart.pace(data.minutes, data.per_minute, words)
        yield f'<p class="soft">{escape(", ".join(pace_facts(self._summary, words)))}</p>'

    def _mapping(self) -> Iterator[str]:
        words, data = self.words, self._data
        yield f"<h2>{escape(words('fields'))}</h2>"
        sendable = max(data.filled.values(), default=0)
        empty = [field for field, rows in data.filled.items() if not rows and sendable]
        if empty:
            yield f'<p class="warn">{escape(words("empty_fields", fields=", ".join(empty)))}</p>'
        titles = "".join(f"<th>{escape(words(name))}</th>" for name in ("field", "source"))
        filled = escape(words("filled"))
        yield f'<table class="mapping"><tr>{titles}<th class="number">{filled}</th></tr>'
        for field in data.mapping.fields:
            rows = data.filled.get(field.field, 0)
            yield (
                f"<tr><td><code>{escape(field.field)}</code></td>"
                f'<td>{escape(_source(field, words))}</td><td class="number">'
                f"{_filled(rows, sendable)}</td></tr>"
            )
        yield "</table>"


def _verdict(summary: RunSummary, words: Words) -> str:
    """The result in one sentence."""
    if summary.counts[State.PENDING] or not summary.read_to_end:
        return words.counted("verdict.left", summary.counts[State.PENDING])
    failed = sum(summary.counts[state] for state in FAILED)
    return words.counted("verdict.failed", failed) if failed else words("verdict.done")


def name_of(example: Example, files: Sequence[str]) -> str:
    """The file of an example, if there are several."""
    return Path(files[example.file]).name if len(files) > 1 else ""


def remarks(summary: RunSummary, words: Words) -> Iterator[str]:
    """Remarks about the rows besides their states, a sentence each."""
    found = (
        words.legal_bases(summary.legal_bases),
        words.proved(summary.proved),
        words.corrected(summary.corrected),
        words.ruled(summary.rules),
    )
    return filter(None, found)


def pace_facts(summary: RunSummary, words: Words) -> Iterator[str]:
    """Figures about the requests, in a few words each."""
    if _never_connected(summary):
        yield words.counted("attempts", summary.requests)
        return
    yield words.counted("requests", summary.requests)
    if summary.retries:
        yield words.counted("retries", summary.retries)
    if summary.throttled:
        yield words.counted("throttled", summary.throttled)
    rate = summary.rows_per_second
    rows = summary.requests - summary.retries
    if rate and rows >= _ENOUGH and rows / rate >= _ENOUGH:
        yield words("rate", rate=words.rate(rate))
    if summary.quota_used is not None:
        yield words("quota_used", share=f"{summary.quota_used:.0%}")


def _never_connected(summary: RunSummary) -> bool:
    """Whether no request of the run reached the endpoint."""
    trouble = (summary.stopped_by or "").partition(" ")[0]
    ended = sum(summary.counts[s] for s in (State.ACCEPTED, State.REFUSED, State.UNCERTAIN))
    return not (ended or summary.throttled) and trouble in UNREACHED


def _title(examples: Iterable[Example], words: Words) -> str:
    """The source columns of the examples, if any."""
    columns = dict.fromkeys(e.problem.column or e.problem.field for e in examples)
    return ", ".join(filter(None, columns)) or words("rows").lower()


def _marked(text: str) -> str:
    """A sentence of the catalogue, with options and `quoted` text as code."""
    quoted = re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"(?<![\w>-])(--[a-z][a-z-]*(?: uncertain)?)", r"<code>\1</code>", quoted)


def _source(field: FieldRecord, words: Words) -> str:
    if field.columns:
        return " / ".join(field.columns)
    if field.expr:
        return words("expression", expr=field.expr)
    return words("always", value=field.value) if field.value else "—"


def _filled(rows: int, of: int) -> str:
    share = rows / of if of else 0.0
    meter = f'<span class="meter"><span style="width: {share:.0%}"></span></span>'
    shown = "100%" if rows == of else f"{min(int(share * 100), 99)}%"
    warn = "" if rows else ' class="warn"'
    return f"{meter} <span{warn}>{shown}</span>"
