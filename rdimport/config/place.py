"""Finds the settings without importing their model, as most commands have no settings."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from rdimport.core.looking import is_missing
from rdimport.core.own_folders import NoHomeError, own_folder

NAME: Final = "rdimport.toml"
VARIABLE: Final = "RDIMPORT_CONFIG"


def usual() -> Path:
    """The settings file in the user's configuration folder. Raises NoHomeError."""
    return own_folder("config", f"--config ({VARIABLE})") / NAME


def leads_to(path: Path, environment: Mapping[str, str]) -> str:
    """The environment variable that sets the usual file's location; empty for another file."""
    folders = ("XDG_CONFIG_HOME", "HOME", "APPDATA", "USERPROFILE")
    known = [name for name in folders if path.is_relative_to(environment.get(name) or path / "no")]
    return known[0] if known and path.parent == usual_folder() and path.name == NAME else ""


def usual_folder() -> Path | None:
    """The user's configuration folder; None without a home directory."""
    with suppress(NoHomeError):
        return usual().parent
    return None


def find(named: Path | None, environment: Mapping[str, str], folder: Path | None) -> Path | None:
    """The settings file: the given one, that of the environment, or the one in the user's
    configuration `folder`, if it exists.

    Never a file in the current folder: it may come from a stranger's archive, and settings can name
    programs to run.
    """
    if named is not None:
        return named
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE])
    known = folder and folder / NAME
    return None if known is None or is_missing(known) else known
