"""Looks up many conversions at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any


def look_up(
    db: sqlite3.Connection, destination: int, identities: Iterable[bytes]
) -> list[tuple[Any, ...]]:
    """What is known about them, in the order of `schemas.KNOWN`; for each, the last line is the
    latest.
    """
    db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (identity BLOB)")
    db.execute("DELETE FROM wanted")
    db.execute("BEGIN")
    db.executemany("INSERT INTO wanted VALUES (?)", ((i,) for i in identities))
    found = db.execute(
        "SELECT DISTINCT c.identity, c.state, c.payload, c.problems, c.refused,"
        " coalesce(c.tried, c.run), c.left_at, 0"
        # CROSS: in this order. SQLite knows no sizes, and would look through all of
        # `wanted` for each of a million conversions.
        " FROM wanted w CROSS JOIN"
        " posted c ON c.destination = ? AND c.identity = w.identity"
        " UNION ALL SELECT identity, 'accepted', payload, '[]', NULL, run, NULL, 0 FROM daybook"
        " WHERE destination = ? AND identity IN (SELECT identity FROM wanted)"
        " UNION ALL"
        " SELECT identity, 'uncertain', payload, '[]', NULL, run, left_at, 0 FROM sending"
        " WHERE destination = ? AND identity IN (SELECT identity FROM wanted)",
        (destination, destination, destination),
    ).fetchall()
    db.execute("COMMIT")
    return found
