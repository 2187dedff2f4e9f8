"""`rdimport settle`: evidence that uncertain rows arrived, from RD's webhook or an export."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from rdimport.cli import resolve
from rdimport.cli.arguments import SettleArguments
from rdimport.cli.streams import print_error, say, say_json
from rdimport.core.address import shown
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode, ReportError, UsageError
from rdimport.core.looking import is_folder
from rdimport.core.messages import _, ngettext
from rdimport.core.row import State
from rdimport.core.shell import joined
from rdimport.destination.rdstation.endpoint import BASE_URL
from rdimport.ledger import CLOCKS, Ledger, Run
from rdimport.mapping import Mapping as RowMapping
from rdimport.report import summary, write_report
from rdimport.settle.evidence import Evidence, Unread, calls_of, webhook_lines
from rdimport.settle.export import exported
from rdimport.settle.weigh import Declared, Settlement, settle
from rdimport.settle.whose_files import own_name

if TYPE_CHECKING:
    from rdimport.settle.listener import Inbox


def execute(args: SettleArguments) -> int:
    """Settle rows with evidence from files, or from calls as they arrive."""
    _refuse_contradictions(args)
    if args.listen:
        return _listen(args, args.listen)
    unread = Unread()
    done, written, left = _settled(args, lambda: _evidence(args, unread), _declared(args, unread))
    if args.json:
        say_json(_as_json(done, unread))
    elif not args.quiet:
        say([*_lines(done, unread), *_reports(args, left, written)])
    if done.incomplete:
        print_error(done.incomplete)
        return ExitCode.FAILED_ROWS
    return ExitCode.DONE


def _declared(args: SettleArguments, unread: Unread) -> Declared | None:
    """What the options declare about the completeness of an export."""
    if not (args.complete_from and args.complete_until):
        return None
    since, until = (
        at if at.tzinfo else at.replace(tzinfo=args.utc_offset).astimezone()
        for at in (args.complete_from, args.complete_until)
    )
    if since >= until:
        raise UsageError(
            _("--complete-from is not before --complete-until."), _("Correct one of them.")
        )
    if (until - SystemClock().now()).total_seconds() > CLOCKS:
        raise UsageError(
            _("--complete-until is in the future, and what is still to be sent is in no list."),
            _("Give the moment in which the export was made, or an earlier one."),
        )
    source = ", ".join(map(shown, args.files))
    return Declared(since, until, source, unread, args.utc_offset is not None)


def _refuse_contradictions(args: SettleArguments) -> None:
    if bool(args.files) == bool(args.listen):
        raise UsageError(
            _("`settle` takes either files or --listen."),
            _("Type: rdimport settle FILE, or: rdimport settle --listen 127.0.0.1:8091"),
        )
    if bool(args.mapping) != bool(args.moment) or (args.mapping and args.listen):
        raise UsageError(
            _(
                "An export needs both its mapping (-m) and the column of its moments (--moment);"
                " the webhook's calls need neither."
            ),
            _('Type: rdimport settle FILE -m MAPPING --moment "COLUMN"'),
        )
    if bool(args.complete_from) != bool(args.complete_until) or (
        args.complete_from and not args.mapping
    ):
        raise UsageError(
            _(
                "--complete-from and --complete-until go together, and only with an export: "
                "the webhook's calls are never complete."
            ),
            _("Omit them, or name both."),
        )


def _evidence(args: SettleArguments, unread: Unread) -> Iterator[Evidence]:
    if args.mapping and args.moment:
        mapping = RowMapping.load(args.mapping)
        yield from exported(args.files, mapping, args.moment, args.utc_offset, unread)
        return
    for path in map(Path, args.files):
        _refuse_calls_of_others(args, path)
        yield from webhook_lines(path, unread)


def _refuse_calls_of_others(args: SettleArguments, path: Path) -> None:
    """Raise UsageError for a file that the listener of another account has received: its
    conversions prove nothing about people of this one, who may be the same.
    """
    own = calls_of(own_name(resolve.state_dir(args), args.account or "default"))
    if path.name == own or not fnmatchcase(path.name, calls_of("*")):
        return
    if path.absolute().parent.resolve() == resolve.state_dir(args).resolve():
        raise UsageError(
            _("{path} has the calls received for another account.", path=path),
            _("Name that account with --account: its rows are settled, and no others."),
        )


def _settled(
    args: SettleArguments,
    evidence: Callable[[], Iterable[Evidence]],
    declared: Declared | None = None,
) -> tuple[Settlement, dict[str, Path], frozenset[str]]:
    """Settle with some evidence while no run of the account is active. Also returns the reports
    that were rewritten, by run, and the runs whose reports can be written again.
    """
    store, to = resolve.store(args), resolve.station(args, None)
    if not store.is_there():
        raise resolve.no_runs(store)
    store.bring_up()
    with store.hold(to.account), store.open() as ledger:
        number = ledger.evidence.destination_at_rest(to.identity)
        if number is None:
            raise UsageError(
                _(
                    "The ledger has no record of account “{account}” at {address}.",
                    account=to.account,
                    address=to.base_url,
                ),
                _(
                    "Name it with --account and --base-url; rdimport accounts list shows what it"
                    " knows."
                ),
            )
        done = settle(ledger, number, evidence(), declared)
        written = dict(_written_again(args, ledger, number, done.runs))
        return done, written, ledger.people.remembered() & done.runs


def _written_again(
    args: SettleArguments, ledger: Ledger, destination: int, changed: Collection[str]
) -> Iterator[tuple[str, Path]]:
    """Rewrite the reports of the runs that `changed`, in the folders the runs had used, and those
    that an earlier command was killed before rewriting.
    """
    runs = ledger.evidence.proved_runs(destination).union(changed)
    for name in sorted(ledger.people.remembered() & runs):
        run = ledger.run(name)
        reports = Path(run.facts().record.report_dir)
        if not is_folder(reports / name) or not reports.is_absolute():
            continue
        if name in changed or _is_behind(run, reports / name):
            try:
                write_report(run, reports, lang=_language_of(reports / name, args.lang))
            except ReportError as error:  # the rows are settled anyway
                print_error(str(error))
            else:
                yield name, reports / name


def _is_behind(run: Run, folder: Path) -> bool:
    """Whether a report differs from the ledger about the run's uncertain rows."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        written = json.loads((folder / summary.FILE_NAME).read_bytes())
        return bool(written[State.UNCERTAIN] != run.counts()[State.UNCERTAIN])
    return False


def _language_of(folder: Path, otherwise: str) -> str:
    """The language in which a report was written."""
    with suppress(OSError), (folder / "report.html").open("rb") as page:
        found = re.search(rb'<html lang="([\w-]+)">', page.read(200))
        if found:
            return found[1].decode("ascii")
    return otherwise


def _listen(args: SettleArguments, address: tuple[str, int]) -> int:
    from rdimport.settle import listener  # noqa: PLC0415  imports uvicorn

    state_dir = resolve.state_dir(args)
    account = listener.name_of(state_dir, args.account or "default")
    token = listener.token_of(state_dir, account)
    inbox = listener.Inbox(state_dir, account)
    total = Settlement()

    reported: set[str] = set()

    def settle_received() -> None:
        unread = Unread()
        try:
            done, _written, _left = _settled(args, lambda: webhook_lines(inbox.path, unread))
        except UsageError as error:  # such as no run yet: the calls are kept in the file
            if str(error) not in reported:
                reported.add(str(error))
                print_error(str(error))
            return
        total.settled += done.settled
        total.runs |= done.runs
        if done.settled and not args.quiet:
            print_error(_settled_line(done.settled))

    listener.listen(
        address,
        inbox,
        token,
        SystemClock(),
        started=lambda url: None if args.quiet else _greet(url),
        settle=settle_received,
        failed=print_error,
    )
    _show_received(args, inbox, total)
    return ExitCode.DONE


def _show_received(args: SettleArguments, inbox: Inbox, total: Settlement) -> None:
    """Print what a listener has received, and the command that looks it up again."""
    if args.json:
        say_json({"received": inbox.received, "settled": total.settled, "file": str(inbox.path)})
    elif not args.quiet:
        again = joined(["rdimport", "settle", str(inbox.path.absolute()), *_row_options(args)])
        text = ngettext("{number} call received.", "{number} calls received.", inbox.received)
        say([text, _("This looks up again what is still uncertain: {command}", command=again)])


def _row_options(args: SettleArguments) -> Iterator[str]:
    """The options of a command about the same rows."""
    to = resolve.station(args, None)
    yield from ("--base-url", to.base_url) if to.base_url != BASE_URL else ()
    yield from ("--insecure-http",) if args.insecure_http else ()
    yield from ("--account", args.account) if args.account else ()
    yield from resolve.store(args).location_options


def _greet(url: str) -> None:
    print_error(_("Receiving RD's webhook at {url}", url=url))
    print_error(
        _("RD calls https only: put a proxy in front (docs/settle.md). Press Ctrl+C to stop.")
    )


def _settled_line(rows: int) -> str:
    return ngettext(
        "{number} uncertain row did arrive and is now accepted.",
        "{number} uncertain rows did arrive and are now accepted.",
        rows,
    )


def _lines(done: Settlement, unread: Unread) -> Iterator[str]:
    yield ngettext(
        "{number} conversion read, {known} of them known to this ledger.",
        "{number} conversions read, {known} of them known to this ledger.",
        done.read,
        known=done.known,
    )
    yield _settled_line(done.settled)
    if done.usual_delay is not None:
        yield _(
            "They were on the timeline {seconds} s after they were sent (median).",
            seconds=f"{done.usual_delay:.1f}",
        )
    if done.too_old:
        yield ngettext(
            "{number} uncertain row has a conversion of that name from before it was sent, which"
            " proves nothing.",
            "{number} uncertain rows have a conversion of that name from before they were sent,"
            " which proves nothing.",
            done.too_old,
        )
    if total := unread.total():
        yield ngettext(
            "{number} line is not evidence ({why}).",
            "{number} lines are not evidence ({why}).",
            total,
            why=", ".join(f"{why}: {n}" for why, n in unread.items() if n),
        )
    for field, rows, seen in done.missing:
        yield ngettext(
            "“{field}” was sent in {number} row, but none of the conversions seen at RD has "
            "it (of {seen}): check in RD that this field exists with this spelling.",
            "“{field}” was sent in {number} rows, but none of the conversions seen at RD "
            "has it (of {seen}): check in RD that this field exists with this spelling.",
            rows,
            field=field,
            seen=seen,
        )


def _reports(
    args: SettleArguments, runs: Collection[str], written: Mapping[str, Path]
) -> Iterator[str]:
    for name in sorted({*runs, *written}):
        if name in written:
            yield _("Report written: {folder}", folder=written[name])
            continue
        words = joined(["rdimport", "report", name, *resolve.store(args).location_options])
        yield _("To write the report again: {command}", command=words)


def _as_json(done: Settlement, unread: Unread) -> dict[str, object]:
    return {
        "read": done.read,
        "known": done.known,
        "settled": done.settled,
        "too_old": done.too_old,
        "not_complete": done.incomplete or None,
        "unread": {why: number for why, number in unread.items() if number},
        "seconds_to_timeline": done.usual_delay,
        "missing_fields": [one._asdict() for one in done.missing],
        "runs": sorted(done.runs),
    }
