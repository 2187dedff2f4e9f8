"""An open ledger as the modules of this package use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

from rdimport.ledger.hashes import Keyed
from rdimport.ledger.sql import Ask, in_sqlite
from rdimport.ledger.stored_run import AskedLedger


def asking(db: sqlite3.Connection) -> Ask:
    """What asks within a transaction."""
    return lambda sql, values: db.execute(in_sqlite(sql), values).fetchall()


class Database(Keyed, Protocol):
    """A SQLite database that is queried in SQL. Not thread-safe."""

    @property
    def path(self) -> Path:
        """Path of the file."""

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, fetched a few at a time."""

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction, durable at its end. Raises LedgerError."""


class LedgerFile(Database, AskedLedger, Protocol):
    """A ledger that is also a `Database`."""

    @property
    def closing(self) -> ExitStack:
        """Contexts that end when the ledger is closed."""

    def writes(self) -> int:
        """Number of writes after which rows could be sent."""
