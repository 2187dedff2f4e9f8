"""Finds the settings without importing their model, as most commands have no settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rdimport.core.looking import is_missing

NAME: Final = "rdimport.toml"
VARIABLE: Final = "RDIMPORT_CONFIG"


def usual() -> Path:
    """The settings file in the user's configuration folder."""
    from platformdirs import user_config_path  # noqa: PLC0415

    return user_config_path("rdimport", appauthor=False) / NAME


def leads_to(path: Path, environment: Mapping[str, str]) -> str:
    """The environment variable that sets the usual file's location; empty for another file."""
    folders = ("XDG_CONFIG_HOME", "HOME", "APPDATA", "USERPROFILE")
    known = [name for name in folders if path.is_relative_to(environment.get(name) or path / "no")]
    return known[0] if known and path == usual() else ""


def find(named: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """The settings file: the given one, that of the environment, or the one in the user's
    configuration `folder`, if it exists.

    Never a file in the current folder: it may come from a stranger's archive, and settings can name
    programs to run.
    """
    if named is not None:
        return named
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE])
    known = folder / NAME
    return None if is_missing(known) else known
