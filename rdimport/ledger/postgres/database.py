"""An open ledger as the modules of this package use it."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, LiteralString

from rdimport.ledger.port import Ledger
from rdimport.ledger.postgres.gathered import Gathered
from rdimport.ledger.postgres.session import Connection, Session

if TYPE_CHECKING:
    import polars as pl


class Database(Ledger):
    """A ledger that is queried in SQL. Not thread-safe."""

    session: Session
    timeline: str
    """The timeline of the database when it was opened (`schema.TIMELINE`)."""

    @property
    @abstractmethod
    def gathered(self) -> Gathered:
        """The connection that all runs of this process share for what they send."""

    @abstractmethod
    def transaction(self, within: float | None = None) -> AbstractContextManager[Connection]:
        """A transaction, durable at its end; `within` limits its seconds. Raises LedgerError."""

    @abstractmethod
    def query(self, sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query, repeated if the connection broke meanwhile."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Let all queries see the same moment."""

    @abstractmethod
    def sources(self, destination: int, below: int) -> pl.Series:
        """See `port.Run`."""
