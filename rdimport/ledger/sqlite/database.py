"""An open ledger as the modules of this package use it."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from rdimport.ledger.port import Ledger
from rdimport.ledger.sql import Ask, in_sqlite


def asking(db: sqlite3.Connection) -> Ask:
    """What asks within a transaction."""
    return lambda sql, values: db.execute(in_sqlite(sql), values).fetchall()


class LedgerFile(Ledger):
    """A ledger in a SQLite database."""

    path: Path
    """Path of the file."""
    closing: ExitStack
    """Contexts that end when the ledger is closed."""

    @abstractmethod
    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    @abstractmethod
    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, fetched a few at a time."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction, durable at its end. Raises LedgerError."""

    @abstractmethod
    def writes(self) -> int:
        """Number of writes after which rows could be sent."""
