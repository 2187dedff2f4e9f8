"""What the tests' ledgers leave in the developer's own folder.

Each ledger records its progress there. A command started without the tests' own data folder does
so in the folder of the user who runs the tests.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from rdimport.ledger.sqlite.witness import outside

DATA_HOME: Final = "WIN_PD_OVERRIDE_LOCAL_APPDATA" if sys.platform == "win32" else "XDG_DATA_HOME"
"""The variable that moves a user's data folder; there is none on macOS."""


def users_folders() -> list[Path]:
    """Where ledgers leave their records: with the environment's settings, and without them."""
    configured = user_data_path("rdimport-ledgers", appauthor=False)
    before = {name: os.environ.pop(name, None) for name in ("HOME", DATA_HOME)}
    try:
        return [configured, user_data_path("rdimport-ledgers", appauthor=False)]
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})


def entries(folders: list[Path]) -> set[str]:
    """The names of all entries of these folders, except locks that copies of a ledger share."""
    inside = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
    return {path.name for path in inside if path.suffix != ".lock"}


def ledgers_behind(names: set[str], below: Path) -> list[Path]:
    """The state directories below a folder that these records belong to. Other records may belong
    to another test run in progress.
    """
    if not names:
        return []
    inside = (Path(folder) for folder, _, _ in os.walk(below))
    return [folder for folder in inside if (found := outside(folder)) and found.name in names]
