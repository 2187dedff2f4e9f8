"""What ledgers of the tests leave in the developer's own folder.

Each ledger records there how far it had come. A command that is started without the tests' own
XDG_DATA_HOME does so in the folder of whoever runs the tests.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from rdimport.ledger.sqlite.witness import outside


def users_folders() -> list[Path]:
    """Where ledgers leave their records: as the environment says it, and where it says nothing."""
    said = user_data_path("rdimport-ledgers", appauthor=False)
    before = {name: os.environ.pop(name, None) for name in ("HOME", "XDG_DATA_HOME")}
    try:
        return [said, user_data_path("rdimport-ledgers", appauthor=False)]
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})


def entries(folders: list[Path]) -> set[str]:
    """The names that are in these folders."""
    return {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}


def ledgers_behind(names: set[str], below: Path) -> list[Path]:
    """The state directories below a folder whose records these are; others are somebody else's,
    as several test runs may be at work at the same time.
    """
    if not names:
        return []
    inside = (Path(folder) for folder, _, _ in os.walk(below))
    return [folder for folder in inside if (found := outside(folder)) and found.name in names]
