"""A ledger that was copied to another kind, or to another database: neither of the two knows what
the other one sends. The one that is no longer used records where the other one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rdimport.core.errors import LedgerLostError
from rdimport.core.messages import _
from rdimport.core.shell import joined
from rdimport.core.visible import shown_lines
from rdimport.ledger.sql import Asked

_NOTE: Final = """
INSERT INTO rdimport.setting (name, value) VALUES ('twin', %(where)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


def note(ledger: Asked, where: str) -> None:
    """Prevent runs from using this ledger: the one at that address is used instead."""
    with ledger.writing() as ask:
        ask(_NOTE, {"where": where})


def forget(ledger: Asked) -> None:
    """Let runs use this ledger again."""
    with ledger.writing() as ask:
        ask("DELETE FROM rdimport.setting WHERE name = 'twin'", {})


def of(ledger: Asked) -> str:
    """The address of the one that is used instead; empty if this one is used."""
    found = ledger.ask("SELECT value FROM rdimport.setting WHERE name = 'twin'", {})
    return str(found[0][0]) if found else ""


def refuse(ledger: Asked, location_options: Sequence[str]) -> None:
    """Raise LedgerLostError for a ledger whose twin is used instead."""
    where = of(ledger)
    if where:
        raise error(ledger.place, where, location_options)


def error(path: str, where: str, location_options: Sequence[str]) -> LedgerLostError:
    """The error for the ledger at `path`, as the one at `where` is used instead."""
    return LedgerLostError(
        _(
            "The ledgers {path} and {where} are copies of each other. This one does not know whom "
            "the other one has sent since, and they would be sent again.",
            path=path,
            where=where,
        ),
        remedy(["--ledger", where], location_options),
    )


def remedy(that: Sequence[str], this: Sequence[str]) -> str:
    """What to do about a ledger, given as options, of which another one is used."""
    accept = _(
        "To continue with {another} anyway: rdimport ledger accept {where}",
        another=_("this one"),
        where=joined(this),
    )
    return shown_lines([_("Use that one: {where}", where=joined(that)), accept])
