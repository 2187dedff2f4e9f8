"""Errors for a run that must not continue."""

from __future__ import annotations

from pathlib import Path

from rdimport.core.errors import LedgerLostError
from rdimport.core.messages import _
from rdimport.core.names import is_run
from rdimport.ledger.sqlite.schema import damaged


def lock_lost(path: Path) -> LedgerLostError:
    """The error for the lock of an active run being removed or replaced."""
    return LedgerLostError(
        _(
            "The lock of this run, a file next to {path}, was removed or replaced during "
            "the run: another one could send the same rows, so no further row was sent.",
            path=path,
        ),
        _(
            "Leave the .lock files alone: they block nothing once a run has ended. The same "
            "command continues."
        ),
    )


def see_name(path: Path, name: object) -> str:
    """Check the name of a run, which is the name of its report's folder.

    Raises LedgerDamagedError for an invalid one, which could lead to another folder.
    """
    if not isinstance(name, str) or not is_run(name):
        raise damaged(path, _("it has a run with the name {name}", name=ascii(name)[:80]))
    return name
