"""`rdimport status`: the results of the latest jobs, and the state of each run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import StatusArguments
from rdimport.cli.screen import job_table
from rdimport.cli.screen.status import one, table
from rdimport.cli.streams import print_error, say, say_json
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode, RdimportError, UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.ledger import Ledger, Store, store_of
from rdimport.report import job_status, run_status
from rdimport.report.job_status import JobStatus
from rdimport.report.job_words import count
from rdimport.report.run_status import RunStatus

if TYPE_CHECKING:
    from rdimport.config import Settings


def execute(args: StatusArguments) -> int:
    """Show what the ledger knows; a missing ledger is not created."""
    if not args.check:
        _tell(args)
        return ExitCode.DONE
    try:
        return job_status.verdict(_tell(args))
    except RdimportError as error:
        print_error(str(error))
        return job_status.UNKNOWN


def _tell(args: StatusArguments) -> list[JobStatus]:
    settings = resolve.settings(args.config)
    statuses: list[JobStatus] = []
    runs: list[RunStatus] = []
    ledgers: list[Ledger] = []
    stores, named = _stores(args, settings), resolve.names_ledger(args)
    with ExitStack() as stack:
        for store in stores:
            ledger = store.if_there()
            if ledger is None:
                continue
            ledgers.append(stack.enter_context(ledger))
            # commands for the usual place need no options
            location_options = store.location_options if settings or named else ()
            statuses += _jobs(args, ledger, store, location_options)
            runs += _runs(args, ledger, store, location_options)
        if args.run and not runs:
            where = " or ".join(str(store) for store in stores)
            raise UsageError(
                _("The ledger in {where} contains no run {run}.", where=where, run=args.run),
                _("Type: rdimport status"),
            )
        if settings:
            statuses += _never_ran(args, settings, statuses)
        chosen = [status for status in statuses if _is_wanted(args, status.account, status.job)]
        if args.html:
            from rdimport.report.html import status_page  # noqa: PLC0415  only --html needs it

            wanted = partial(_is_wanted, args)
            status_page.write(args.html, chosen, ledgers, SystemClock().now(), wanted=wanted)
    runs = [run for run in runs if _is_wanted(args, run.account, run.job)]
    _show(args, chosen, runs, stores[0], whole=len(stores) == 1 and settings is None)
    return chosen


def _stores(args: StatusArguments, settings: Settings | None) -> list[Store]:
    """The ledgers to read: that of the options, otherwise those of the jobs."""
    if args.state_dir or resolve.ledger(args) or settings is None or not settings.jobs:
        return [resolve.store(args)]
    usual = resolve.store(args)
    named = resolve.names_ledger(args)
    return list(dict.fromkeys(_store(settings, job, usual, named=named) for job in settings.jobs))


def _store(settings: Settings, job: str, usual: Store, *, named: bool) -> Store:
    """The ledger of a job: that of the state directory if the environment has `named` one."""
    shared, state_dir = (settings.value(job, key)[0] for key in ("ledger", "state_dir"))
    if shared:
        return store_of(shared, keys.of_ledger())
    return (
        store_of(settings.path(state_dir), keys.of_ledger()) if state_dir and not named else usual
    )


def _jobs(
    args: StatusArguments, ledger: Ledger, store: Store, location_options: tuple[str, ...]
) -> list[JobStatus]:
    now = SystemClock().now()
    return list(
        job_status.jobs(
            ledger,
            store.is_held,
            now=now,
            since=None if args.since is None else now - timedelta(seconds=args.since),
            max_age=args.max_age,
            location_options=location_options,
            report_dir=args.report_dir,
        )
    )


def _runs(
    args: StatusArguments, ledger: Ledger, store: Store, location_options: tuple[str, ...]
) -> Iterator[RunStatus]:
    if args.run is not None and not ledger.knows_run(args.run):
        return
    yield from run_status.runs(
        ledger,
        store.is_held,
        [args.run] if args.run else ledger.latest(run_status.LATEST),
        location_options=location_options,
        report_dir=args.report_dir,
    )


def _never_ran(
    args: StatusArguments, settings: Settings, statuses: list[JobStatus]
) -> Iterator[JobStatus]:
    known = {(fold(status.account), status.job) for status in statuses}
    for job, entry in settings.jobs.items():
        account = settings.account_of(job)[0]
        if (fold(account), job) not in known and args.since is None:
            yield job_status.never_run(account, job, entry.mapping, max_age=args.max_age)


def _is_wanted(args: StatusArguments, account: str, job: str) -> bool:
    if args.account is not None and fold(account) != fold(args.account):
        return False
    return args.job is None or fnmatchcase(job, args.job)


def _show(
    args: StatusArguments,
    statuses: list[JobStatus],
    runs: list[RunStatus],
    store: Store,
    *,
    whole: bool,
) -> None:
    """Print the status. `whole`: one ledger with all of its jobs."""
    if args.json:
        say_json(
            {
                "jobs": [status.as_json() for status in statuses],
                "runs": [run.as_json() for run in runs],
            }
        )
    elif args.html:
        say([*([count(statuses)] if statuses else []), _("The page is in {path}.", path=args.html)])
    elif args.run:
        say(one(runs[0]))
    elif (
        whole
        and not args.check
        and len(statuses) < 2
        and all(s.run and s.run.run_id for s in statuses)
    ):
        say(table(runs, str(store)))  # a single list: its runs are more informative
    elif statuses:
        say(job_table.lines(statuses))
    else:
        say([_("No runs were found in {place}.", place=store)])
