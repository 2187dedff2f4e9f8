"""Judge concurrent runs of one account, as one run and each by itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from .books import Start
from .checker import FAILED, STATES, Checker, Ended, Run, in_doubt
from .endpoint import ACCEPTED, Receipt
from .oracle import DOUBT, NEVER, Past, again, wanted
from .rows import Key

NOTHING_SENT = (2, 75)


def judge(checker: Checker, start: Start, ends: Mapping[int, Ended]) -> None:
    """Check all that can be known after them; `ends` are by process."""
    checker.at(f"runs {start.number} that competed")
    before, checker.books = checker.books.known, checker.read()
    for key in checker.books.twice:
        checker.must(False, f"the ledger knows {key} twice")
    for name in checker.books.strangers:
        checker.must(False, f"run {name} was at work, and nobody had started it")
    got = checker.received(lambda receipt: receipt.round == start.number)
    history = checker.received(lambda receipt: receipt.round < start.number)
    payloads = start.payloads()
    want = {
        key: wanted(
            start.turn, in_doubt(before.get(key, NEVER)), history.get(key, []), rows, frozenset()
        )
        for key, rows in payloads.items()
    }
    died = Ended(-9, None, "", hung=False, interrupted=None)
    run = Run(start, died, before, checker.books, want, got, machines=len(ends))
    for key, receipts in got.items():
        _sent_once(checker, run, receipts, history.get(key, []))
    checker.ledger_is_true(run)
    sheets = frozenset(sheet.name for sheet in start.sheets)
    checker.past[start.turn.account].append(Past(start.number, (), sheets, ended=False))
    for process, ended in ends.items():
        _alone(checker, run, process, ended)
    checker.counts["runs"] += len(ends)
    checker.counts["runs that competed"] += len(ends)
    checker.counts["rows"] += len(ends) * sum(len(sheet.rows) for sheet in start.sheets)


def _sent_once(checker: Checker, run: Run, receipts: list[Receipt], before: list[Receipt]) -> None:
    """The first request for a row was wanted; each later one only if those before it did not
    arrive, or if another row stands for the person too: one was refused, or changed rows are sent
    again.
    """
    key = receipts[0].key
    want, known = run.wanted.get(key), f"{key.email}, known as {run.was(key)}"
    if want is None:
        checker.must(False, f"{known}, is not in the input, and was sent")
        return
    first = receipts[0]
    checker.must(first.payload in want.may, f"{known}, was sent as {first.payload}")
    for at, (earlier, later) in enumerate(pairwise(receipts), start=1):
        may = again(run.start.turn, receipts[:at], before, run.start.payloads()[key])
        fine = may is None or later.payload in may
        checker.must(fine, f"{known}, was sent again after: {earlier.fault}")


def _alone(checker: Checker, run: Run, process: int, ended: Ended) -> None:
    """What one of them reported is true of it."""
    checker.at(f"runs {run.start.number} that competed, process {process}, code {ended.code}")
    checker.well_behaved(ended)
    books = checker.books
    name = next((name for name, one in books.processes.items() if one == process), "")
    mine = books.by.get(name, Counter())
    checker.counts[f"competed, and ended with {ended.code}"] += 1
    if ended.code in NOTHING_SENT:
        checker.must(not mine, f"it says that nothing was sent, and the ledger says {dict(mine)}")
    if ended.summary is None:
        fine = (*NOTHING_SENT, 3, -9)
        checker.must(ended.code in fine, f"no summary, code {ended.code}: {ended.err[-900:]}")
        return
    summary = ended.summary
    counts = {state: summary[state] for state in STATES}
    checker.must(sum(counts.values()) == summary["rows"], f"{counts} do not add up")
    whole = summary["rows"] == sum(len(sheet.rows) for sheet in run.start.sheets)
    failed = any(summary[state] for state in FAILED)
    code = 3 if summary["pending"] or not whole else 1 if failed else 0
    checker.must(ended.code in (code, 3), f"exit code {ended.code} for {summary}")
    _figures_are_true(checker, summary, mine, sent_over(run.got))
    if whole:
        checker.failures_are_true(run, summary, counts, None)


def sent_over(got: Mapping[Key, list[Receipt]]) -> int:
    """How many requests came for conversions that were already accepted: changed rows, as
    `_sent_once` has checked. Such a conversion counts for the run that sent it last.
    """
    later = 0
    for receipts in got.values():
        accepted = [one.fault in ACCEPTED and one.answered for one in receipts]
        later += len(receipts) - accepted.index(True) - 1 if any(accepted) else 0
    return later


def _figures_are_true(
    checker: Checker, summary: dict[str, Any], mine: Counter[str], sent_over: int
) -> None:
    text = (checker.home / summary["summary_json"]).read_text(encoding="utf-8")
    checker.must(json.loads(text) == summary, "summary.json is not what was printed")
    fits = 0 <= summary["accepted"] - mine["accepted"] <= sent_over
    checker.must(fits, f"{summary['accepted']} accepted, and the ledger says {dict(mine)}")
    doubt = sum(mine[state] for state in DOUBT)
    fits = summary["uncertain"] >= doubt
    checker.must(fits, f"{summary['uncertain']} uncertain, and the ledger says {dict(mine)}")
    checker.must(
        summary["requests"] <= summary["retries"] + summary["rows"],
        f"{summary['requests']} requests",
    )
