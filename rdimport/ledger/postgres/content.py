"""Reads the contents of a shared ledger, and fills an empty one with those of another kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.row import State
from rdimport.ledger.content import TABLES, Content, Line
from rdimport.ledger.postgres.connection import Connection
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.schema import ACCEPTED, FREE, REFUSED, UNCERTAIN
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.trouble import explained

_AT_ONCE: Final = 10_000
_CODES: Final = {
    State.ACCEPTED: ACCEPTED,
    State.UNCERTAIN: UNCERTAIN,
    State.REFUSED: REFUSED,
}
_NAMES: Final = {code: str(state) for state, code in _CODES.items()}


class PostgresContent:
    """Implements `ledger.content.Content`, within the caller's snapshot."""

    def __init__(self, ledger: Database) -> None:
        self._session = ledger.session
        self.key = ledger.key
        self.shared_as = ledger.session.address.shown
        found = ledger.query("SELECT value FROM rdimport.setting WHERE name = 'last_run_of_0_1'")
        self.last_run_of_0_1: int | None = int(found[0][0]) if found else None

    def lines(self, table: str) -> Iterator[Line]:
        """The lines of a table."""
        columns = ", ".join(_columns(table))
        query = f"SELECT {columns} FROM rdimport.{table}"  # noqa: S608  constants
        if table == "conversion":
            query += f" WHERE state <> {FREE} ORDER BY destination, identity"
        with explained(self._session.address):
            cursor = self._session.connection.cursor(name="content")
            with cursor:
                cursor.itersize = _AT_ONCE
                cursor.execute(query)
                yield from map(_named, cursor) if table == "conversion" else cursor


def take(session: Session, content: Content) -> None:
    """Fill an empty ledger with these contents, completely or not at all.

    Raises UsageError if it is not empty.
    """
    with session.transaction() as db:
        db.execute("LOCK TABLE rdimport.destination, rdimport.run, rdimport.attempt")
        for table in ("destination", "run", "attempt"):
            if db.execute(f"SELECT 1 FROM rdimport.{table} LIMIT 1").fetchone():  # noqa: S608  constants
                where = session.address.shown
                raise UsageError(
                    _("{to} is not empty, and a copy must not replace anything.", to=where),
                    _("Name another place, or move what is there aside."),
                )
        if content.last_run_of_0_1 is not None:
            db.execute(
                "INSERT INTO rdimport.setting VALUES ('last_run_of_0_1', %s)",
                (str(content.last_run_of_0_1),),
            )
        for table in TABLES:
            _fill(db, table, content.lines(table))
        for table in ("destination", "run", "attempt"):
            db.execute(
                f"SELECT setval(pg_get_serial_sequence('rdimport.{table}', 'id'), max(id))"  # noqa: S608  constants
                f" FROM rdimport.{table} HAVING max(id) IS NOT NULL"
            )


def _fill(db: Connection, table: str, lines: Iterator[Line]) -> None:
    columns = ", ".join(_columns(table))
    more, attempt = ("", ()) if table != "conversion" else (", attempt, epoch", (1, 0))
    into = f"COPY rdimport.{table} ({columns}{more}) FROM STDIN"
    with db.cursor() as cursor, cursor.copy(into) as copy:
        for line in lines:
            values = _coded(line) if table == "conversion" else line
            copy.write_row([*map(_storable, values), *attempt])


def _columns(table: str) -> Iterator[str]:
    """Quoted names, as some are key words of SQL."""
    return (f'"{column}"' for column in TABLES[table])


def _storable(value: object) -> object:
    """The value without NUL, which PostgreSQL accepts neither in text nor, escaped, in JSON."""
    if not isinstance(value, str) or ("\0" not in value and "\\u0000" not in value):
        return value
    return value.replace("\0", "\ufffd").replace("\\u0000", "\\ufffd")


def _coded(line: Line) -> Line:
    named = dict(zip(TABLES["conversion"], line, strict=True))
    state = State(str(named["state"]))
    named["state"] = _CODES[state]
    if state is State.ACCEPTED and named["problems"] == "[]":
        named["problems"] = None
    return tuple(named.values())


def _named(line: tuple[Any, ...]) -> Line:
    """The line with the name of its state, and empty texts where SQLite's columns are NOT NULL."""
    named = dict(zip(TABLES["conversion"], line, strict=True))
    named["state"] = _NAMES[named["state"]]
    named["receipt"], named["problems"] = named["receipt"] or "", named["problems"] or "[]"
    return tuple(named.values())
