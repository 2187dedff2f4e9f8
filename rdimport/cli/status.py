"""`rdimport status`: the runs so far and where each stands."""

from __future__ import annotations

import argparse
from functools import partial

from rdimport.cli import arguments
from rdimport.cli.screen.status import one, table
from rdimport.cli.streams import say, say_json
from rdimport.core.errors import ExitCode
from rdimport.ledger import Ledger
from rdimport.ledger.lock import is_locked
from rdimport.report import run_status


def execute(told: argparse.Namespace) -> int:
    """Tell what the ledger knows; a ledger that is not there is not made."""
    state_dir = arguments.state_dir(told)
    ledger = Ledger.if_there(state_dir)
    if ledger is None:
        found = []
    else:
        with ledger:
            found = list(
                run_status.runs(
                    ledger,
                    partial(is_locked, state_dir),
                    told.run,
                    reach=arguments.reach(told),
                    report_dir=told.report_dir,
                )
            )
    if told.json:
        say_json({"runs": [run.as_json() for run in found]})
    else:
        say(one(found[0]) if told.run else table(found, state_dir))
    return ExitCode.DONE
