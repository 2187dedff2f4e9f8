"""The output of `rdimport status`: did the last job work?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rdimport.cli.screen import layout
from rdimport.cli.screen.layout import counts, printable, wrapped
from rdimport.core.messages import _, language, untranslated
from rdimport.core.messages.written import second, short
from rdimport.core.row import FAILED, State
from rdimport.core.stop import AS_ASKED
from rdimport.report.run_status import RunStatus
from rdimport.report.stop_reason import in_short
from rdimport.report.words import Words

_WHERE: Final = {
    "running": "where.running",
    "finished": "where.finished",
    "stopped": "where.stopped",
    "failed": "where.failed",
    "killed": "where.killed",
}
"""How a run ended, by its state in the ledger."""

_HEADINGS: Final = {
    "Run": untranslated("Run"),
    "started": untranslated("started"),
    "took": untranslated("took"),
    "where": untranslated("where"),
    "to": untranslated("to"),
    "rows": untranslated("rows"),
    "failed": untranslated("failed"),
    "left": untranslated("left"),
}

_LEFT: Final = ("Run", "started", "where", "to")
"""Text columns, aligned left; numbers and times are aligned right."""

_SPARE: Final = ("took", "to", "rows", "started")
"""Columns omitted on a narrow terminal, the first ones first."""


def table(runs: Sequence[RunStatus], store: str) -> Iterator[str]:
    """The latest run that was not a trial, in full, then a line for each run, newest first."""
    if not runs:
        yield from wrapped(_("There have been no runs in {state_dir} yet.", state_dir=store))
        return
    yield from one(next((run for run in runs if not run.local), runs[0]))
    yield ""
    rows = [[_(text) for text in _HEADINGS.values()]]
    rows += map(_cells, runs)
    names = list(_HEADINGS)
    right = [at for at, name in enumerate(names) if name not in _LEFT]
    yield from layout.table(rows, right, [names.index(name) for name in _SPARE])


def _cells(run: RunStatus) -> list[str]:
    """A line of the table, as in `_HEADINGS`."""
    rows = run.counts
    to = printable(run.account, 7)
    if run.local:
        to = "sandbox" if run.sandbox else "local"
    return [
        run.run_id,
        short(run.started_at),
        Words(language()).duration(run.seconds) if run.seconds is not None else "",
        Words(language())(_WHERE[run.where]),
        to,
        str(sum(rows.values())),
        str(sum(rows[state] for state in FAILED)),
        str(rows[State.PENDING]),
    ]


def one(run: RunStatus) -> Iterator[str]:
    """One run in full."""
    words = Words(language())
    yield from wrapped(f"{_answer(run)} {words('run', run=run.run_id)}")
    where = _("account {account}", account=run.account)
    if run.sandbox:
        where = _("a sandbox of its own")
    elif run.local:
        where = _("account {account} on this machine (local)", account=run.account)
    files = ", ".join(printable(name, 80) for name in run.files) or _("no file")
    yield from wrapped(_("{files}, to {where}", files=files, where=where))
    parts = [_("started {moment}", moment=second(run.started_at)), words(_WHERE[run.where])]
    if run.where == "stopped" and (why := in_short(run.stopped_because, language())):
        parts[-1] += f" ({why})"
    if run.seconds is not None:
        parts.append(_("took {time}", time=words.duration(run.seconds)))
    if run.quota_used is not None:
        parts.append(_("{share} of the quota used", share=f"{run.quota_used:.0%}"))
    yield from wrapped(", ".join(parts))
    yield from counts(run.counts, 0, words)
    for sentence, command in ((run.next, run.command), *run.then):
        if sentence:
            yield from wrapped(sentence)
        if command:
            yield f"  {command}"  # not wrapped, so that it can be pasted


def _answer(run: RunStatus) -> str:
    if run.where == "running":
        return _("It is in progress.")
    if run.where == "failed":
        return _("It did not work: nothing was sent.")
    if run.stopped_because in AS_ASKED:
        return _("It sent as many rows as asked.")
    if run.counts[State.PENDING] or run.where != "finished":
        return _unfinished(run)
    if any(run.counts[state] for state in FAILED):
        return _("It worked, except for some rows.")
    return _("It worked: every row has arrived.")


def _unfinished(run: RunStatus) -> str:
    if run.where == "killed" and run.read_to_end and not run.counts[State.PENDING]:
        return _("Its end is not recorded.")
    return _("It did not finish.")
