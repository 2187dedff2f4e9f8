"""`rdimport run`: import files; running it again resumes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from rdimport.cli import arguments
from rdimport.cli.streams import flush_output
from rdimport.core.errors import ExitCode, OutputError, RdimportError

if TYPE_CHECKING:
    from rdimport.cli.log import LogFile
    from rdimport.destination.rdstation.endpoint import RDStation
    from rdimport.mapping import Mapping
    from rdimport.results import RunResult

# The engine is imported where it is used: a missing key is told before it is loaded.


def execute(told: argparse.Namespace) -> int:
    """Import; what goes wrong is in the log too."""
    arguments.refuse_two_limits(told)
    if told.dry_run:
        from rdimport.cli import check  # noqa: PLC0415

        return check.execute(told)
    with ExitStack() as stack:
        to = arguments.destination(told, stack)
        log = arguments.log_file(told, stack)
        try:
            to.credentials()
            return _import(told, to, stack, log)
        except RdimportError as error:
            if log:
                log.write("run_failed", exit_code=int(error.exit_code), message=error.message)
            raise


def _import(told: argparse.Namespace, to: RDStation, stack: ExitStack, log: LogFile | None) -> int:
    from rdimport import api  # noqa: PLC0415
    from rdimport.cli.departure import agreed  # noqa: PLC0415
    from rdimport.cli.terminal import Terminal  # noqa: PLC0415
    from rdimport.report.private_files import see_that_it_can_be_made  # noqa: PLC0415

    mapping = arguments.mapping(told)
    see_that_it_can_be_made(told.report_dir or api.REPORT_DIR)
    terminal = Terminal(told, stack, log)
    done = api.run(
        told.files,
        mapping,
        to=to,
        quota=arguments.quota(told),
        state_dir=arguments.state_dir(told),
        report_dir=told.report_dir or api.REPORT_DIR,
        resend=arguments.resend(told),
        limit=told.canary or told.limit,
        canary=told.canary is not None,
        concurrency=told.concurrency,
        max_seconds=arguments.time_to_spend(told),
        timeout=told.timeout,
        patience=told.patience,
        hints=arguments.hints(told),
        custom_fields=arguments.custom_fields(told, mapping),
        on_event=terminal.observer,
        lang=told.lang,
        full_report=told.full_report,
        share_quota=not told.sandbox,
        signals=True,
        transport=told.transport,
        sandbox=told.sandbox,
        again=arguments.again(told),
        yes=told.yes,
        new_identity=told.new_identity,
        mapping_name=str(told.mapping),
        agreed=partial(agreed, told, to.credentials()["api_key"]),
    )
    terminal.close()
    if log:
        log.write("run_finished", **done.summary)
    gaps = log.notes if log else ()
    lines = (terminal.ending(done), *_to_know(told, done, mapping, gaps))
    with suppress(OutputError):  # whether anybody reads it changes nothing about what the run did
        needed = done.exit_code != ExitCode.DONE or "report_failed" in done.summary
        terminal.show(done.summary, lines, needed=needed)
        flush_output()
    return done.exit_code


def _to_know(
    told: argparse.Namespace, done: RunResult, mapping: Mapping, gaps: tuple[str, ...]
) -> Iterator[str]:
    """What was found in the files, what RD may drop, `gaps` of the log, and what to look at after
    a canary.
    """
    from rdimport.cli.screen.layout import canary, notes  # noqa: PLC0415
    from rdimport.prepare.preview import advice  # noqa: PLC0415

    fields = [name for name in mapping.fields if name.startswith("cf_")]
    warned = [said for said in advice(mapping, told.lang) if fields and fields[0] in said]
    yield from notes((*done.notes, *warned, *gaps))
    if told.canary and not told.sandbox:
        yield from canary(done, mapping)
