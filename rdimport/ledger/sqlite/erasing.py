"""Erases a person and everything stored with their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from rdimport.core.people import People
from rdimport.ledger.content import TEXTS
from rdimport.ledger.naming import identity_texts
from rdimport.ledger.records import Erased
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.files import databases_aside
from rdimport.ledger.sqlite.schema import as_a_whole, uri_of
from rdimport.ledger.sqlite.upgrade import copies

STRIPPED: Final = (
    "(SELECT json_group_array(json_array(p.value ->> 0, p.value ->> 1, '', '', ''))"
    " FROM json_each(problems) p)"
)
"""The `problems` of a row without personal data."""

_TEXTS: Final = (*TEXTS, ("posted", "receipt"), ("daybook", "receipt"))


def erase(ledger: LedgerFile, people: People, *, also_hash: bool) -> Erased:
    """See `parts.PeopleBooks`."""
    state_dir = ledger.path.parent
    saved, aside = copies(state_dir), databases_aside(state_dir)  # before anything is erased
    with ledger.transaction() as db:
        known = _identities(db, ledger.digests, people)
        rows, runs = _erase(db, people, known)
        hashes = _erase_hashes(db, known) if also_hash else 0
    ledger.people.shrink()
    gone = [copy for copy in saved if _names(copy, people)]
    for copy in gone:
        copy.unlink(missing_ok=True)
    left = [path for path in aside if not _erased_aside(path, people)]
    return Erased(rows, hashes, runs, tuple(gone), tuple(left))


def _erase(
    db: sqlite3.Connection, people: People, known: Sequence[str] = ()
) -> tuple[int, tuple[str, ...]]:
    """Erase rows that name them, and rows that were sent with their identities (`known`), whatever
    their cells contain: an address may be composed of several.
    """
    db.execute("PRAGMA secure_delete = ON")
    db.create_function("are_in", 1, lambda text: bool(text) and people.are_in(str(text)))
    db.create_function("out_of", 1, lambda text: people.out_of(str(text)))
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    _find(db, there, known)
    rows = _strip(db)
    for table, column in (text for text in _TEXTS if text[0] in there):
        db.execute(f"UPDATE {table} SET {column} = out_of({column}) WHERE are_in({column})")  # noqa: S608
    db.execute(  # a list without headings may have a person as its header
        "UPDATE input SET columns = (SELECT json_group_array('' || (key + 1))"
        " FROM json_each(columns)) WHERE are_in(columns)"
    )
    found = db.execute("SELECT name FROM run WHERE id IN (SELECT run FROM theirs) ORDER BY id")
    return rows, tuple(name for (name,) in found)


def _find(db: sqlite3.Connection, there: set[str], known: Sequence[str]) -> None:
    """Fill the temporary table `theirs` with the places of their rows; `there`: all tables."""
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS theirs (run, file, row, PRIMARY KEY (run, file, row))"
    )
    db.execute("DELETE FROM theirs")
    db.execute(
        "INSERT INTO theirs SELECT run, file, row FROM outcome"
        " WHERE are_in(cells) OR are_in(problems) OR are_in(warnings)"
    )
    db.execute(
        "INSERT OR IGNORE INTO theirs SELECT run, file, row FROM posted WHERE are_in(problems)"
    )
    for table in there & {"posted", "daybook", "sending"}:
        db.execute(
            f"INSERT OR IGNORE INTO theirs SELECT run, file, row FROM {table}"  # noqa: S608
            " WHERE lower(hex(identity)) IN (SELECT value FROM json_each(?))",
            (json.dumps(known),),
        )


def _strip(db: sqlite3.Connection) -> int:
    """Empty the cells and the details of the problems of their rows; returns how many there are."""
    rows = db.execute(
        f"UPDATE outcome SET problems = {STRIPPED}, warnings = '[]', cells ="  # noqa: S608
        " (SELECT json_group_array('') FROM json_each(cells))"
        " WHERE (run, file, row) IN (SELECT * FROM theirs)"
    ).rowcount
    db.execute(
        f"UPDATE posted SET problems = {STRIPPED} WHERE problems <> '[]'"  # noqa: S608
        " AND ((run, file, row) IN (SELECT * FROM theirs) OR are_in(problems))"
    )
    return rows


def _identities(
    db: sqlite3.Connection,
    digests: Callable[[Sequence[str]], list[bytes]],
    people: People,
) -> list[str]:
    """The hashes of these people in the ledger, for every conversion whose name it has."""
    named = db.execute("SELECT DISTINCT text, fields FROM named WHERE text <> ''").fetchall()
    texts = identity_texts(named, people.emails)
    return [digest.hex() for digest in digests(texts)]


def _erase_hashes(db: sqlite3.Connection, known: Sequence[str]) -> int:
    """Delete the conversions of their rows, and those with the identities they would have."""
    gone = 0
    for table in ("posted", "daybook", "sending"):
        gone += db.execute(
            f"DELETE FROM {table} WHERE (run, file, row) IN (SELECT * FROM theirs)"  # noqa: S608
            " OR lower(hex(identity)) IN (SELECT value FROM json_each(?))",
            (json.dumps(known),),
        ).rowcount
    db.execute(
        "UPDATE outcome SET identity = NULL"
        " WHERE identity IS NOT NULL AND identity NOT IN (SELECT identity FROM conversion)"
    )
    db.execute(
        "DELETE FROM corrected WHERE NOT EXISTS (SELECT 1 FROM posted p WHERE p.destination ="
        " corrected.destination AND p.identity = corrected.identity)"
        " AND (destination, identity) NOT IN (SELECT destination, identity FROM daybook)"
    )
    return gone


def _names(path: Path, people: People) -> bool:
    """Whether any text of a database contains their addresses; an unreadable one may."""
    try:
        with closing(sqlite3.connect(uri_of(path), uri=True)) as db:
            db.create_function("are_in", 1, lambda text: bool(text) and people.are_in(str(text)))
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for (table,) in tables:
                columns = [line[1] for line in db.execute(f'PRAGMA table_info("{table}")')]
                which = " OR ".join(
                    f'(typeof("{column}") = \'text\' AND are_in("{column}"))' for column in columns
                )
                if db.execute(f'SELECT 1 FROM "{table}" WHERE {which} LIMIT 1').fetchone():  # noqa: S608
                    return True
    except sqlite3.Error:
        return True
    return False


def _erased_aside(path: Path, people: People) -> bool:
    """Remove them from a ledger that was moved aside; returns whether that was possible."""
    try:
        if not _names(path, people):
            return True
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            with as_a_whole(db):
                _erase(db, people)
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return False
    return not _names(path, people)
