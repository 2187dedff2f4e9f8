"""`rdimport key`: API keys in the system's keyring."""

from __future__ import annotations

import sys
from getpass import getpass

from rdimport.cli import keys, resolve, system_keyring
from rdimport.cli.arguments import AddressArguments, KeyArguments
from rdimport.cli.streams import say
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.masking import may_be_key
from rdimport.core.messages import _


def execute(args: KeyArguments) -> int:
    """List, remove or store a key. It is prompted for, never an argument."""
    if args.action == "list":
        say(system_keyring.accounts() or [_("The keyring contains no keys of rdimport.")])
    elif args.name is None:
        raise UsageError(
            _("Which account?"), _("Type: rdimport key {action} NAME", action=args.action)
        )
    elif args.action == "remove":
        system_keyring.remove(args.name)
        say([_("The key of account “{name}” is no longer in the keyring.", name=args.name)])
    elif may_be_key(args.name):
        raise UsageError(
            _(
                "What follows `rdimport key {action}` looks like a key (not shown here).",
                action=args.action,
            ),
            _(
                "Write the account's name there; you are then asked for the key. Remove "
                "this one from your shell's history."
            ),
        )
    else:
        key = _asked_for_key()
        keys.MASK.learn(key)
        resolve.station(AddressArguments(lang=args.lang), key)  # an invalid key is not stored
        system_keyring.store(args.name, key)
        say([_("Stored. Use it with: rdimport run … --account {name}", name=args.name)])
    return ExitCode.DONE


def _asked_for_key() -> str:
    """Read a key from the terminal without echo, or from a line of standard input."""
    if sys.stdin.isatty():
        return getpass(_("API key (it is not shown): ")).strip()
    return sys.stdin.readline().strip()
