"""Errors for a run that must not continue."""

from __future__ import annotations

from pathlib import Path

from rdimport.core.errors import LedgerLostError
from rdimport.core.messages import _


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
