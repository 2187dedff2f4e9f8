"""Uncertain conversions, and evidence about them, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final

from rdimport.core.row import Problem
from rdimport.ledger import parts
from rdimport.ledger.evidence import Accepted, Doubt
from rdimport.ledger.records import text_of
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.schema import recover

_AT_ONCE: Final = 500

_NOTHING_FAILED: Final = """
UPDATE run SET exit_code = 0 WHERE id IN (SELECT value FROM json_each(?)) AND exit_code = 1
    AND NOT EXISTS (SELECT 1 FROM tally t WHERE t.run = run.id AND t.rows > 0
    AND t.state IN ('invalid', 'refused', 'uncertain'))
"""
"""A run whose only failures were doubts that are settled has worked."""


class EvidenceBooks(parts.EvidenceBooks):
    """Implements `parts.EvidenceBooks`."""

    _ledger: LedgerFile

    def destination_at_rest(self, identity: str) -> int | None:
        """See `parts.EvidenceBooks`."""
        number = self._ledger.destination(identity)
        if number is not None:
            with self._ledger.transaction() as db:
                recover(db, number)
        return number

    def _doubts(self, destination: int, identities: Collection[bytes]) -> list[tuple[Any, ...]]:
        return self._of_each(
            "SELECT p.identity, p.run, r.name, p.file, p.row, p.left_at, r.started_at FROM posted p"
            " JOIN run r ON r.id = p.run WHERE p.state = 'uncertain' AND p.destination = ?"
            " AND p.identity IN",
            destination,
            identities,
        )

    def accept(self, destination: int, proved: Sequence[tuple[Doubt, Problem]]) -> Accepted:
        """See `parts.EvidenceBooks`."""
        done, runs = 0, set[int]()
        with self._ledger.transaction() as db:
            for doubt, proof in proved:
                text = text_of((proof,))
                changed = db.execute(
                    "UPDATE posted SET state = 'accepted', problems = ?, refused = NULL,"
                    " tried = NULL WHERE destination = ? AND identity = ? AND state = 'uncertain'",
                    (text, destination, doubt.identity),
                ).rowcount
                if changed:
                    done += 1
                    runs |= {doubt.run, *_move(db, destination, doubt, text)}
            which = (json.dumps(list(runs)),)
            db.execute(_NOTHING_FAILED, which)
            found = db.execute(
                "SELECT name FROM run WHERE id IN (SELECT value FROM json_each(?))", which
            )
            return Accepted(done, frozenset(name for (name,) in found))

    def runs_of(self, destination: int, identities: Collection[bytes]) -> dict[bytes, int]:
        """The run that sent each of the given conversions, unless unknown or refused."""
        return dict(
            self._of_each(
                "SELECT identity, run FROM posted WHERE state <> 'refused' AND destination = ?"
                " AND identity IN",
                destination,
                identities,
            )
        )

    def _of_each(
        self, sql: str, destination: int, identities: Collection[bytes]
    ) -> list[tuple[Any, ...]]:
        """The results for many identities, queried a few hundred at a time."""
        found: list[tuple[Any, ...]] = []
        wanted = list(identities)
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            found += self._ledger.query(f"{sql} ({marks})", destination, *some)
        return found


def _move(db: sqlite3.Connection, destination: int, doubt: Doubt, text: str) -> list[int]:
    """Count the rows of a proved conversion as accepted: that of the run that sent it, and those
    of later runs that listed it as uncertain. Returns the numbers of the runs.
    """
    moved = db.execute(
        "UPDATE outcome SET state = 'accepted', problems = :text, warnings = '[]'"
        " WHERE state = 'uncertain' AND run = :run AND file = :file AND row = :row RETURNING run",
        {**doubt._asdict(), "text": text},
    ).fetchall()
    moved += db.execute(
        "UPDATE outcome SET state = 'accepted', problems = :text, warnings = '[]'"
        " WHERE state = 'uncertain' AND identity = :identity AND run IN"
        " (SELECT id FROM run WHERE destination = :destination AND id > :run) RETURNING run",
        {**doubt._asdict(), "text": text, "destination": destination},
    ).fetchall()
    runs = [run for (run,) in moved]
    db.executemany(
        "INSERT INTO tally VALUES (?, ?, ?)"
        " ON CONFLICT (run, state) DO UPDATE SET rows = rows + excluded.rows",
        (change for run in runs for change in ((run, "uncertain", -1), (run, "accepted", 1))),
    )
    return runs
