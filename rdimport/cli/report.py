"""`rdimport report`: write a run's report again."""

from __future__ import annotations

import argparse
import sys

from rdimport import api
from rdimport.cli import arguments
from rdimport.cli.streams import say, say_json
from rdimport.cli.terminal import bars
from rdimport.core.errors import ExitCode, UsageError
from rdimport.ledger import Ledger
from rdimport.report import write_report


def execute(told: argparse.Namespace) -> int:
    """Write the files of a report from what the ledger knows."""
    ledger = Ledger.if_there(arguments.state_dir(told))
    if ledger is None:
        raise UsageError(
            f"There was no run yet in {arguments.state_dir(told)}.",
            "Name with --state-dir the directory that the run had.",
        )
    with ledger:
        report_dir = told.report_dir or api.REPORT_DIR
        run = ledger.run(told.run)
        with bars(told) as watch:
            summary = write_report(
                run, report_dir, lang=told.lang, full=told.full_report, on_event=watch
            )
    if told.json:
        say_json(summary)
    elif not told.quiet:
        folder = report_dir / summary["run_id"]
        say([f"Report written: {folder if sys.stdout.isatty() else folder.absolute()}"])
    return ExitCode.DONE
