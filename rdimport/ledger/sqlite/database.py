"""An open ledger as its own modules see it: a file that is asked and written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

from rdimport.ledger.hashes import Keyed
from rdimport.ledger.port import Ledger


class Database(Keyed, Protocol):
    """What can be asked in SQL. Not for two threads at the same time."""

    @property
    def path(self) -> Path:
        """The file."""

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a question."""

    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a question, a few at a time."""

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All or nothing, durable at its end."""


class LedgerFile(Database, Ledger, Protocol):
    """The same, and all that other rooms ask of it."""

    @property
    def closing(self) -> ExitStack:
        """What is closed with it."""

    def writes(self) -> int:
        """How many writes have let rows leave, since that is counted."""
