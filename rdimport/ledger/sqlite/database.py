"""Opens, reads and writes the SQLite database of a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from rdimport.core.errors import LedgerError
from rdimport.ledger.port import Ledger
from rdimport.ledger.sql import Ask, in_sqlite
from rdimport.ledger.sqlite.files import Watch
from rdimport.ledger.sqlite.key import FindKey, key_in, no_key
from rdimport.ledger.sqlite.schema import as_a_whole, damaged, explained


def asking(db: sqlite3.Connection) -> Ask:
    """A function that executes statements within a transaction."""
    return lambda sql, values: db.execute(in_sqlite(sql), values).fetchall()


class LedgerFile(Ledger):
    """A ledger in a SQLite database."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        find_key: FindKey = no_key,
        *,
        reading: bool = False,
    ) -> None:
        super().__init__(key_in(path, connection, find_key))
        self.path = path
        self.place = str(path)
        self.closing = ExitStack()
        """Contexts that end when the ledger is closed."""
        self._db = connection
        self._reading = reading
        self._watch: Watch | None = None if reading else Watch(path)

    def __exit__(self, *_: object) -> None:
        with self.closing:
            self._db.close()

    def rest(self) -> None:
        """Does nothing: the connection is not shared."""

    def writes(self) -> int:
        """Number of writes after which rows could be sent."""
        found = self.query("SELECT value FROM setting WHERE name = 'writes'")
        return int(found[0][0]) if found else 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction, durable at its end. Raises LedgerLostError if it was written to files that
        no later run will find.
        """
        with explained(self.path), as_a_whole(self._db):
            yield self._db
        if self._watch is not None:
            self._watch.look()

    @contextmanager
    def writing(self) -> Iterator[Ask]:
        """See `StoredLedger`."""
        with self.transaction() as db:
            yield asking(db)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries see the same moment."""
        self.query("BEGIN")
        try:
            yield
        finally:
            self.query("ROLLBACK")

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with explained(self.path, reading=self._reading):
            return self._db.execute(sql, values).fetchall()

    def ask(self, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """All rows of a query that both kinds of ledger understand, with named parameters."""
        with explained(self.path, reading=self._reading):
            return self._db.execute(in_sqlite(sql), values).fetchall()

    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, a few at a time."""
        with explained(self.path, reading=self._reading):
            # `chain` keeps the cursor from being closed after the ledger, which is an error
            yield from chain(self._db.execute(sql, values))

    def damaged(self, what: str) -> LedgerError:
        """See `StoredLedger`."""
        return damaged(self.path, what)
