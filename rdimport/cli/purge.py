"""`rdimport purge`: remove the personal data of old runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rdimport.cli import resolve
from rdimport.cli.arguments import PurgeArguments
from rdimport.cli.streams import say
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode
from rdimport.core.messages import _, ngettext
from rdimport.ledger import Store
from rdimport.report.private_files import clean, delete, seen_in


class _Gone(NamedTuple):
    """What was removed, and whether the ledger could be shrunk and its log emptied."""

    runs: int = 0
    reports: int = 0
    copies: int = 0
    shrunk: bool = True
    emptied: bool = True


def execute(args: PurgeArguments) -> int:
    """Purge all but active runs; delete their reports if --report-dir is given."""
    store = resolve.store(args)
    if args.report_dir:
        seen_in(args.report_dir)  # a name that cannot be one is refused before anything is deleted
    if not store.is_there():  # before the first run, or its folder's name was mistyped
        say([_("There is no ledger in {source}.", source=store)])
    say(_lines(args, _forget(args, store), store.put_away()))
    return ExitCode.DONE


def _forget(args: PurgeArguments, store: Store) -> _Gone:
    now = SystemClock().now()
    before = now - timedelta(seconds=args.older_than)
    if not store.is_there():
        return _Gone()
    with store.open() as ledger:
        unfinished = ledger.unfinished()
        at_work = [name for name, account in unfinished if store.is_held(account)]
        runs = ledger.people.forget(before, now, at_work)
        with store.nobody_at_work() as shrunk:
            if shrunk:
                ledger.people.shrink()
        emptied = ledger.people.empty_log()
        copies = store.forget_copies(before)
        reports = 0
        if args.report_dir:
            reports = sum(delete(args.report_dir / name) for name in ledger.people.forgotten())
            clean(args.report_dir)
    return _Gone(runs, reports, copies, shrunk, emptied)


def _lines(args: PurgeArguments, gone: _Gone, aside: Sequence[Path]) -> Iterator[str]:
    yield ngettext(
        "Deleted: what {number} run recorded about people; more recent runs were not touched.",
        "Deleted: what {number} runs recorded about people; more recent runs were not touched.",
        gone.runs,
    )
    if args.report_dir:
        yield ngettext(
            "Deleted: {number} report of forgotten runs in {folder}.",
            "Deleted: {number} reports of forgotten runs in {folder}.",
            gone.reports,
            folder=args.report_dir,
        )
    else:
        yield _("Their reports are separate files: --report-dir DIR deletes them too.")
    if gone.copies:
        yield ngettext(
            "Deleted: {number} copy of the ledger from an earlier release, which contained them.",
            "Deleted: {number} copies of the ledger from an earlier release, which contained them.",
            gone.copies,
        )
    for folder in aside:
        yield _(
            "Not touched: {folder}, a ledger that was moved aside and may contain data "
            "about people.",
            folder=folder,
        )
    if not gone.shrunk:
        yield _("A run is in progress, so the ledger keeps its size until the next purge.")
    if not gone.emptied:
        yield _(
            "The ledger is being read, so the deleted data leaves its file with the next purge."
        )
