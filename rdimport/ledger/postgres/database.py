"""An open ledger as the modules of this package use it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, LiteralString, Protocol

from rdimport.ledger.postgres.gathered import Gathered
from rdimport.ledger.postgres.session import Connection, Session
from rdimport.ledger.stored_run import AskedLedger

if TYPE_CHECKING:
    import polars as pl


class Database(AskedLedger, Protocol):
    """A ledger that is queried in SQL. Not thread-safe."""

    @property
    def session(self) -> Session:
        """The connection."""

    @property
    def gathered(self) -> Gathered:
        """The connection that all runs of this process share for what they send."""

    @property
    def timeline(self) -> str:
        """The timeline of the database when it was opened (`schema.TIMELINE`)."""

    def transaction(self, within: float | None = None) -> AbstractContextManager[Connection]:
        """A transaction, durable at its end; `within` limits its seconds. Raises LedgerError."""

    def query(self, sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query, repeated if the connection broke meanwhile."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Let all queries see the same moment."""

    def sources(self, destination: int, below: int) -> pl.Series:
        """See `port.Run`."""
