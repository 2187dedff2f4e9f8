"""`rdimport accounts`: the accounts in the ledger and their keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import AccountsArguments
from rdimport.cli.screen.layout import printable, table
from rdimport.cli.streams import say, say_json
from rdimport.core.clock import SystemClock
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.key_file import VARIABLE
from rdimport.core.messages import _, ngettext
from rdimport.core.messages.written import day
from rdimport.core.names import fold
from rdimport.core.shell import joined
from rdimport.destination.address import endpoint
from rdimport.ledger import Account, Ledger, hash_of, note_key

_NAMES = {"list": 0, "add-key": 0, "rename": 2}


def execute(args: AccountsArguments) -> int:
    """List the accounts, bind another key to one of them, or rename one."""
    wanted = _NAMES[args.action]
    if len(args.names) != wanted:
        words = {"rename": " OLD NEW", "add-key": " --account NAME"}.get(args.action, "")
        raise UsageError(
            _("`accounts {action}` takes two names.", action=args.action)
            if wanted
            else _("`accounts {action}` takes no names.", action=args.action),
            _("Type: rdimport accounts {action}{words}", action=args.action, words=words),
        )
    {"list": _list, "add-key": _add_key, "rename": _rename}[args.action](args)
    return ExitCode.DONE


def _list(args: AccountsArguments) -> None:
    ledger = resolve.store(args).if_there()
    found: list[Account] = []
    if ledger is not None:
        with ledger:
            found = ledger.accounts.all()
    if args.json:
        say_json({"accounts": [account._asdict() for account in found]})
    else:
        say(_table(found))


def _table(found: list[Account]) -> Iterator[str]:
    if not found:
        yield _("The ledger contains no account yet: an account appears once a run has sent to it.")
        return
    lines = [(_("Account"), _("keys"), _("conversions"), _("last run"), _("endpoint"))]
    lines += [
        (
            printable(one.account, 40),
            str(one.keys),
            str(one.conversions),
            day(one.last_run) if one.last_run else "",
            one.endpoint,
        )
        for one in found
    ]
    yield from table(lines, right=(1, 2))


def _add_key(args: AccountsArguments) -> None:
    account = args.account or "default"
    key = keys.find(args.api_key_file, os.environ, account)
    if not key:
        raise UsageError(
            _("There is no API key to add."),
            _(
                "Put the new one into the environment variable {variable}, or into a file that "
                "only you can read and that --api-key-file names.",
                variable=VARIABLE,
            ),
        )
    to = resolve.station(args, key)
    credentials = sorted(to.credentials().items())
    with _ledger(args) as ledger:
        where = endpoint(to.base_url)
        now = SystemClock().now()
        name = ledger.accounts.add_key(where, account, hash_of(ledger, credentials), now)
        note_key(ledger, resolve.store(args), to)
    say([_("This key now belongs to account “{name}” at {where}.", name=name, where=where)])


def _rename(args: AccountsArguments) -> None:
    old, new = (" ".join(name.split()) for name in args.names)
    if not new:
        raise UsageError(_("The new name is empty."), _("Type: rdimport accounts rename OLD NEW"))
    store = resolve.store(args)
    with ExitStack() as stack:
        ledger = stack.enter_context(_ledger(args))
        for name in {fold(old): old, fold(new): new}.values():
            stack.enter_context(store.hold(name))
        endpoints = ledger.accounts.rename(old, new)
    quoted = joined([new])
    more = ngettext(" at {number} endpoint", " at {number} endpoints", endpoints)
    shown = more if endpoints > 1 else ""
    say([_("Account “{old}” is now called “{new}”{more}.", old=old, new=new, more=shown)])
    say([_("Write --account {name} where your crontab names it.", name=quoted)])
    say([_("Its key in the keyring, if there is one: rdimport key set {name}", name=quoted)])


def _ledger(args: AccountsArguments) -> Ledger:
    store = resolve.store(args)
    if not store.is_there():
        raise resolve.no_runs(store)
    return store.open()
