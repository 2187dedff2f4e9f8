"""`rdimport report`: write a run's report again."""

from __future__ import annotations

import sys

from rdimport import api
from rdimport.cli import resolve
from rdimport.cli.arguments import ReportArguments
from rdimport.cli.streams import say, say_json
from rdimport.cli.terminal import bars
from rdimport.core.errors import ExitCode
from rdimport.core.messages import _
from rdimport.report import write_report


def execute(args: ReportArguments) -> int:
    """Write the files of a report from the ledger."""
    store = resolve.store(args)
    ledger = store.if_there()
    if ledger is None:
        raise resolve.no_runs(store)
    with ledger:
        report_dir = args.report_dir or api.REPORT_DIR
        run = ledger.run(args.run)
        with bars(args) as watch:
            summary = write_report(
                run, report_dir, lang=args.lang, full=args.full_report, on_event=watch
            )
    if args.json:
        say_json(summary.as_json())
    elif not args.quiet:
        folder = report_dir / summary.run_id
        say(
            [
                _(
                    "Report written: {folder}",
                    folder=folder if sys.stdout.isatty() else folder.absolute(),
                )
            ]
        )
    return ExitCode.DONE
