"""Looks up many conversions at once."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from rdimport.ledger.hashes import first_from

if TYPE_CHECKING:
    import polars as pl

_PARTS: Final = 64
"""Number of parts in which the sources are collected: each part is in memory twice."""


def look_up(
    db: sqlite3.Connection, destination: int, identities: Iterable[bytes]
) -> list[tuple[Any, ...]]:
    """What is known about them, as in `schemas.KNOWN`; the last line of each is the latest."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (identity BLOB)")
    db.execute("DELETE FROM wanted")
    db.execute("BEGIN")
    db.executemany("INSERT INTO wanted VALUES (?)", ((i,) for i in identities))
    found = db.execute(
        "SELECT DISTINCT c.identity, c.state, c.payload, c.problems, c.refused,"
        " coalesce(c.tried, c.run), c.left_at, 0"
        # CROSS JOIN fixes the order: SQLite does not know the sizes, and would scan all of
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


def sources(query: Callable[..., list[tuple[Any, ...]]], destination: int, below: int) -> pl.Series:
    """The source hashes of accepted conversions; see `port.Run`.

    SQLite concatenates a part in one step: with a step for each row, Python would release and
    reacquire the GIL a million times.
    """
    import polars as pl  # noqa: PLC0415  as in `SqliteLedger.known`

    # the view looks each conversion up in the daybook, which is empty unless a run is active
    at_work = query("SELECT 1 FROM daybook WHERE destination = ? LIMIT 1", destination)
    known, size = array("q"), 256 // _PARTS
    for start in range(0, below, size):
        [(found,)] = query(
            "SELECT CAST(group_concat(source, '') AS BLOB)"  # noqa: S608  constants
            f" FROM {'conversion' if at_work else 'posted'} WHERE destination = ?"
            " AND identity >= ? AND identity < ? AND state = 'accepted' AND length(source) = 8",
            destination,
            first_from(start),
            first_from(min(start + size, below)),
        )
        known.frombytes(found or b"")
    return pl.Series(known, dtype=pl.Int64).sort()
