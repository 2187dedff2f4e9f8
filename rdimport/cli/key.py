"""`rdimport key`: API keys in the system's keyring."""

from __future__ import annotations

import sys
from getpass import getpass

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import AddressArguments, KeyArguments
from rdimport.cli.streams import say
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.masking import may_be_key


def execute(args: KeyArguments) -> int:
    """List, remove or store; a key is asked for, never an argument."""
    if args.action == "list":
        say(keys.accounts() or ["The keyring holds no keys of rdimport."])
    elif args.name is None:
        raise UsageError("Which account?", f"Type: rdimport key {args.action} NAME")
    elif args.action == "remove":
        keys.remove(args.name)
        say([f"The key of account “{args.name}” is no longer in the keyring."])
    elif may_be_key(args.name):
        raise UsageError(
            f"What stands after `rdimport key {args.action}` looks like a key (not shown here).",
            "Write the account's name there; the key is asked for then. Take this one out of your "
            "shell's history.",
        )
    else:
        key = _asked_for_key()
        keys.MASK.learn(key)
        resolve.station(AddressArguments(), key)  # a key that cannot be right is not stored
        keys.store(args.name, key)
        say([f"Stored. Use it with: rdimport run … --account {args.name}"])
    return ExitCode.DONE


def _asked_for_key() -> str:
    """From the terminal without showing it, else the first line of standard input."""
    if sys.stdin.isatty():
        return getpass("API key (it is not shown): ").strip()
    return sys.stdin.readline().strip()
