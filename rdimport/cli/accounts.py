"""`rdimport accounts`: which account of the ledger goes with which keys."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import AccountsArguments
from rdimport.cli.screen.layout import printable
from rdimport.cli.streams import say, say_json
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.names import fold
from rdimport.destination.address import endpoint
from rdimport.ledger import Ledger
from rdimport.ledger.accounts import Account, accounts, add_key, hash_of, rename
from rdimport.ledger.lock import locked

_NAMES = {"list": 0, "add-key": 0, "rename": 2}


def execute(args: AccountsArguments) -> int:
    """List the accounts, bind one more key to one of them, or give one another name."""
    wanted = _NAMES[args.action]
    if len(args.names) != wanted:
        words = {"rename": " OLD NEW", "add-key": " --account NAME"}.get(args.action, "")
        raise UsageError(
            f"`accounts {args.action}` takes {wanted or 'no'} names.",
            f"Type: rdimport accounts {args.action}{words}",
        )
    {"list": _list, "add-key": _add_key, "rename": _rename}[args.action](args)
    return ExitCode.DONE


def _list(args: AccountsArguments) -> None:
    ledger = Ledger.if_there(resolve.state_dir(args))
    found: list[Account] = []
    if ledger is not None:
        with ledger:
            found = accounts(ledger)
    if args.json:
        say_json({"accounts": [account._asdict() for account in found]})
    else:
        say(_table(found))


def _table(found: list[Account]) -> Iterator[str]:
    if not found:
        yield "The ledger knows no account yet: one is there once a run has sent to it."
        return
    lines = [("Account", "keys", "conversions", "last run", "endpoint")]
    lines += [
        (
            printable(one.account, 40),
            str(one.keys),
            str(one.conversions),
            (one.last_run or "")[:10],
            one.endpoint,
        )
        for one in found
    ]
    size = max(len(line[0]) for line in lines)
    for name, number, conversions, last, where in lines:
        yield f"{name:<{size}}  {number:>4}  {conversions:>11}  {last:<10}  {where}"


def _add_key(args: AccountsArguments) -> None:
    account = args.account or "default"
    key = keys.find(args.api_key_file, os.environ, account)
    to = resolve.station(args, key)
    credentials = sorted(to.credentials().items())
    with _ledger(args) as ledger:
        where = endpoint(to.base_url)
        now = SystemClock().now()
        name = add_key(ledger, where, account, hash_of(ledger, credentials), now)
    say([f"This key is now one of account “{name}” at {where}."])


def _rename(args: AccountsArguments) -> None:
    old, new = (" ".join(name.split()) for name in args.names)
    if not new:
        raise UsageError("The new name is empty.", "Type: rdimport accounts rename OLD NEW")
    state_dir = resolve.state_dir(args)
    with ExitStack() as stack:
        ledger = stack.enter_context(_ledger(args))
        for name in {fold(old): old, fold(new): new}.values():
            stack.enter_context(locked(state_dir, name))
        endpoints = rename(ledger, old, new)
    more = f" at {endpoints} endpoints" if endpoints > 1 else ""
    cron = f"Write --account {shlex.quote(new)} where your crontab names it."
    say([f"Account “{old}” is called “{new}” now{more}. {cron}"])
    say([f"Its key in the keyring, if there is one: rdimport key set {shlex.quote(new)}"])


def _ledger(args: AccountsArguments) -> Ledger:
    state_dir = resolve.state_dir(args)
    if not Ledger.is_there(state_dir):
        raise UsageError(
            f"There was no run yet in {state_dir}.",
            "Name with --state-dir the directory that the runs have.",
        )
    return Ledger.open(state_dir)
