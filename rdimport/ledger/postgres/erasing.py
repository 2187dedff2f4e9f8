"""Erases people and everything stored with their rows from a shared ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

from rdimport.core.people import People
from rdimport.ledger.content import TEXTS
from rdimport.ledger.naming import identity_texts
from rdimport.ledger.postgres.connection import BLOCKS, Connection
from rdimport.ledger.records import Erased, problems_of, text_of

_MAY_NAME: Final = "~ '@|%%40|＠|#64;|#x40;'"
"""Texts without these characters contain no address; the others are examined by `People`."""

_AT_ONCE: Final = 1_000 if BLOCKS else 1

Place = tuple[int, int, int]


def erase(
    db: Connection,
    digests: Callable[[Sequence[str]], list[bytes]],
    people: People,
    *,
    also_hash: bool,
) -> Erased:
    """Remove people, within the caller's transaction; see `parts.PeopleBooks`."""
    theirs = _rows(db, people)
    rows = sum(_emptied(db, place) for place in theirs)
    hashes = _erase_hashes(db, digests, people, theirs) if also_hash else 0
    _strip(db, people, theirs)
    for table, column in (*TEXTS, ("conversion", "receipt")):
        _rewrite(db, people, table, column)
    _unname_columns(db, people)
    runs = db.execute(
        "SELECT name FROM rdimport.run WHERE id = ANY(%s::int[]) ORDER BY id",
        ([run for run, _, _ in theirs],),
    ).fetchall()
    return Erased(rows, hashes, tuple(name for (name,) in runs))


def _rows(db: Connection, people: People) -> list[Place]:
    """Run, file and number of all rows that name one of them."""
    found: dict[Place, None] = {}
    with db.cursor() as cursor:
        for run, file, row, *texts in cursor.stream(
            "SELECT run, file, row, cells, problems, warnings FROM rdimport.outcome", size=_AT_ONCE
        ):
            if any(map(people.are_in, texts)):
                found[run, file, row] = None
        for run, file, row, *texts in cursor.stream(
            "SELECT run, file, row, problems, before ->> 'problems' FROM rdimport.conversion"
            " WHERE problems IS NOT NULL OR before IS NOT NULL",
            size=_AT_ONCE,
        ):
            if any(map(people.are_in, filter(None, texts))):
                found[run, file, row] = None
    return list(found)


def _emptied(db: Connection, place: Place) -> int:
    """Empty the cells of a row; only code and field of its problems are kept."""
    found = db.execute(
        "SELECT cells, problems FROM rdimport.outcome WHERE run = %s AND file = %s AND row = %s",
        place,
    ).fetchall()
    for cells, problems in found:
        empty = json.dumps([""] * len(json.loads(cells)))
        db.execute(
            "UPDATE rdimport.outcome SET cells = %s, problems = %s, warnings = '[]'"
            " WHERE run = %s AND file = %s AND row = %s",
            (empty, _stripped(problems), *place),
        )
    return len(found)


def _strip(db: Connection, people: People, theirs: Sequence[Place]) -> None:
    """Strip the problems of their conversions, also in the earlier states to which these return if
    the last request did not arrive.
    """
    known = frozenset(theirs)
    for identity, destination, problems, before, *place in db.execute(
        "SELECT identity, destination, problems, before, run, file, row FROM rdimport.conversion"
        " WHERE problems IS NOT NULL OR before IS NOT NULL"
    ).fetchall():
        texts = [problems] + ([before["problems"], before["receipt"]] if before else [])
        if tuple(place) in known or any(map(people.are_in, filter(None, texts))):
            if before:
                before["problems"] = before["problems"] and _stripped(before["problems"])
                before["receipt"] = before["receipt"] and people.out_of(before["receipt"])
            db.execute(
                "UPDATE rdimport.conversion SET problems = %s, before = %s"
                " WHERE identity = %s AND destination = %s",
                (
                    problems and _stripped(problems),
                    before and json.dumps(before),
                    identity,
                    destination,
                ),
            )


def _stripped(problems: str) -> str:
    return text_of([p._replace(column="", value="", detail="") for p in problems_of(problems)])


def _rewrite(db: Connection, people: People, table: str, column: str) -> None:
    found = db.execute(
        f"SELECT DISTINCT {column} FROM rdimport.{table} WHERE {column} {_MAY_NAME}".encode(),
        (),
    ).fetchall()
    for (text,) in found:
        if people.are_in(text):
            db.execute(
                f"UPDATE rdimport.{table} SET {column} = %s WHERE {column} = %s".encode(),
                (people.out_of(text), text),
            )


def _unname_columns(db: Connection, people: People) -> None:
    """A list without headings may have a person as its header: number such columns."""
    for run, file, columns in db.execute(
        "SELECT run, file, columns FROM rdimport.input"
    ).fetchall():
        if people.are_in(columns):
            numbers = [str(n + 1) for n in range(len(json.loads(columns)))]
            db.execute(
                "UPDATE rdimport.input SET columns = %s WHERE run = %s AND file = %s",
                (json.dumps(numbers), run, file),
            )


def _erase_hashes(
    db: Connection,
    digests: Callable[[Sequence[str]], list[bytes]],
    people: People,
    theirs: Sequence[Place],
) -> int:
    """Delete the conversions of their rows, and those with the identities they would have."""
    named = db.execute(
        "SELECT DISTINCT text, fields FROM rdimport.named WHERE text <> ''"
    ).fetchall()
    texts = identity_texts(named, people.emails)
    gone = db.execute(
        "DELETE FROM rdimport.conversion WHERE identity = ANY(%s::bytea[])", (digests(texts),)
    ).rowcount
    for place in theirs:
        gone += db.execute(
            "DELETE FROM rdimport.conversion WHERE run = %s AND file = %s AND row = %s", place
        ).rowcount
    db.execute(
        "UPDATE rdimport.outcome o SET identity = NULL WHERE identity IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM rdimport.conversion c WHERE c.identity = o.identity)"
    )
    db.execute(
        "UPDATE rdimport.written w SET flying = (SELECT coalesce(string_agg(f.identity, ''), '')"
        " FROM rdimport.in_flight f WHERE f.run = w.run) WHERE w.flying <> ''"
    )
    db.execute(
        "DELETE FROM rdimport.corrected o WHERE NOT EXISTS"
        " (SELECT 1 FROM rdimport.conversion c WHERE c.identity = o.identity)"
    )
    return gone
