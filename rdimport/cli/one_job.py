"""One job of `rdimport.toml`: its run, or the lists of its inbox, and its notifications."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rdimport.cli import after_jobs, inbox, keys, resolve
from rdimport.cli.arguments import RunArguments, read
from rdimport.cli.screen import jobs as screen
from rdimport.cli.streams import say
from rdimport.config import Settings
from rdimport.core import messages
from rdimport.core.address import masked
from rdimport.core.bugs import stack
from rdimport.core.clock import SystemClock
from rdimport.core.errors import (
    ExitCode,
    InstallationError,
    RdimportError,
    SourceError,
    UsageError,
    is_unexpected,
)
from rdimport.core.events import Observer, ignore_events
from rdimport.core.installation import installation_explained
from rdimport.core.messages import _
from rdimport.core.values import replace
from rdimport.destination.address import endpoint

if TYPE_CHECKING:
    from rdimport import RDStation, RunResult
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


@dataclass(frozen=True)
class Ended:
    """The end of a job: a result, or the error that prevented one."""

    job: str
    account: str
    code: ExitCode
    args: RunArguments
    result: RunResult | None = None
    trouble: str = ""
    error: RdimportError | None = None
    lists: tuple[Ended, ...] = ()
    """How each list of an inbox ended; empty if the job has none."""

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


def _from_environment() -> dict[str, tuple[str, str]]:
    """The settings that the environment overrides: value and variable by key."""
    given = {key: (os.environ.get(name, ""), name) for key, name in resolve.VARIABLES.items()}
    return {key: (masked(value), name) for key, (value, name) in given.items() if value}


def effective(settings: Settings, job: str) -> Iterator[tuple[str, Any, str]]:
    """The values used for a job: key, value, and the table or variable that sets it."""
    given = _from_environment()
    for key, value, place in settings.effective(job):
        yield key, *given.pop(key, (value, place))
    yield from ((key, *found) for key, found in given.items())


def arguments(settings: Settings, job: str) -> RunArguments:
    """The arguments equivalent to a job. The environment overrides the settings."""
    words = settings.words(job)
    for key in _from_environment():
        option = f"--{key.replace('_', '-')}="
        words = [word for word in words if not word.startswith(option)]
    command = read(words)
    if command is None or not isinstance(command.arguments, RunArguments):
        raise UsageError(
            _("Job {job} does not form a valid command.", job=job),
            _("Look at its files and its mapping."),
        )
    if settings.value(job, "lang")[0] is None:  # then it uses the language of its command
        return replace(command.arguments, lang=messages.language())
    return command.arguments


def see_schedule(settings: Settings, job: str, is_time: Callable[[str], bool]) -> None:
    """Raise UsageError if a job's `every` is not a schedule that workers can follow."""
    every = settings.jobs[job].every
    if every and not is_time(every):
        raise UsageError(
            _("Job {job}: every = {every} is not a schedule.", job=job, every=repr(every)),
            _('Write five fields as in a crontab: "30 22 * * 1-5".'),
        )


def station(settings: Settings, job: str, args: RunArguments) -> RDStation:
    """The destination of a job's rows, with the key of its account. Raises UsageError."""
    name, account = settings.account_of(job)
    unclear = {int(status): meaning for status, meaning in account.unclear.items()}
    key = keys.of_account(name, account.api_key, settings.path)
    to = resolve.station(args, key, unclear, idempotent=account.idempotent)
    keys.refuse_shared(name, endpoint(to.base_url), key)
    return to


def run_and_notify(
    settings: Settings,
    job: str,
    stop: StopRequest,
    *,
    wait: float = 0,
    on_event: Observer = ignore_events,
) -> Ended:
    """Run one job, and notify those named in the settings. It waits `wait` seconds, or longer if
    the settings say so, for an account in use.
    """
    args = arguments(settings, job)
    args = replace(args, wait=max(args.wait, wait))
    wanted = settings.value(job, "notify")[0] or settings.value(job, "ping")[0]
    if not wanted:
        return _ended(settings, job, args, stop, on_event)
    with messages.speaking(args.lang):
        before = after_jobs.ended_before(args, job)
        end = _ended(settings, job, args, stop, on_event)
        ending = after_jobs.ending(end.code, end.result, end.trouble, args.lang)
        after_jobs.tell(settings, job, args, ending, before)
    return end


def _ended(
    settings: Settings, job: str, args: RunArguments, stop: StopRequest, on_event: Observer
) -> Ended:
    """Run one job: all lists together or, if they are moved afterwards, one by one, so that a bad
    list does not delay the others.
    """
    batch = f"{SystemClock().now().isoformat()} {job}"
    run = partial(_ended_run, settings, job, stop=stop, batch=batch, on_event=on_event)
    entry, account = settings.jobs[job], settings.account_of(job)[0]
    done, failed = (
        settings.path(name) if name else None for name in (entry.move_done, entry.move_failed)
    )
    if done is None and failed is None:
        return run(args)
    try:
        with installation_explained():
            return _inbox_ended(
                settings, job, args, stop, run, batch=batch, folders=inbox.Folders(done, failed)
            )
    except SourceError:  # its folder may not be listed: a run of all its files reports that
        return run(args)
    except InstallationError as error:
        # lists before this one may have been sent
        return Ended(job, account, ExitCode.STOPPED, args, trouble=str(error), error=error)
    except BaseException as error:  # it must not stop other jobs
        if not is_unexpected(error):
            raise
        return Ended(job, account, ExitCode.BUG, args, trouble=stack(keys.MASK))


def _inbox_ended(
    settings: Settings,
    job: str,
    args: RunArguments,
    stop: StopRequest,
    run: Callable[..., Ended],
    *,
    batch: str,
    folders: inbox.Folders,
) -> Ended:
    """Import the waiting lists one by one, by `run`. The worst result is the job's."""
    ended: list[Ended] = []
    started = SystemClock().now()
    for taken in inbox.waiting([settings.path(file) for file in settings.jobs[job].files]):
        if stop.is_set():
            break
        single = replace(args, files=(str(taken.path),))
        end = run(single, taken=taken)
        ended.append(end)
        moment = f"{SystemClock().now():%Y%m%d-%H%M%S}"
        name = end.result.summary.run_id if end.result else moment
        inbox.put_away(taken, name, end.code, end.error, folders)
    if ended:
        code = worst([end.code for end in ended])
        return replace(next(end for end in ended if end.code is code), lists=tuple(ended))
    from rdimport.cli.one_run import note_attempt  # noqa: PLC0415

    nothing = RdimportError(_("No list was waiting.")).with_code(ExitCode.DONE)
    note_attempt(args, nothing, started, job=job, batch=batch)
    account = settings.account_of(job)[0]
    return Ended(job, account, ExitCode.DONE, args, trouble=nothing.message)


def _ended_run(
    settings: Settings,
    job: str,
    args: RunArguments,
    *,
    stop: StopRequest,
    batch: str,
    on_event: Observer,
    taken: inbox.WaitingFile | None = None,
) -> Ended:
    """One run of a job; errors do not affect other runs. `taken` is its list in an inbox."""
    from rdimport.cli.one_run import carry_out, note_attempt  # noqa: PLC0415
    from rdimport.plan.departure import go  # noqa: PLC0415

    started = SystemClock().now()
    ended = partial(Ended, job, settings.account_of(job)[0], args=args)
    try:
        with messages.speaking(args.lang), installation_explained():
            to = station(settings, job, args)
            to.credentials()
            send = partial(carry_out, args, to, on_event=on_event, agreed=go)
            done = send(stop=stop, job=job, batch=batch)
    except RdimportError as error:
        unread = isinstance(error, SourceError) and error.exit_code is ExitCode.NOTHING_SENT
        if taken and unread and taken.is_gone():
            error = _no_longer_there(taken)
        note_attempt(args, error, started, job=job, batch=batch)
        return ended(code=ExitCode(error.exit_code), trouble=str(error), error=error)
    except BaseException as error:  # a bug: show its traceback
        if not is_unexpected(error):
            raise
        return ended(code=ExitCode.BUG, trouble=stack(keys.MASK))
    return ended(code=ExitCode(done.exit_code), result=done)


def _no_longer_there(taken: inbox.WaitingFile) -> RdimportError:
    """No failure: another run of this inbox tells how the list ended."""
    said = _("{file} is no longer there: another run, or somebody, has taken it.", file=taken.path)
    return RdimportError(said).with_code(ExitCode.DONE)


def show(ended: Ended, *, quiet: bool) -> None:
    """Print how a job ended, and each list of its inbox."""
    from rdimport.cli.one_run import to_know  # noqa: PLC0415
    from rdimport.cli.terminal import Terminal  # noqa: PLC0415

    for end in ended.lists or (ended,):
        if quiet and end.code is ExitCode.DONE:
            continue
        file = end.args.files[0] if ended.lists else ""
        text = [screen.heading(end.job, end.account, end.code, file)]
        if end.result is None:
            text += end.trouble.splitlines()
        else:
            with ExitStack() as stack:
                terminal = Terminal(resolve.quietly(end.args), stack)
                text += [terminal.ending(end.result), *to_know(end.args, end.result, ())]
        say([*text, ""])


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The exit code of several jobs."""
    return next(code for code in _WORST_FIRST if code in {*codes, ExitCode.DONE})
