"""Reads the contents of a SQLite ledger, and makes one from the contents of another kind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from rdimport.ledger.content import TABLES, Content, Line
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.files import new_file
from rdimport.ledger.sqlite.schema import as_a_whole, make
from rdimport.ledger.sqlite.writes import eight_bytes

_SOURCE: Final = TABLES["conversion"].index("source")


class SqliteContent:
    """Implements `ledger.content.Content`, within the caller's snapshot."""

    def __init__(self, ledger: LedgerFile) -> None:
        self._ledger = ledger
        self.key = ledger.key
        self.shared_as = ""
        found = ledger.query("SELECT value FROM setting WHERE name = 'last_run_of_0_1'")
        self.last_run_of_0_1: int | None = found[0][0] if found else None

    def lines(self, table: str) -> Iterator[Line]:
        """The lines of a table."""
        columns = ", ".join(TABLES[table])
        order = " ORDER BY 2, 1" if table == "conversion" else ""
        found = self._ledger.stream(f"SELECT {columns} FROM {table}{order}")  # noqa: S608
        return map(_with_number, found) if table == "conversion" else found


def take(to: Path, content: Content) -> None:
    """Make a ledger with these contents, completely or not at all.

    Raises UsageError if the location is not empty.
    """
    with new_file(to) as new, closing(sqlite3.connect(new, isolation_level=None)) as db:
        make(new, db)
        with as_a_whole(db):
            db.execute("UPDATE setting SET value = ? WHERE name = 'hash_key'", (content.key,))
            if content.last_run_of_0_1 is not None:
                db.execute(
                    "INSERT INTO setting VALUES ('last_run_of_0_1', ?)", (content.last_run_of_0_1,)
                )
            if content.shared_as:
                db.execute("INSERT INTO setting VALUES ('twin', ?)", (content.shared_as,))
            for table, columns in TABLES.items():
                lines = content.lines(table)
                name = "posted" if table == "conversion" else table
                marks = ", ".join("?" * len(columns))
                db.executemany(
                    f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
                    map(_with_bytes, lines) if table == "conversion" else lines,
                )


def _with_number(line: Line) -> Line:
    """The line with its source hash, 8 bytes, as an integer."""
    source = line[_SOURCE]
    number = None
    if isinstance(source, bytes):
        (number,) = memoryview(source).cast("q")
    return (*line[:_SOURCE], number, *line[_SOURCE + 1 :])


def _with_bytes(line: Line) -> Line:
    """The line with its source hash, an integer, as 8 bytes."""
    source = line[_SOURCE]
    eight = eight_bytes(source) if isinstance(source, int) else None
    return (*line[:_SOURCE], eight, *line[_SOURCE + 1 :])
