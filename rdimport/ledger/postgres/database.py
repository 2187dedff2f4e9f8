"""An open ledger as its own modules see it: a database that is asked and written to."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, LiteralString, Protocol

from rdimport.ledger.postgres.gathered import Gathered
from rdimport.ledger.postgres.session import Connection, Session
from rdimport.ledger.stored_run import Asked

if TYPE_CHECKING:
    import polars as pl


class Database(Asked, Protocol):
    """What other rooms ask of it, and what can be asked in SQL."""

    @property
    def session(self) -> Session:
        """The connection."""

    @property
    def gathered(self) -> Gathered:
        """Over which all runs of this process write what they send."""

    @property
    def timeline(self) -> str:
        """Which history of the database it was opened in."""

    def transaction(self, within: float | None = None) -> AbstractContextManager[Connection]:
        """All or nothing, durable at its end, and within some seconds."""

    def query(self, sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a question, asked again where the connection broke meanwhile."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All questions are about one moment."""

    def sources(self, destination: int) -> pl.Series:
        """All hashes by which accepted conversions can be recognised: Int64, in order."""

    def see_name(self, name: str) -> str:
        """The name of a run. Raises LedgerDamagedError for one that we would not give."""
