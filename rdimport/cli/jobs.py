"""`rdimport jobs`: list, check and run the jobs of `rdimport.toml`."""

from __future__ import annotations

import os
import signal
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from rdimport.cli import after_jobs, inbox, keys, resolve
from rdimport.cli.arguments import JobsArguments, RunArguments, read
from rdimport.cli.screen import jobs as screen
from rdimport.cli.streams import flush_output, print_error, say, say_json
from rdimport.config import Settings
from rdimport.core import messages
from rdimport.core.address import masked
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode, RdimportError, UsageError
from rdimport.core.events import ignore_events
from rdimport.core.messages import _
from rdimport.core.names import did_you_mean

if TYPE_CHECKING:
    from rdimport import CheckResult, RDStation, RunResult
    from rdimport.delivery.stopping import StopRequest

_WORST_FIRST: Final = (
    ExitCode.BUG,
    ExitCode.NOTHING_SENT,
    ExitCode.STOPPED,
    ExitCode.BUSY,
    ExitCode.FAILED_ROWS,
    ExitCode.DONE,
)
"""Exit codes by priority: several jobs end with the first of these that one of them returned."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a job: a result, or the error that prevented one."""

    job: str
    account: str
    code: ExitCode
    args: RunArguments
    result: RunResult | None = None
    trouble: str = ""
    error: RdimportError | None = None

    def as_json(self) -> dict[str, Any]:
        """A JSON object for scripts."""
        summary = self.result.summary.as_json() if self.result else None
        return {
            "job": self.job,
            "account": self.account,
            "exit_code": int(self.code),
            "error": self.trouble or None,
            "summary": summary,
        }


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
    its = settings.jobs[job]
    return {
        "job": job,
        "account": settings.account_of(job)[0],
        "files": [masked(settings.word(file)) for file in its.files],
        "mapping": str(settings.path(its.mapping)),
    }


def _arguments(settings: Settings, job: str) -> RunArguments:
    """The command-line arguments equivalent to a job. The environment takes precedence over the
    settings.
    """
    words = settings.words(job)
    for variable, option in (
        ("RDIMPORT_STATE_DIR", "--state-dir"),
        ("RDIMPORT_BASE_URL", "--base-url"),
        ("RDIMPORT_LEDGER", "--ledger"),
    ):
        if os.environ.get(variable):
            words = [word for word in words if not word.startswith(f"{option}=")]
    command = read(words)
    if command is None or not isinstance(command.arguments, RunArguments):
        raise UsageError(
            _("Job {job} makes no command.", job=job), _("Look at its files and its mapping.")
        )
    return command.arguments


def _station(settings: Settings, job: str, args: RunArguments) -> RDStation:
    name, account = settings.account_of(job)
    unclear = {int(status): meaning for status, meaning in account.unclear.items()}
    key = keys.of_account(name, account.api_key, settings.path)
    return resolve.station(args, key, unclear, idempotent=account.idempotent)


def _check(settings: Settings, chosen: Sequence[str], args: JobsArguments) -> int:
    """Check each job as it would run tonight, without sending."""
    looks = [_looked_at(settings, job) for job in chosen]
    if args.json:
        jobs = [_as_json(settings, look.job) | look.as_json() for look in looks]
        say_json({"jobs": jobs})
    else:
        say(screen.checked(settings, looks))
    return _worst([look.code for look in looks])


def _looked_at(settings: Settings, job: str) -> screen.Look:
    from rdimport import api  # noqa: PLC0415

    args = _arguments(settings, job)
    account = settings.account_of(job)[0]
    look = partial(screen.Look, job, account, tuple(settings.effective(job)))
    try:
        to = _station(settings, job, args)
        done: CheckResult = api.check(
            args.files,
            args.mapping,
            to=to,
            quota=resolve.quota(args),
            state_dir=resolve.state_dir(args),
            ledger=resolve.ledger(args),
            ledger_key=keys.of_ledger(),
            hints=resolve.hints(args),
            suppress=args.suppress,
            lang=args.lang,
            keep=False,
        )
    except RdimportError as error:
        return look(ExitCode(error.exit_code), trouble=str(error))
    return look(done.exit_code, rows=done.rows, to_send=done.to_send, seconds=done.seconds)


def _run(settings: Settings, chosen: Sequence[str], args: JobsArguments) -> int:
    """Run the jobs of one account sequentially, those of different accounts concurrently."""
    from rdimport.delivery.stopping import StopRequest  # noqa: PLC0415

    by_account: defaultdict[str, list[str]] = defaultdict(list)
    for job in chosen:
        by_account[settings.account_of(job)[0]].append(job)
    for store in {resolve.store(_arguments(settings, job)) for job in chosen}:
        with suppress(RdimportError):  # the job that opens it reports the error
            store.bring_up()  # only once, or the first job would delay the others
    ended: list[Ended] = []
    stop = StopRequest()
    speaking = Lock()

    def of_account(jobs: Sequence[str]) -> None:
        for job in jobs:
            if stop.is_set():
                return
            one = _told_of(settings, job, stop)
            with speaking:
                ended.append(one)
                if not args.json:
                    _show(one, quiet=args.quiet)

    with _stopping(stop), ThreadPoolExecutor(len(by_account)) as accounts:
        for future in [accounts.submit(of_account, jobs) for jobs in by_account.values()]:
            future.result()
    _write_metrics(settings, args)
    left = [job for job in chosen if job not in {one.job for one in ended}]
    codes = [one.code for one in ended] + [ExitCode.STOPPED for _job in left]
    if args.json:
        jobs = [one.as_json() for one in sorted(ended, key=lambda one: chosen.index(one.job))]
        say_json({"jobs": jobs, "not_started": left, "exit_code": int(_worst(codes))})
    elif left:
        print_error(_("stopped; not started: {jobs}", jobs=", ".join(left)))
    flush_output()
    return _worst(codes)


def _told_of(settings: Settings, job: str, stop: StopRequest) -> Ended:
    """Run one job, and notify those named in the settings."""
    wanted = settings.value(job, "notify")[0] or settings.value(job, "ping")[0]
    if not wanted:
        return _ended(settings, job, stop)
    args = _arguments(settings, job)
    with messages.speaking(args.lang):
        before = after_jobs.ended_before(args, job)
        one = _ended(settings, job, stop)
        ending = after_jobs.ending(one.code, one.result, one.trouble, args.lang)
        after_jobs.tell(settings, job, args, ending, before)
    return one


def _write_metrics(settings: Settings, args: JobsArguments) -> None:
    named = settings.defaults.metrics_file
    path = args.metrics_file or (settings.path(named) if named else None)
    if path is not None:
        stores = [resolve.store(_arguments(settings, job)) for job in settings.jobs]
        after_jobs.write_metrics(path, stores)


def _ended(settings: Settings, job: str, stop: StopRequest) -> Ended:
    """Run one job: all lists together or, if they are moved afterwards, one by one, so that a bad
    list does not delay the others.
    """
    args, batch = _arguments(settings, job), f"{SystemClock().now().isoformat()} {job}"
    its = settings.jobs[job]
    done, failed = (
        settings.path(name) if name else None for name in (its.move_done, its.move_failed)
    )
    if done is None and failed is None:
        return _ended_run(settings, job, args, stop, batch)
    try:
        return _inbox_ended(
            settings, job, args, stop, batch=batch, folders=inbox.Folders(done, failed)
        )
    except Exception:  # noqa: BLE001  it holds no other job up
        account = settings.account_of(job)[0]
        return Ended(job, account, ExitCode.BUG, args, trouble=keys.MASK(traceback.format_exc()))


def _inbox_ended(
    settings: Settings,
    job: str,
    args: RunArguments,
    stop: StopRequest,
    *,
    batch: str,
    folders: inbox.Folders,
) -> Ended:
    """Import the waiting lists one by one. The worst result is the job's."""
    ended: list[Ended] = []
    started = SystemClock().now()
    for taken in inbox.waiting([settings.path(file) for file in settings.jobs[job].files]):
        if stop.is_set():
            break
        its = replace(args, files=(str(taken.path),))
        one = _ended_run(settings, job, its, stop, batch)
        ended.append(one)
        moment = f"{SystemClock().now():%Y%m%d-%H%M%S}"
        name = one.result.summary.run_id if one.result else moment
        inbox.put_away(taken, name, one.code, one.error, folders)
    if ended:
        worst = _worst([one.code for one in ended])
        return next(one for one in ended if one.code is worst)
    from rdimport.cli.one_run import note_attempt  # noqa: PLC0415

    nothing = RdimportError(_("No list was waiting.")).with_code(ExitCode.DONE)
    note_attempt(args, nothing, started, job=job, batch=batch)
    account = settings.account_of(job)[0]
    return Ended(job, account, ExitCode.DONE, args, trouble=nothing.message)


def _ended_run(
    settings: Settings, job: str, args: RunArguments, stop: StopRequest, batch: str
) -> Ended:
    """One run of a job; errors do not affect other runs."""
    from rdimport.cli.one_run import carry_out, note_attempt  # noqa: PLC0415
    from rdimport.plan.departure import go  # noqa: PLC0415

    started = SystemClock().now()
    ended = partial(Ended, job, settings.account_of(job)[0], args=args)
    try:
        with messages.speaking(args.lang):
            to = _station(settings, job, args)
            to.credentials()
            send = partial(carry_out, args, to, on_event=ignore_events, agreed=go)
            done = send(stop=stop, job=job, batch=batch)
    except RdimportError as error:
        note_attempt(args, error, started, job=job, batch=batch)
        return ended(code=ExitCode(error.exit_code), trouble=str(error), error=error)
    except Exception:  # noqa: BLE001  a bug: show its traceback
        return ended(code=ExitCode.BUG, trouble=keys.MASK(traceback.format_exc()))
    return ended(code=ExitCode(done.exit_code), result=done)


def _show(one: Ended, *, quiet: bool) -> None:
    from rdimport.cli.one_run import to_know  # noqa: PLC0415
    from rdimport.cli.terminal import Terminal  # noqa: PLC0415

    if quiet and one.code is ExitCode.DONE:
        return
    text = [screen.heading(one.job, one.account, one.code)]
    if one.result is None:
        text.append(one.trouble)
    else:
        with ExitStack() as stack:
            terminal = Terminal(resolve.quietly(one.args), stack)
            text += [terminal.ending(one.result), *to_know(one.args, one.result, ())]
    say([*text, ""])


@contextmanager
def _stopping(stop: StopRequest) -> Iterator[None]:
    """Stop all jobs in an orderly way on the first signal, and at once on the second."""
    from rdimport.core.stop import StopReason  # noqa: PLC0415
    from rdimport.delivery.stopping import stop_signals  # noqa: PLC0415

    def asked(*_: object) -> None:
        if stop.is_set():
            os._exit(ExitCode.STOPPED)
        stop.stop(StopReason.SIGNAL)

    before = {number: signal.signal(number, asked) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _worst(codes: Sequence[ExitCode]) -> ExitCode:
    return next(code for code in _WORST_FIRST if code in {*codes, ExitCode.DONE})
