"""The PostgreSQL database of a ledger: asked and written to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, LiteralString

from rdimport.core.errors import LedgerError
from rdimport.ledger.port import Ledger
from rdimport.ledger.postgres.connection import Connection
from rdimport.ledger.postgres.gathered import Gathered, join, leave
from rdimport.ledger.postgres.session import LONGEST, Session, asking
from rdimport.ledger.postgres.trouble import CutOffError, damaged
from rdimport.ledger.sql import Ask


class Database(Ledger):
    """A ledger in a PostgreSQL database; `timeline` is that of the moment it was opened."""

    def __init__(self, session: Session, key: bytes, timeline: str) -> None:
        super().__init__(key)
        self.session = session
        self.place = session.address.shown
        self.timeline = timeline
        self._looking = False
        self._gathered: Gathered | None = None

    def __exit__(self, *_: object) -> None:
        if self._gathered is not None:
            leave(self._gathered)
            self._gathered = None
        self.session.end()

    def rest(self) -> None:
        """Give the connection back; the next question takes one again."""
        self.session.end()

    @property
    def gathered(self) -> Gathered:
        """The connection that all runs of this process share for what they send."""
        if self._gathered is None:
            self._gathered = join(self.session.address)
        return self._gathered

    def transaction(self, within: float | None = None) -> AbstractContextManager[Connection]:
        """A transaction, durable at its end; `within` limits its seconds."""
        return self.session.transaction(within)

    @contextmanager
    def writing(self) -> Iterator[Ask]:
        """See `StoredLedger`."""
        with self.transaction() as db:
            yield asking(db)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries see the same moment."""
        self.query("SELECT 1")
        self.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._looking = True
        try:
            self.query("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield
        finally:
            self._looking = False
            self.query("ROLLBACK")

    def query(self, sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query, repeated if the connection broke meanwhile."""
        return self.ask(sql, values)

    def ask(
        self, sql: LiteralString, values: Sequence[object] | Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        """The same with named parameters."""
        try:
            return self.session.ask(sql, values, LONGEST)
        except CutOffError:
            self.session.close()
            if self._looking:
                raise
        return self.session.ask(sql, values, LONGEST)

    def damaged(self, what: str) -> LedgerError:
        """See `StoredLedger`."""
        return damaged(self.session.address, what)
