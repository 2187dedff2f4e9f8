"""SQL that both kinds of ledger understand. It is written once, as PostgreSQL spells it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, ClassVar, Final, LiteralString, Protocol

from rdimport.core.errors import LedgerError
from rdimport.core.messages import _
from rdimport.core.names import is_run

_SPELT: Final = {
    "rdimport.in_flight": "sending",
    "rdimport.": "",
    "json_array_elements(": "json_each(",
}

TALLY: Final = """
INSERT INTO rdimport.tally AS t VALUES (%(run)s, %(state)s, %(rows)s)
ON CONFLICT (run, state) DO UPDATE SET rows = t.rows + excluded.rows
"""
NOTHING_FAILED: Final = """
UPDATE rdimport.run SET exit_code = 0 WHERE id = %(run)s AND exit_code = 1 AND NOT EXISTS
    (SELECT 1 FROM rdimport.tally t WHERE t.run = %(run)s AND t.rows > 0
    AND t.state IN ('invalid', 'refused', 'uncertain'))
"""
"""A run whose only failures were uncertain rows that are now settled has succeeded."""


class Ask(Protocol):
    """Executes a statement with named parameters."""

    def __call__(
        self, sql: LiteralString, values: Mapping[str, object], /
    ) -> list[tuple[Any, ...]]:
        """All rows; none for a statement that has no result."""


class Asked(ABC):
    """A ledger that answers queries."""

    place: str
    """Its location, for messages."""
    conversions: ClassVar[LiteralString]
    """Runs with their number of conversions that have arrived or may have."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        """The key of all hashes, 32 bytes."""

    @abstractmethod
    def ask(self, sql: LiteralString, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """All rows of a query with named parameters."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Ask]:
        """A transaction, durable at its end; yields a function that executes statements in it."""

    @abstractmethod
    def damaged(self, what: str) -> LedgerError:
        """The error for a damaged ledger, with a remedy."""

    def see_name(self, name: object) -> str:
        """Return the name of a run, which is also that of its report's folder. Raises
        LedgerDamagedError for a name that rdimport does not give, as it may lead to another folder.
        """
        if not isinstance(name, str) or not is_run(name):
            raise self.damaged(_("it has a run with the name {name}", name=ascii(name)[:80]))
        return name

    def destination(self, identity: str) -> int | None:
        """The number of a destination; None if nothing was ever sent there."""
        sql = "SELECT id FROM rdimport.destination WHERE identity = %(identity)s"
        rows = self.ask(sql, {"identity": identity})
        return rows[0][0] if rows else None


@cache
def in_sqlite(sql: str) -> str:
    """The same statement as SQLite spells it: tables without a schema, values without casts, and
    `:name` for a parameter.
    """
    for postgres, sqlite in _SPELT.items():
        sql = sql.replace(postgres, sqlite)
    return re.sub(r"%\((\w+)\)s", r":\1", re.sub(r"::\w+", "", sql))
