"""SQL that both kinds of ledger understand. It is written once, as PostgreSQL spells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Final, LiteralString, Protocol

_SPELT: Final = {
    "rdimport.in_flight": "sending",
    "rdimport.": "",
    "json_array_elements(": "json_each(",
}


class Ask(Protocol):
    """Executes a statement with named parameters."""

    def __call__(
        self, sql: LiteralString, values: Mapping[str, object], /
    ) -> list[tuple[Any, ...]]:
        """All rows; none for a statement that has no result."""


class Asked(Protocol):
    """A ledger that answers queries."""

    @property
    def place(self) -> str:
        """Its location, for messages."""

    @property
    def key(self) -> bytes:
        """The key of all hashes."""

    def ask(self, sql: LiteralString, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """All rows of a query with named parameters."""

    def writing(self) -> AbstractContextManager[Ask]:
        """A transaction, durable at its end; yields a function that executes statements in it."""

    def see_name(self, name: object) -> str:
        """Return the name of a run. Raises LedgerDamagedError for a name that rdimport does not
        give.
        """

    def destination(self, identity: str) -> int | None:
        """The number of a destination; None if nothing was ever sent there."""


@cache
def in_sqlite(sql: str) -> str:
    """The same statement as SQLite spells it: tables without a schema, values without casts, and
    `:name` for a parameter.
    """
    for postgres, sqlite in _SPELT.items():
        sql = sql.replace(postgres, sqlite)
    return re.sub(r"%\((\w+)\)s", r":\1", re.sub(r"::\w+", "", sql))
