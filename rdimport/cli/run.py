"""`rdimport run`: import files; running it again resumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from rdimport.cli import resolve
from rdimport.cli.arguments import RunArguments
from rdimport.cli.streams import flush_output
from rdimport.core.errors import ExitCode, OutputError, RdimportError

if TYPE_CHECKING:
    from rdimport import RDStation, RunResult
    from rdimport.cli.log import LogFile

# The engine is imported where it is used: a missing key is told before it is loaded.


def execute(args: RunArguments) -> int:
    """Import; what goes wrong is in the log too."""
    if args.dry_run:
        from rdimport.cli import check  # noqa: PLC0415

        return check.execute(args)
    resolve.refuse_contradictions(args)
    with ExitStack() as stack:
        to = resolve.destination(args, stack)
        log = resolve.log_file(args, stack)
        try:
            to.credentials()
            return _import(args, to, stack, log)
        except RdimportError as error:
            if log:
                log.write("run_failed", exit_code=int(error.exit_code), message=error.message)
            raise


def _import(args: RunArguments, to: RDStation, stack: ExitStack, log: LogFile | None) -> int:
    from rdimport import api  # noqa: PLC0415
    from rdimport.cli.departure import agreed  # noqa: PLC0415
    from rdimport.cli.terminal import Terminal  # noqa: PLC0415

    terminal = Terminal(args, stack, log)
    done = api.run(
        args.files,
        args.mapping,
        to=to,
        quota=resolve.quota(args),
        state_dir=resolve.state_dir(args),
        report_dir=args.report_dir or api.REPORT_DIR,
        resend=resolve.resend(args),
        limit=args.canary or args.limit,
        canary=args.canary is not None,
        concurrency=args.concurrency,
        max_seconds=resolve.time_to_spend(args),
        timeout=args.timeout,
        patience=args.patience,
        hints=resolve.hints(args),
        on_event=terminal.observer,
        lang=args.lang,
        full_report=args.full_report,
        share_quota=not args.sandbox,
        signals=True,
        transport=args.transport,
        sandbox=args.sandbox,
        again=resolve.again(args),
        yes=args.yes,
        new_identity=args.new_identity,
        agreed=partial(agreed, args, to.credentials()["api_key"]),
    )
    terminal.close()
    if log:
        log.write("run_finished", **done.summary)
    gaps = log.notes if log else ()
    lines = (terminal.ending(done), *_to_know(args, done, gaps))
    with suppress(OutputError):  # whether anybody reads it changes nothing about what the run did
        needed = done.exit_code != ExitCode.DONE or "report_failed" in done.summary
        terminal.show(done.summary, lines, needed=needed)
        flush_output()
    return done.exit_code


def _to_know(args: RunArguments, done: RunResult, gaps: tuple[str, ...]) -> Iterator[str]:
    """What was found in the files, what RD may drop, `gaps` of the log, and what to look at after
    a canary.
    """
    from rdimport.cli.screen.layout import canary, notes  # noqa: PLC0415

    custom = [name for name in done.fields if name.startswith("cf_")]
    warned = [sentence for sentence in done.advice if custom and custom[0] in sentence]
    yield from notes((*done.notes, *warned, *gaps))
    if args.canary and not args.sandbox:
        yield from canary(done)
