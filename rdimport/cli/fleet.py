"""`rdimport fleet`: the ledger that many machines share."""

from __future__ import annotations

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import FleetInitArguments
from rdimport.cli.streams import say
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.messages import _


def execute(args: FleetInitArguments) -> int:
    """Make the tables of a shared ledger."""
    from rdimport.ledger import make_shared  # noqa: PLC0415

    url = resolve.ledger(args)
    if url is None:
        raise UsageError(
            _("No database is named."),
            _("Type: rdimport fleet init --ledger postgresql://USER@HOST/DATABASE"),
        )
    made = make_shared(url, keys.of_ledger())
    if made.key_file is not None:
        say(
            [
                _(
                    "The key of its hashes is new, and in {path}. Every machine that uses this "
                    "ledger needs a copy of it; whoever loses it, loses the ledger.",
                    path=made.key_file,
                )
            ]
        )
    told = _("The database {where} holds a ledger now.", where=made.place)
    if not made.new:
        told = _("The database {where} holds a ledger already, and it fits.", where=made.place)
    say([told])
    return ExitCode.DONE
