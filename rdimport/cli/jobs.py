"""`rdimport jobs`: list, check and run the jobs of `rdimport.toml`."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rdimport.cli import after_jobs, inbox, one_run, resolve
from rdimport.cli.arguments import JobsArguments, RunArguments
from rdimport.cli.interrupts import on_signals
from rdimport.cli.one_job import (
    Ended,
    arguments,
    effective,
    run_and_notify,
    see_schedule,
    show,
    station,
    worst,
)
from rdimport.cli.screen import jobs as screen
from rdimport.cli.screen.check import unrecognised
from rdimport.cli.streams import flush_output, print_error, say, say_json
from rdimport.config import Settings
from rdimport.core import values
from rdimport.core.address import masked
from rdimport.core.errors import ExitCode, RdimportError, SourceError, UsageError
from rdimport.core.messages import _, language
from rdimport.core.names import did_you_mean
from rdimport.core.row import State
from rdimport.report.words import Words

if TYPE_CHECKING:
    from rdimport import RDStation
    from rdimport.delivery.stopping import StopRequest

_LOOKS_EVERY: Final = 1.0
"""Seconds after which the main thread looks for signals."""

_T = TypeVar("_T")


def execute(args: JobsArguments) -> int:
    """Apply the action to the given jobs."""
    settings = resolve.needed_settings(args.config)
    chosen = _chosen(settings, args.names)
    if args.action == "list":
        return _list(settings, chosen, args)
    return (_check if args.action == "check" else _run)(settings, chosen, args)


def _chosen(settings: Settings, names: Sequence[str]) -> list[str]:
    """The jobs with these names or patterns, in the order of the file; all if none are given.

    Raises UsageError for a name or pattern without a match, and if there are no jobs.
    """
    if not settings.jobs:
        raise UsageError(
            _("The settings have no jobs."), _("Write a table [jobs.NAME]; docs/jobs.md.")
        )
    wanted: set[str] = set()
    for name in names:
        fitting = [job for job in settings.jobs if fnmatchcase(job, name)]
        if not fitting:
            best = did_you_mean(name, settings.jobs)
            hint = _("There are: {jobs}.", jobs=", ".join(settings.jobs))
            if best:
                hint = _("Did you mean {name}?", name=best)
            raise UsageError(_("No job is called {name}.", name=name), hint)
        wanted.update(fitting)
    return [job for job in settings.jobs if job in wanted or not names]


def _list(settings: Settings, chosen: Sequence[str], args: JobsArguments) -> int:
    if args.json:
        say_json({"jobs": [_as_json(settings, job) for job in chosen]})
    else:
        say(screen.table(settings, chosen))
    return ExitCode.DONE


def _as_json(settings: Settings, job: str) -> dict[str, Any]:
    entry = settings.jobs[job]
    return {
        "job": job,
        "account": settings.account_of(job)[0],
        "files": [masked(settings.word(file)) for file in entry.files],
        "mapping": str(settings.path(entry.mapping)),
    }


def _check(settings: Settings, chosen: Sequence[str], args: JobsArguments) -> int:
    """Check each job as it would run tonight, without sending."""
    looks = [_check_job(settings, job) for job in chosen]
    if args.json:
        jobs = [_as_json(settings, look.job) | look.as_json() for look in looks]
        say_json({"jobs": jobs})
    else:
        say(screen.checked(settings, looks))
    return worst([look.code for look in looks])


def _check_job(settings: Settings, job: str) -> screen.Look:
    """Check a job; the lists of an inbox one by one, as they are imported."""
    args, entry = arguments(settings, job), settings.jobs[job]
    if not (entry.move_done or entry.move_failed):
        return _check_lists(settings, job, args)
    try:
        waiting = list(inbox.waiting([settings.path(file) for file in entry.files]))
    except SourceError:  # its folder may not be listed: a check of all its files reports that
        return _check_lists(settings, job, args)
    looks = [
        _check_lists(settings, job, values.replace(args, files=(str(one.path),))) for one in waiting
    ]
    if not looks:
        return _check_without_list(settings, job, args)
    return replace(
        looks[0],
        code=worst([look.code for look in looks]),
        trouble="\n".join(look.trouble for look in looks if look.trouble),
        rows=sum(look.rows for look in looks),
        to_send=sum(look.to_send for look in looks),
        seconds=sum(look.seconds or 0.0 for look in looks) or None,
        ends=_together([look.ends for look in looks]),
        problems=_together([look.problems for look in looks]),
        left_out=sum(look.left_out for look in looks),
    )


def _together(counts: Sequence[Mapping[_T, int]]) -> Mapping[_T, int]:
    found = Counter[_T]()
    for one in counts:
        found.update(one)
    return found


def _ready(settings: Settings, job: str, args: RunArguments) -> RDStation:
    """The destination of a job's rows. Raises UsageError if its settings prevent a run."""
    if settings.jobs[job].every:
        with suppress(ImportError):  # without these libraries, no worker runs here
            from rdimport.fleet import is_time  # noqa: PLC0415

            see_schedule(settings, job, is_time)
    return station(settings, job, args)


def _check_without_list(settings: Settings, job: str, args: RunArguments) -> screen.Look:
    """Check the key and the mapping of a job whose inbox is empty."""
    from rdimport.mapping import Mapping  # noqa: PLC0415  it costs polars

    look = partial(screen.Look, job, settings.account_of(job)[0], tuple(effective(settings, job)))
    try:
        _ready(settings, job, args)
        Mapping.load(args.mapping)
    except RdimportError as error:
        return look(ExitCode(error.exit_code), trouble=str(error))
    return look(ExitCode.DONE, trouble=_("No list was waiting."))


def _check_lists(settings: Settings, job: str, args: RunArguments) -> screen.Look:
    look = partial(screen.Look, job, settings.account_of(job)[0], tuple(effective(settings, job)))
    try:
        done = one_run.check(args, args.mapping, _ready(settings, job, args))
    except RdimportError as error:
        return look(ExitCode(error.exit_code), trouble=str(error))
    book = partial(
        look, done.exit_code, rows=done.rows, problems=done.by_code, left_out=done.left_out
    )
    ends = {state: rows for state, rows in done.counts.items() if state is not State.PENDING}
    if done.unrecognised:
        return book(ends=ends, trouble="\n".join(unrecognised(done, Words(language()))))
    return book(ends=ends, to_send=done.to_send, seconds=done.seconds)


def _run(settings: Settings, chosen: Sequence[str], args: JobsArguments) -> int:
    """Run the jobs of one account sequentially, those of different accounts concurrently."""
    from rdimport.delivery.stopping import StopRequest  # noqa: PLC0415
    from rdimport.report.private_files import cleaned_once  # noqa: PLC0415

    by_account: defaultdict[str, list[str]] = defaultdict(list)
    for job in chosen:
        by_account[settings.account_of(job)[0]].append(job)
    for store in {resolve.store(arguments(settings, job)) for job in chosen}:
        with suppress(RdimportError):  # the job that opens it reports the error
            store.bring_up()  # only once, or the first job would delay the others
    ended: list[Ended] = []
    stop = StopRequest()
    speaking = Lock()

    def of_account(jobs: Sequence[str]) -> None:
        for job in jobs:
            if stop.is_set():
                return
            one = run_and_notify(settings, job, stop)
            with speaking:
                ended.append(one)
                if not args.json:
                    show(one, quiet=args.quiet)

    with cleaned_once(), _stopping(stop), ThreadPoolExecutor(len(by_account)) as accounts:
        _finish([accounts.submit(of_account, jobs) for jobs in by_account.values()])
    _write_metrics(settings, args)
    left = [job for job in chosen if job not in {one.job for one in ended}]
    codes = [one.code for one in ended] + [ExitCode.STOPPED for _job in left]
    if args.json:
        jobs = [one.as_json() for one in sorted(ended, key=lambda one: chosen.index(one.job))]
        say_json({"jobs": jobs, "not_started": left, "exit_code": int(worst(codes))})
    elif left:
        print_error(_("stopped; not started: {jobs}", jobs=", ".join(left)))
    flush_output()
    return worst(codes)


def _finish(running: Sequence[Future[None]]) -> None:
    """Wait for all; a signal that reaches another thread does not end a wait of the main one."""
    while wait(running, _LOOKS_EVERY).not_done:
        pass
    for future in running:
        future.result()


def _write_metrics(settings: Settings, args: JobsArguments) -> None:
    named = settings.defaults.metrics_file
    path = args.metrics_file or (settings.path(named) if named else None)
    if path is not None:
        stores = [resolve.store(arguments(settings, job)) for job in settings.jobs]
        after_jobs.write_metrics(path, stores)


def _stopping(stop: StopRequest) -> AbstractContextManager[None]:
    """Stop all jobs in an orderly way on the first signal, and at once on the second."""
    from rdimport.core.stop import StopReason  # noqa: PLC0415
    from rdimport.delivery.stopping import stop_signals  # noqa: PLC0415

    def asked(*_: object) -> None:
        if stop.is_set():
            os._exit(ExitCode.STOPPED)
        stop.stop(StopReason.SIGNAL)

    return on_signals(stop_signals(), asked)
