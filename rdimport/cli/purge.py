"""`rdimport purge`: forget what old runs knew of people."""

from __future__ import annotations

from datetime import timedelta

from rdimport.cli import resolve
from rdimport.cli.arguments import PurgeArguments
from rdimport.cli.streams import say
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode
from rdimport.core.messages import _, ngettext
from rdimport.ledger import Ledger
from rdimport.ledger.lock import is_locked, nobody_at_work
from rdimport.ledger.upgrade import forget_copies
from rdimport.report.private_files import delete


def execute(args: PurgeArguments) -> int:
    """Forget, but for the runs that are at work; delete reports where it is args where they are."""
    state_dir = resolve.state_dir(args)
    now = SystemClock().now()
    forgotten, reports, copies, shrunk, gone = 0, 0, 0, True, True
    if Ledger.is_there(state_dir):
        with Ledger.open(state_dir) as ledger:
            before = now - timedelta(seconds=args.older_than)
            unfinished = ledger.unfinished()
            at_work = [name for name, account in unfinished if is_locked(state_dir, account)]
            forgotten = ledger.forget(before, now, at_work)
            with nobody_at_work(state_dir) as shrunk:
                if shrunk:
                    ledger.shrink()
            gone = ledger.empty_log()
            copies = forget_copies(state_dir, before)
            if args.report_dir:
                reports = sum(delete(args.report_dir / name) for name in ledger.forgotten())
    lines = [
        ngettext(
            "Forgotten: what {number} run knew of people; younger runs were left alone.",
            "Forgotten: what {number} runs knew of people; younger runs were left alone.",
            forgotten,
        )
    ]
    if args.report_dir:
        lines.append(
            ngettext(
                "Deleted: {number} report of forgotten runs in {folder}.",
                "Deleted: {number} reports of forgotten runs in {folder}.",
                reports,
                folder=args.report_dir,
            )
        )
    else:
        lines.append(_("Their reports are files of their own: --report-dir DIR deletes them too."))
    if copies:
        lines.append(
            ngettext(
                "Deleted: {number} copy of the ledger of an earlier release, which knew them.",
                "Deleted: {number} copies of the ledger of an earlier release, which knew them.",
                copies,
            )
        )
    if not shrunk:
        lines.append(_("A run is at work, so the ledger keeps its size until the next purge."))
    if not gone:
        lines.append(
            _("The ledger is being read, so what was forgotten leaves it with the next purge.")
        )
    say(lines)
    return ExitCode.DONE
