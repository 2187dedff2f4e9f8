"""The words of `rdimport fleet` and `rdimport worker`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from rdimport.cli.grammar import as_sentence
from rdimport.cli.option_groups import flag, settings_option, value
from rdimport.cli.option_types import positive
from rdimport.core.messages import _, untranslated

_MAKE = untranslated("create the tables of a shared ledger, if the database is safe for it")


def fleet_actions(to: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Its actions, with what each takes beside the ledger."""
    actions = to.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text, whom, what in (
        ("init", _(_MAKE), "", ""),
        ("status", _("what workers and accounts are doing"), "", ""),
        ("pause", _("pause the jobs of an account"), "ACCOUNT", _("accounts")),
        ("resume", _("resume the jobs of an account"), "ACCOUNT", _("accounts")),
        ("drain", _("let workers finish and stop"), "WORKER", _("workers (all)")),
    ):
        action = actions.add_parser(name, help=text, description=as_sentence(text))
        if whom:
            number = "*" if name == "drain" else "+"
            action.add_argument("names", nargs=number, metavar=whom, help=what)
        if name == "status":
            settings_option(action)
            flag(action, "--json", _("print one JSON object"))
            value(action, "--html", "FILE", _("write a web page"), Path)
        yield action


def worker(to: argparse.ArgumentParser) -> None:
    """What `worker` takes beside the ledger."""
    settings_option(to)
    accounts = _("accounts that run at the same time (%(default)s)")
    value(to, "--slots", "N", accounts, positive, default=20)
    flag(to, "--once", _("run what is due or waiting now, then stop; for cron"))
    flag(to, "--quiet", _("print only what needs attention"))
