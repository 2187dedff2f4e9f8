"""`rdimport purge`: forget what old runs knew of people."""

from __future__ import annotations

import argparse
from datetime import timedelta
from functools import partial

from rdimport import status
from rdimport.cli import values
from rdimport.cli.speak import say
from rdimport.clock import SystemClock
from rdimport.errors import ExitCode
from rdimport.ledger import Ledger
from rdimport.lock import is_locked


def execute(told: argparse.Namespace) -> int:
    """Forget, but for the runs that are at work."""
    state_dir = values.state_dir(told)
    ledger = Ledger.if_there(state_dir)
    now = SystemClock().now()
    forgotten = 0
    if ledger is not None:
        with ledger:
            before = now - timedelta(seconds=told.older_than)
            known = status.runs(ledger, partial(is_locked, state_dir))
            at_work = [run.run_id for run in known if run.where == "running"]
            forgotten = ledger.forget(before, now, at_work)
    say(
        [
            f"Forgotten: what {forgotten} run(s) knew of people; younger runs were left alone.",
            "Their reports are files of their own: delete them too if nobody needs them.",
        ]
    )
    return ExitCode.DONE
