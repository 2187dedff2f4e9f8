"""Ledgers of each kind for the tests that all kinds must pass."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

from rdimport.ledger import Store
from rdimport.ledger.sqlite.files import FILE_NAME
from rdimport.ledger.sqlite.ledger import SqliteLedger
from rdimport.ledger.sqlite.store import SqliteStore


class Place(Protocol):
    """A place for one ledger of a kind, empty at first."""

    @property
    def store(self) -> Store:
        """Where the ledger is now."""

    def crash(self) -> None:
        """Simulate a crash: from now on `store` has only what is durable. The test closes the
        ledger it had open afterwards.
        """

    def analyze(self) -> None:
        """Let the database collect statistics, as it does from time to time."""

    def holds(self, text: bytes) -> bool:
        """Whether the text occurs anywhere in the stored data."""


class SqlitePlace:
    """A state directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies = 0

    @property
    def _state(self) -> Path:
        return self._folder / str(self._copies)

    @property
    def store(self) -> Store:
        return SqliteStore(self._state)

    def crash(self) -> None:
        before = self._state
        self._copies += 1
        self._state.mkdir(mode=0o700)
        for suffix in ("", "-wal"):
            part = before / (FILE_NAME + suffix)
            if part.exists():
                shutil.copy(part, self._state / part.name)

    def analyze(self) -> None:
        with closing(sqlite3.connect(self._state / FILE_NAME)) as db:
            db.execute("ANALYZE")

    def holds(self, text: bytes) -> bool:
        return any(text in path.read_bytes() for path in self._state.glob(FILE_NAME + "*"))


def sqlite_ledger(state_dir: Path) -> SqliteLedger:
    """The ledger of a state directory, open for writing."""
    return SqliteStore(state_dir).open()
