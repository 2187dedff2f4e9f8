"""The folders in which this system keeps programs' data for a user; and what cannot be one."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import Literal

from rdimport.core.errors import LedgerError, UsageError
from rdimport.core.messages import _


class NoHomeError(UsageError):
    """This user has no home directory, as in many containers and services."""


def own_folder(kind: Literal["cache", "config", "state"], instead: str) -> Path:
    """The folder of rdimport. Raises NoHomeError with `instead`, the setting for another one."""
    import platformdirs  # noqa: PLC0415

    find = getattr(platformdirs, f"user_{kind}_path")
    try:
        return Path(find("rdimport", appauthor=False))
    except RuntimeError:
        raise NoHomeError(
            _("This user has no home directory, so there is no usual folder for rdimport's files."),
            _("Set {instead}, or HOME, to a place of this user.", instead=instead),
        ) from None


def default_state_dir() -> Path:
    """The default folder of the ledger: where this system keeps the state of programs."""
    return own_folder("state", "--state-dir (RDIMPORT_STATE_DIR)")


def refuse_no_folder(state_dir: Path, remedy: str = "") -> None:
    """Raise LedgerError for a state directory that is no folder and could not be made: a link that
    leads nowhere, where the disk of its ledger may not be mounted, a file, or a device.

    A place that may not be looked at is reported when it is used.
    """
    for place in (state_dir, *state_dir.absolute().parents):
        try:
            found = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            if not place.is_symlink():
                continue  # it can be made, and another run may have made it just now
            raise _no_folder(
                state_dir,
                place,
                _(
                    "{place} is a link to {target}, which is not there.",
                    place=place,
                    target=place.resolve(),
                ),
                _(
                    "Restore {target}, or mount its disk: a new ledger would not know what was "
                    "sent from the one there.",
                    target=place.resolve(),
                ),
            ) from None
        except OSError as error:
            if error.errno != errno.ELOOP:
                return
            raise _no_folder(
                state_dir,
                place,
                _("{place} is a link that leads back to itself.", place=place),
                _("Correct the link, so that it leads to the directory of the ledger."),
            ) from None
        if stat.S_ISDIR(found.st_mode):
            return
        what = (
            _("{place} is a file.", place=place)
            if stat.S_ISREG(found.st_mode)
            else _("{place} is a device, a pipe or a socket.", place=place)
        )
        raise _no_folder(state_dir, place, what, remedy or _("Name a directory with --state-dir."))


def _no_folder(state_dir: Path, place: Path, why: str, remedy: str) -> LedgerError:
    if str(place) != str(state_dir):
        why = _("{named} cannot hold the ledger: {why}", named=state_dir, why=why)
    return LedgerError(why, remedy)
