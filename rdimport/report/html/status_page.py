"""The page of `status --html`: each account's last nights, rows, quota and next step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from rdimport.core.errors import ReportError, UsageError
from rdimport.core.messages import _, language, ngettext
from rdimport.core.messages.written import second
from rdimport.core.names import fold
from rdimport.core.row import State
from rdimport.ledger import Ledger
from rdimport.report.fleet_status import Table
from rdimport.report.html.text import bar, command, dot, escape, head
from rdimport.report.job_status import FAILED, FINE, JobStatus
from rdimport.report.job_words import age, answer, count, endings, name
from rdimport.report.nights import Night, nights
from rdimport.report.private_files import private, refuse_strangers
from rdimport.report.run_status import RunStatus
from rdimport.report.words import Words

_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_MARKS: Final = {"fine": "✓", "rows": "!", "failed": "×", "none": "·"}
"""Symbols that distinguish the kinds without colour."""


def write(
    path: Path,
    found: Sequence[JobStatus],
    ledgers: Sequence[Ledger],
    now: datetime,
    *,
    wanted: Callable[[str, str], bool] = lambda _account, _job: True,
    beside: Sequence[Table] = (),
) -> None:
    """Write the page in the current language; `wanted` selects accounts and jobs, `beside` are more
    tables.

    Raises UsageError if it cannot be written.
    """
    running = [s.run.run_id for s in found if s.run is not None and s.run.where == "running"]
    past = nights(ledgers, now, running, wanted)
    lines = [f"{line}\n" for line in _page(found, past, now, beside)]
    try:
        refuse_strangers(path, b"<!doctype html>")
        with private(path) as half, half.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
    except (ReportError, OSError) as error:
        why = error.__cause__ or error
        raise UsageError(
            _("The page {path} cannot be written: {error}.", path=path, error=why),
            _("With {option}, name a file in a folder that you can write to.", option="--html"),
        ) from error


def _page(
    found: Sequence[JobStatus],
    past: Mapping[str, Sequence[Night]],
    now: datetime,
    beside: Sequence[Table],
) -> Iterator[str]:
    title = _("Did last night's jobs work?")
    yield from head(title, language(), "page.css", "status.css")
    yield f"<main><h1>{escape(title)}</h1>"
    verdict = count(found) if found else _("There are no jobs yet.")
    yield f'<p class="verdict">{escape(verdict)}</p>'
    yield f'<p class="soft">{escape(second(now.isoformat()))}</p>'
    for table in beside:
        yield from _table(table)
    yield from _key()
    for jobs in _by_account(found):
        yield from _account(jobs, past.get(fold(jobs[0].account), ()))
    yield "</main></body>\n</html>"


def _table(table: Table) -> Iterator[str]:
    yield f'<section class="account"><h2>{escape(table.title)}</h2><table><thead><tr>'
    yield "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.headings)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
    yield "</tbody></table></section>"


def _key() -> Iterator[str]:
    """The legend of the nights."""
    meanings = (
        ("fine", _("worked")),
        ("rows", _("some rows need attention")),
        ("failed", _("did not work")),
        ("none", _("nothing ran")),
    )
    yield '<ul class="legend">'
    for kind, meaning in meanings:
        yield f"<li>{_mark(kind)} {escape(meaning)}</li>"
    yield f"<li>{escape(_('a night runs from noon to noon'))}</li></ul>"


def _by_account(found: Sequence[JobStatus]) -> list[list[JobStatus]]:
    """The jobs of each account, the worst account and job first."""
    grouped: dict[str, list[JobStatus]] = {}
    for status in sorted(found, key=lambda status: -status.verdict):
        grouped.setdefault(fold(status.account), []).append(status)
    return list(grouped.values())


def _account(jobs: Sequence[JobStatus], nights: Sequence[Night]) -> Iterator[str]:
    worst = jobs[0]
    yield f'<section class="account"><h2>{escape(worst.account)}</h2>'
    text = answer(worst) if len(jobs) == 1 else count(jobs)
    yield f'<p class="said">{_mark(_kind(worst))} {escape(text)}</p>'
    yield from _strip(nights)
    runs = [status.run for status in jobs if status.run is not None]
    rows = {state: sum(run.counts[state] for run in runs) for state in State}
    yield from _rows(rows)
    used = _quota_used(runs)
    if used is not None:
        yield from _quota(used)
    opened = " open" if worst.verdict != FINE else ""
    total = ngettext("{number} job", "{number} jobs", len(jobs))
    yield f"<details{opened}><summary>{escape(total)}</summary>"
    for status in jobs:
        yield from _job(status, alone=len(jobs) == 1)
    yield "</details></section>"


def _strip(nights: Sequence[Night]) -> Iterator[str]:
    if not nights:
        return
    label = escape(_("The last {nights} nights", nights=len(nights)))
    yield f'<ol class="nights" aria-label="{label}">'
    for one in nights:
        tooltip = escape(_night(one))
        kind = "failed" if one.failed else "rows" if one.rows else "fine" if one.worked else "none"
        yield f'<li title="{tooltip}">{_mark(kind)}<span class="hidden">{tooltip}</span></li>'
    first, last = (_day(nights[at].ends) for at in (0, -1))
    yield f'</ol><div class="ends" aria-hidden="true"><span>{first}</span><span>{last}</span></div>'


def _night(one: Night) -> str:
    """A night in words: `27 Nov–28 Nov: 2 worked, 1 failed`."""
    jobs = one.worked, one.rows, one.failed
    parts = (part for part, number in zip(endings(*jobs), jobs, strict=True) if number)
    text = ", ".join(parts) or _("nothing ran")
    return f"{_day(one.ends - timedelta(days=1))}–{_day(one.ends)}: {text}"


def _day(day: date) -> str:
    return f"{day:%d/%m}" if language() == "pt-BR" else f"{day:%d} {_MONTHS[day.month - 1]}"


def _rows(counts: Mapping[State, int]) -> Iterator[str]:
    words = Words(language())
    if not any(counts.values()):
        return
    yield from bar(counts)
    yield '<ul class="legend">'
    for state in State:
        if counts[state]:
            yield f"<li>{dot(state)}{escape(words.rows_in(state, counts[state]))}</li>"
    yield "</ul>"


def _quota(used: float) -> Iterator[str]:
    text = escape(_("{share} of the quota used", share=f"{used:.0%}"))
    width = f"{min(used, 1.0):.0%}"
    yield f'<p class="quota"><span class="meter"><span style="width: {width}"></span></span>'
    yield f"{text}</p>"


def _quota_used(runs: Sequence[RunStatus]) -> float | None:
    """The share of the quota used by all of them; None if unknown for all."""
    known = [(run.requests, run.quota_used) for run in runs if run.requests and run.quota_used]
    allowed = sum(requests / share for requests, share in known)
    return sum(requests for requests, _share in known) / allowed if known else None


def _job(status: JobStatus, *, alone: bool) -> Iterator[str]:
    run = status.run
    yield f'<div class="job"><h3>{_mark(_kind(status))} {escape(name(status))}</h3>'
    facts = [answer(status), age(status), *(Path(f).name[:80] for f in (run.files if run else ()))]
    if run and run.run_id:
        facts.append(run.run_id)
    yield f'<p class="soft">{escape(" · ".join(filter(None, facts)))}</p>'
    if run is None or status.verdict == FINE:
        yield "</div>"
        return
    if not alone:  # then they belong to the account
        yield from _rows(run.counts)
    for sentence, typed in ((run.next, run.command), *run.then):
        if sentence:
            yield f"<p>{'<br>'.join(escape(sentence).splitlines())}</p>"
        if typed:
            yield f"<pre>{command(typed)}</pre>"
    yield "</div>"


def _kind(status: JobStatus) -> str:
    if status.run is None and status.verdict == FINE:
        return "none"
    return {FINE: "fine", FAILED: "failed"}.get(status.verdict, "rows")


def _mark(kind: str) -> str:
    return f'<span class="mark {kind}" aria-hidden="true">{_MARKS[kind]}</span>'
