"""`rdimport status`: the runs so far and where each stands."""

from __future__ import annotations

from functools import partial

from rdimport.cli import resolve
from rdimport.cli.arguments import StatusArguments
from rdimport.cli.screen.status import one, table
from rdimport.cli.streams import say, say_json
from rdimport.core.errors import ExitCode
from rdimport.ledger import Ledger
from rdimport.ledger.lock import is_locked
from rdimport.report import run_status


def execute(args: StatusArguments) -> int:
    """Tell what the ledger knows; a ledger that is not there is not made."""
    state_dir = resolve.state_dir(args)
    ledger = Ledger.if_there(state_dir)
    if ledger is None:
        found = []
    else:
        with ledger:
            found = list(
                run_status.runs(
                    ledger,
                    partial(is_locked, state_dir),
                    args.run,
                    reach=resolve.reach(args),
                    report_dir=args.report_dir,
                )
            )
    if args.json:
        say_json({"runs": [run.as_json() for run in found]})
    else:
        say(one(found[0]) if args.run else table(found, state_dir))
    return ExitCode.DONE
