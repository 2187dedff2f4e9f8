"""`rdimport run`: import files; running it again resumes."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from rdimport.cli import after_jobs, resolve
from rdimport.cli.arguments import RunArguments
from rdimport.cli.one_run import carry_out, note_attempt, to_know
from rdimport.cli.streams import flush_output, print_error, say_json
from rdimport.core.clock import SystemClock
from rdimport.core.errors import (
    ExitCode,
    InstallationError,
    KeyInNameError,
    OutputError,
    RdimportError,
    UsageError,
)
from rdimport.core.installation import installation_explained

if TYPE_CHECKING:
    from rdimport import RDStation, RunResult
    from rdimport.cli.log import LogFile
    from rdimport.cli.terminal import Terminal

# The engine is imported late, so that a missing key is reported at once.


def execute(args: RunArguments) -> int:
    """Import; errors are logged too."""
    if args.dry_run:
        from rdimport.cli import check  # noqa: PLC0415

        return check.execute(args)
    resolve.refuse_contradictions(args)
    code = None
    try:
        with ExitStack() as stack:
            code = _execute(args, stack)
    except KeyboardInterrupt:  # while its sandbox is shut down, the result of a run stands
        if code is None:
            raise
    return code


def _execute(args: RunArguments, stack: ExitStack) -> int:
    log, started = None, SystemClock().now()
    try:
        to = resolve.destination(args, stack)
        log = resolve.log_file(args, stack)
        _check_inputs(args, to)
        return _import(args, to, stack, log)
    except KeyInNameError:
        raise
    except RdimportError as error:
        note_attempt(args, error, started)
        _write_metrics(args)
        if log:
            log.write("run_failed", exit_code=int(error.exit_code), message=error.message)
        if args.json and error.summary is not None:
            say_json({**error.summary, "error": str(error)})
        raise


def _check_inputs(args: RunArguments, to: RDStation) -> None:
    """Raise the first error: a missing list or mapping, no quota, a missing key."""
    try:
        to.credentials()
    except UsageError as error:
        resolve.refuse_what_is_not_there(args)
        resolve.quota(args)
        raise error from None


def _write_metrics(args: RunArguments) -> None:
    if args.metrics_file is not None:
        after_jobs.write_metrics(args.metrics_file, [resolve.store(args)])


def _import(args: RunArguments, to: RDStation, stack: ExitStack, log: LogFile | None) -> int:
    from rdimport.cli.departure import agreed  # noqa: PLC0415
    from rdimport.cli.terminal import Terminal  # noqa: PLC0415

    terminal = Terminal(args, stack, log)
    ask = partial(agreed, args, to.credentials()["api_key"])
    done = carry_out(args, to, on_event=terminal.observer, agreed=ask, signals=True)
    try:
        with installation_explained():
            return _ended(args, terminal, done, log)
    except InstallationError as error:  # rows were sent
        raise error.with_code(ExitCode.STOPPED) from error


def _ended(args: RunArguments, terminal: Terminal, done: RunResult, log: LogFile | None) -> int:
    """Show the result of a run; returns the exit code."""
    terminal.close()
    _write_metrics(args)
    if log:
        log.write("run_finished", **done.summary.as_json())
    gaps = log.notes if log else ()
    lines = (terminal.ending(done), *to_know(args, done, gaps))
    try:
        needed = done.exit_code != ExitCode.DONE or done.summary.report_failed is not None
        terminal.show(done.summary.as_json(), lines, needed=needed)
        flush_output()
    except OutputError as error:  # it does not change the result of the run
        print_error(str(error))
    return done.exit_code
