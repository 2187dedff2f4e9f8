"""Where the settings are: found without loading what reads them, as most commands have none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rdimport.core.looking import is_missing

NAME: Final = "rdimport.toml"
VARIABLE: Final = "RDIMPORT_CONFIG"


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
    usual = folder / NAME
    return None if is_missing(usual) else usual
