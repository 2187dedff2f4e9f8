"""`rdimport forget`: erase people from ledger, reports and logs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from rdimport import api
from rdimport.cli import resolve
from rdimport.cli.arguments import ForgetArguments
from rdimport.cli.streams import say
from rdimport.core.errors import ExitCode, LedgerBusyError, UsageError
from rdimport.core.looking import is_missing
from rdimport.core.messages import _, ngettext
from rdimport.core.people import People
from rdimport.ledger import Erased, Ledger, Store
from rdimport.prepare.clean.email import TYPOS
from rdimport.report import write_report
from rdimport.report.private_files import clean, delete, seen_in
from rdimport.report.traces import Gone, names_people, remove_traces


def execute(args: ForgetArguments) -> int:
    """Erase people if no run is active; prints what could not be erased."""
    people = People(_spelt(_addresses(args.emails)))
    if not people.emails:  # the list expected on standard input was not there
        raise UsageError(
            _("No address was given, so nothing was erased."),
            _("Type complete addresses, or - to read them from standard input."),
        )
    state_dir, store = resolve.state_dir(args), resolve.store(args)
    if args.report_dir:
        seen_in(args.report_dir)  # a name that cannot be one is refused before anything is erased
    with ExitStack() as stack:
        ledger = None
        erased, on_disk = Erased(), True
        if store.is_there():
            ledger = stack.enter_context(store.open())
            if not stack.enter_context(store.nobody_at_work()):
                raise _busy(store)
            erased = ledger.people.erase(people, also_hash=args.also_hash)
            on_disk = ledger.people.empty_log()
        places = [state_dir, *_report_dirs(args, ledger)]
        for place in places[1:]:
            clean(place)
        gone = remove_traces(places, people, erased.runs)
        again = [_written_again(folder, ledger, people, args) for folder in gone.reports]
    left = [*erased.left, *gone.left]
    if ledger is None:  # perhaps its folder's name was mistyped
        say([_("There is no ledger in {source}.", source=store)])
    say(_lines(args, erased, gone, sum(again)))
    for path in left:
        say([_("It cannot be erased from {path}: remove it by hand.", path=path)])
    if not on_disk:
        raise LedgerBusyError(
            _("The ledger is being read, so what was erased is still in its file."),
            _("Type the same command again when nobody is reading it."),
        )
    return ExitCode.FAILED_ROWS if left else ExitCode.DONE


def _addresses(typed: Sequence[str]) -> Iterator[str]:
    """The addresses given; `-` reads them from standard input, not from a shell's history."""
    for word in typed:
        for email in sys.stdin.read().split() if word == "-" else [word]:
            local, at, domain = email.strip().partition("@")
            if not (local and at and "." in domain):
                raise UsageError(
                    _("One of the words is not an e-mail address, so nothing was erased."),
                    _("Type complete addresses, or - to read them from standard input."),
                )
            yield email


def _spelt(emails: Iterator[str]) -> Iterator[str]:
    """Each address, and the misspellings that a run would have corrected to it."""
    for email in emails:
        local, _, domain = email.strip().lower().rpartition("@")
        yield email
        yield from (f"{local}@{slip}" for slip, right in TYPOS.items() if right == domain)


def _report_dirs(args: ForgetArguments, ledger: Ledger | None) -> list[Path]:
    """The given folder, otherwise the report folders of all runs in the ledger."""
    if args.report_dir or ledger is None:
        return [args.report_dir or api.REPORT_DIR]
    return [folder for folder in ledger.people.report_dirs() if not is_missing(folder)]


def _written_again(
    folder: Path, ledger: Ledger | None, people: People, args: ForgetArguments
) -> bool:
    """Write a report again without the people, if the ledger allows it.

    The cells of rows in flight when a run was killed come from the list itself. If that still
    contains the people, no report is written.
    """
    if ledger is None or folder.name not in ledger.people.remembered():
        return False
    run = ledger.run(folder.name)
    write_report(run, folder.parent, lang=args.lang, full=args.full_report)
    if names_people(folder, people):
        delete(folder)
        return False
    return True


def _lines(args: ForgetArguments, erased: Erased, gone: Gone, again: int) -> Iterator[str]:
    yield ngettext(
        "Erased: {number} row of the ledger, with all its cells.",
        "Erased: {number} rows of the ledger, with all their cells.",
        erased.rows,
    )
    if gone.reports:
        yield ngettext(
            "Deleted: {number} report that contained them; {again} rewritten without them.",
            "Deleted: {number} reports that contained them; {again} rewritten without them.",
            len(gone.reports),
            again=again,
        )
    yield from (_("Erased from the log {path}.", path=path) for path in gone.logs)
    yield from (_("Deleted: {path}, a copy of the ledger.", path=path) for path in erased.copies)
    if args.also_hash:
        yield ngettext(
            "Deleted: the hash of {number} conversion. If that person is on a list "
            "again, they are sent again.",
            "Deleted: the hashes of {number} conversions. If those people are on a list "
            "again, they are sent again.",
            erased.hashes,
        )
    else:
        yield _("Kept: the keyed hashes, so that nobody is sent again (--also-hash deletes them).")
    yield _("Not touched: your own lists, copies elsewhere, and RD Station itself.")


def _busy(store: Store) -> LedgerBusyError:
    return LedgerBusyError(
        _("A run is using the ledger in {state_dir}.", state_dir=store),
        _("Nothing was erased. Try again later: exit code 75 tells cron so."),
    )
