"""Which ledger a place names."""

from __future__ import annotations

from pathlib import Path

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.ledger.port import Ledger, Store
from rdimport.ledger.sqlite import files
from rdimport.ledger.sqlite.store import SqliteStore


def store_of(place: str | Path) -> Store:
    """Where a ledger is kept: a state directory, or the address of a database."""
    return SqliteStore(Path(place))


def open_ledger(place: str | Path) -> Ledger:
    """The ledger of a place, to write to."""
    return store_of(place).open()


def look_into(place: str | Path) -> Ledger | None:
    """The ledger of a place to look into, None where nothing was ever sent."""
    return store_of(place).if_there()


def copy_ledger(source: Path, target: Path) -> tuple[Path, Path]:
    """Copy a ledger, whole at one moment, also while a run is at work; returns from where to where.
    Raises UsageError for a source that is none, or a target that is not empty.
    """
    path, to = files.ledger_of(source), files.ledger_of(target)
    if not path.is_file():
        raise UsageError(
            _("There is no ledger in {source}.", source=source),
            _("Name the state directory of the runs, or the file."),
        )
    files.copy(path, to)
    return path, to
