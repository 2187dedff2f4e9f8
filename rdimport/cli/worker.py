"""`rdimport worker`: takes jobs from the queue of a shared ledger."""

from __future__ import annotations

import os
from datetime import datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final

from rdimport.cli import fleet_needs, keys, one_job, resolve
from rdimport.cli.arguments import WorkerArguments
from rdimport.cli.streams import flush_output, print_error, say
from rdimport.core.bugs import stack
from rdimport.core.errors import ExitCode, OutputError, RdimportError, is_unexpected
from rdimport.core.events import Event, SendingFinished, SendingStarted
from rdimport.core.messages import _

if TYPE_CHECKING:
    from rdimport.config import Settings
    from rdimport.delivery.stopping import StopRequest
    from rdimport.fleet import After, JobEnd, Place, ScheduledJob

_LEASES_LAST: Final = 60.0
"""Seconds for which a job waits for its account: the lease of a killed worker lasts half a minute.
"""


def execute(args: WorkerArguments) -> int:
    """Run jobs as they become due, until a signal or `fleet drain`."""
    with fleet_needs.outages_pass():
        return _execute(args)


def _execute(args: WorkerArguments) -> int:
    from rdimport.report.private_files import cleaned_once  # noqa: PLC0415

    fleet = fleet_needs.library()
    settings = resolve.needed_settings(args.config)
    url = fleet_needs.needed_ledger(args, settings)
    os.environ["RDIMPORT_LEDGER"] = url  # each job finds it there
    fleet_needs.refuse_pooler(url)
    plans = _plans(settings)
    store = fleet_needs.store(url)
    store.open().__exit__()  # checks its key, its tables, and the database's durability
    worker = fleet.Worker(
        url,
        args.slots,
        plans,
        partial(_run_job, settings, Lock(), quiet=args.quiet),
        on_end=_tell,
        on_stranger=_tell_left,
        on_trouble=print_error,
    )
    if not args.quiet:
        say([_("Worker {name} takes jobs from {where}.", name=worker.name, where=store)])
        flush_output()
    with fleet_needs.queue_explained(url), cleaned_once():
        worker.run(once=args.once)
    if not args.quiet:
        say([_("Worker {name} has ended.", name=worker.name)])
    return ExitCode.DONE


def _run_job(
    settings: Settings, printing: Lock, job: str, stop: StopRequest, place: Place, *, quiet: bool
) -> JobEnd:
    """Run a job and print how it ended, while no other thread is `printing`."""
    seen = partial(_sends, place)
    try:
        ended = one_job.run_and_notify(settings, job, stop, wait=_LEASES_LAST, on_event=seen)
    except RdimportError as error:  # its arguments are invalid
        print_error(f"{job}: {error}")
        return _as_end_of(error)
    except BaseException as error:  # a bug: show its traceback, and go on with other jobs
        if not is_unexpected(error):
            raise
        print_error(f"{job}: {stack(keys.MASK)}")
        return _as_end_of(RdimportError(job).with_code(ExitCode.BUG))
    with printing:
        try:
            one_job.show(ended, quiet=quiet)
            flush_output()
        except OutputError as error:  # it does not change what follows
            print_error(f"{job}: {error}")
    return _as_end(ended)


def _sends(place: Place, event: Event) -> None:
    if isinstance(event, SendingStarted):
        place.leave()
    elif isinstance(event, SendingFinished):
        place.take()


def _plans(settings: Settings) -> list[ScheduledJob]:
    """The jobs. Raises UsageError for a job with an invalid `every`."""
    from rdimport.fleet import ScheduledJob, is_time  # noqa: PLC0415

    found = []
    for job, entry in settings.jobs.items():
        one_job.see_schedule(settings, job, is_time)
        moves = settings.value(job, "max_duration")[0] is None
        found.append(ScheduledJob(job, settings.account_of(job)[0], entry.every, moves))
    return found


def _as_end(ended: one_job.Ended) -> JobEnd:
    from rdimport.fleet import JobEnd  # noqa: PLC0415

    if ended.result is None:
        return JobEnd(ended.code, error=ended.error)
    summary = ended.result.summary
    at = datetime.fromisoformat(summary.resume_at) if summary.resume_at else None
    return JobEnd(ended.code, summary.stopped_because, at)


def _as_end_of(error: RdimportError) -> JobEnd:
    from rdimport.fleet import JobEnd  # noqa: PLC0415

    return JobEnd(error.exit_code, error=error)


def _tell_left(job: str) -> None:
    print_error(
        _(
            "{job}: is not in the settings of this worker, and is left to others. A worker reads "
            "them when it starts.",
            job=job,
        )
    )


def _tell(job: str, after: After) -> None:
    """Report what follows the end of a job, if that is unexpected."""
    from rdimport.fleet import Next  # noqa: PLC0415

    if after.next is Next.AGAIN and after.at is not None:
        at = f"{after.at.astimezone():%Y-%m-%d %H:%M:%S}"
        print_error(_("{job}: continues at {at}, or when its account is free.", job=job, at=at))
    elif after.next is Next.PERSON:
        print_error(_("{job}: waits for a person, or for its next turn.", job=job))
    elif after.next is Next.REST:
        print_error(
            _(
                "{job}: its ledger cannot be trusted, so its account is paused. Once that "
                "is resolved: rdimport fleet resume ACCOUNT",
                job=job,
            )
        )
