"""The words of `rdimport fleet` and `rdimport worker`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from rdimport.cli.grammar import as_sentence
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
            _settings(action)
            action.add_argument("--json", action="store_true", help=_("print one JSON object"))
            page = _("write a web page")
            action.add_argument("--html", type=Path, metavar="FILE", help=page)
        yield action


def worker(to: argparse.ArgumentParser) -> None:
    """What `worker` takes beside the ledger."""
    _settings(to)
    to.add_argument(
        "--slots",
        type=positive,
        default=20,
        metavar="N",
        help=_("accounts that run at the same time (%(default)s)"),
    )
    to.add_argument(
        "--once", action="store_true", help=_("run what is due or waiting now, then stop; for cron")
    )
    to.add_argument("--quiet", action="store_true", help=_("print only what needs attention"))


def _settings(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--config", type=Path, metavar="FILE", help=_("the settings file (env RDIMPORT_CONFIG)")
    )
