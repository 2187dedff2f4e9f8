"""Doubt that becomes knowledge: uncertain conversions, and the evidence that they arrived."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from rdimport.core.row import Problem
from rdimport.ledger.hashes import digests_of
from rdimport.ledger.records import text_of
from rdimport.ledger.sqlite.ledger import Ledger
from rdimport.ledger.sqlite.schema import recover

PROVED: Final = "proved."
"""What the codes of a row begin with whose arrival was proved later."""


_AT_ONCE: Final = 500


class Doubt(NamedTuple):
    """A conversion that may have arrived. `left_at` is when its request left, or a little before,
    in milliseconds of the Unix epoch; `run` and `name` are of the run that sent it.
    """

    identity: bytes
    run: int
    name: str
    file: int
    row: int
    left_at: int


class Complete(NamedTuple):
    """What a source of proofs said of itself: all conversions with one of these identifiers (their
    hashes) that were made from `since` to `until` are in it.
    """

    since: int
    until: int
    identifiers: frozenset[bytes]


def destination_at_rest(ledger: Ledger, identity: str) -> int | None:
    """The number of a destination whose killed runs have come to their end, None where nothing was
    ever sent there. Only who holds the lock of its account may call this.
    """
    number = ledger.destination(identity)
    if number is not None:
        with ledger.transaction() as db:
            recover(db, number)
    return number


def identity_fields(ledger: Ledger, destination: int, identifier: str) -> set[tuple[str, ...]]:
    """The identity fields by which runs have told conversions of that name apart."""
    exact, _ = digests_of(ledger.key, identifier)
    found = ledger.query(
        "SELECT DISTINCT n.fields FROM named n JOIN run r ON r.id = n.run"
        " WHERE n.exact = ? AND r.destination = ?",
        exact,
        destination,
    )
    return {tuple(json.loads(fields)) if fields else ("email",) for (fields,) in found}


def identifier_hash(ledger: Ledger, identifier: str) -> bytes:
    """By what the ledger knows a conversion_identifier."""
    return digests_of(ledger.key, identifier)[0]


def doubts(ledger: Ledger, destination: int, identities: Collection[bytes]) -> list[Doubt]:
    """Those of some conversions that are uncertain. A run of an earlier release kept no moments:
    that of its start stands for them.
    """
    found = _of_each(
        ledger,
        "SELECT p.identity, p.run, r.name, p.file, p.row, p.left_at, r.started_at FROM posted p"
        " JOIN run r ON r.id = p.run WHERE p.state = 'uncertain' AND p.destination = ?"
        " AND p.identity IN",
        destination,
        identities,
    )
    return [
        Doubt(identity, run, name, file, row, started_ms(start) if left_at is None else left_at)
        for identity, run, name, file, row, left_at, start in found
    ]


def started_ms(moment: str) -> int:
    """A moment of the ledger in milliseconds of the Unix epoch."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def accept(ledger: Ledger, destination: int, proved: Sequence[tuple[Doubt, Problem]]) -> int:
    """Note that uncertain conversions arrived, each with its proof; returns how many were still
    uncertain. All at once, and durable.
    """
    done = 0
    with ledger.transaction() as db:
        for doubt, proof in proved:
            text = text_of((proof,))
            changed = db.execute(
                "UPDATE posted SET state = 'accepted', problems = ?, refused = NULL, tried = NULL"
                " WHERE destination = ? AND identity = ? AND state = 'uncertain'",
                (text, destination, doubt.identity),
            ).rowcount
            if not changed:
                continue
            done += 1
            place = (doubt.run, doubt.file, doubt.row)
            moved = db.execute(
                "UPDATE outcome SET state = 'accepted', problems = ?, warnings = '[]'"
                " WHERE run = ? AND file = ? AND row = ? AND state = 'uncertain'",
                (text, *place),
            ).rowcount
            for state, rows in (("uncertain", -moved), ("accepted", moved)):
                db.execute(
                    "INSERT INTO tally VALUES (?, ?, ?)"
                    " ON CONFLICT (run, state) DO UPDATE SET rows = rows + excluded.rows",
                    (doubt.run, state, rows),
                )
    return done


def proofs(ledger: Ledger, run: int) -> dict[str, int]:
    """How many rows of a run were proved later, by the kind of the proof."""
    found = ledger.query(
        "SELECT substr(p.value ->> '$[0]', ?), count(*) FROM outcome o, json_each(o.problems) p"
        " WHERE o.run = ? AND o.state = 'accepted' GROUP BY 1 ORDER BY 1",
        len(PROVED) + 1,
        run,
    )
    return dict(found)


def note_complete(ledger: Ledger, destination: int, told: Complete, source: str) -> None:
    """Note what a source says of its completeness."""
    with ledger.transaction() as db:
        db.executemany(
            "INSERT OR REPLACE INTO complete VALUES (?, ?, ?, ?, ?)",
            ((destination, told.since, told.until, one, source) for one in told.identifiers),
        )


def complete(ledger: Ledger, destination: int) -> dict[bytes, list[tuple[int, int]]]:
    """From when to when it is known of an identifier what did not arrive."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    for identifier, since, until in ledger.query(
        "SELECT identifier, since, until FROM complete WHERE destination = ?", destination
    ):
        found.setdefault(identifier, []).append((since, until))
    return found


def filled_in(ledger: Ledger, runs: Iterable[int]) -> Mapping[str, int]:
    """In how many rows of some runs each field was filled."""
    return dict(
        ledger.query(
            "SELECT field, sum(rows) FROM filled WHERE run IN (SELECT value FROM json_each(?))"
            " AND rows > 0 AND instr(field, ':') = 0 GROUP BY field",
            json.dumps(list(runs)),
        )
    )


def runs_of(ledger: Ledger, destination: int, identities: Collection[bytes]) -> dict[bytes, int]:
    """The run that sent each of some conversions, as far as they are known and not refused."""
    return dict(
        _of_each(
            ledger,
            "SELECT identity, run FROM posted WHERE state <> 'refused' AND destination = ?"
            " AND identity IN",
            destination,
            identities,
        )
    )


def _of_each(
    ledger: Ledger, sql: str, destination: int, identities: Collection[bytes]
) -> list[tuple[Any, ...]]:
    """The answers for some identities, asked for a few hundred at once."""
    found: list[tuple[Any, ...]] = []
    wanted = list(identities)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        found += ledger.query(f"{sql} ({marks})", destination, *some)
    return found
