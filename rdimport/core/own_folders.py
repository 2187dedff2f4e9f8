"""The folders in which this system keeps programs' data for a user."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rdimport.core.errors import UsageError
from rdimport.core.messages import _


class NoHomeError(UsageError):
    """This user has no home directory, as in many containers and services."""


def own_folder(kind: Literal["cache", "config", "state"], instead: str) -> Path:
    """The folder of rdimport. Raises NoHomeError; `instead` is the setting that names
    another one.
    """
    import platformdirs  # noqa: PLC0415

    find = getattr(platformdirs, f"user_{kind}_path")
    try:
        return Path(find("rdimport", appauthor=False))
    except RuntimeError:
        raise NoHomeError(
            _("This user has no home directory, so there is no usual folder for rdimport's files."),
            _("Set {instead}, or HOME, to a place of this user.", instead=instead),
        ) from None
