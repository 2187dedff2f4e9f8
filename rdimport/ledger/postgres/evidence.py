"""Uncertain conversions, and evidence about them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from rdimport.core.row import Problem
from rdimport.ledger import parts
from rdimport.ledger.evidence import Accepted, Doubt
from rdimport.ledger.postgres import statements
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.session import Connection
from rdimport.ledger.postgres.writes import plain
from rdimport.ledger.records import text_of

_ALL: Final = 2**62
"""Greater than any epoch: the caller holds the account, so no run of it is active."""

_PROVED: Final = """
UPDATE rdimport.conversion SET state = 1, problems = %s, refused = NULL, tried = NULL, was = NULL,
    before = NULL WHERE destination = %s AND identity = %s AND state = 2
"""

_MOVED: Final = """
UPDATE rdimport.outcome SET state = 'accepted', problems = %(text)s, warnings = '[]'
WHERE state = 'uncertain' AND ((run, file, row) = (%(run)s, %(file)s, %(row)s)
    OR (identity = %(identity)s AND run IN
        (SELECT id FROM rdimport.run WHERE destination = %(destination)s AND id > %(run)s)))
RETURNING run
"""
"""The row that was sent, and those of later runs that listed it as uncertain."""


class EvidenceBooks(parts.EvidenceBooks):
    """Implements `parts.EvidenceBooks`."""

    _ledger: Database

    def destination_at_rest(self, identity: str) -> int | None:
        """See `parts.EvidenceBooks`."""
        number = self._ledger.destination(identity)
        if number is not None:
            with self._ledger.transaction() as db:
                db.execute(statements.ACCOUNT_FIRST, {"destination": number})
                recover(db, number, _ALL)
        return number

    def _doubts(self, destination: int, identities: Collection[bytes]) -> list[tuple[Any, ...]]:
        return self._ledger.query(
            "SELECT c.identity, c.run, r.name, c.file, c.row, c.left_at, r.started_at"
            " FROM rdimport.conversion c JOIN rdimport.run r ON r.id = c.run"
            " WHERE c.state = 2 AND c.destination = %s AND c.identity = ANY(%s::bytea[])",
            destination,
            list(identities),
        )

    def accept(self, destination: int, proved: Sequence[tuple[Doubt, Problem]]) -> Accepted:
        """See `parts.EvidenceBooks`."""
        done, runs = 0, set[int]()
        identities = [doubt.identity for doubt, _proof in proved]
        with self._ledger.transaction() as db:
            ours = {"destination": destination, "identities": identities}
            db.execute(statements.ACCOUNT_FIRST, ours)
            db.execute(statements.IN_ORDER, ours)
            for doubt, proof in proved:
                text = plain(text_of((proof,)))
                if db.execute(_PROVED, (text, destination, doubt.identity)).rowcount:
                    done += 1
                    runs |= {doubt.run, *_move(db, destination, doubt, text)}
            db.execute(statements.NOTHING_FAILED, (list(runs),))
            found = db.execute(
                "SELECT name FROM rdimport.run WHERE id = ANY(%s::int[])", (list(runs),)
            ).fetchall()
        return Accepted(done, frozenset(name for (name,) in found))

    def runs_of(self, destination: int, identities: Collection[bytes]) -> dict[bytes, int]:
        """The run that sent each of the given conversions, unless unknown or refused."""
        found = self._ledger.query(
            "SELECT identity, run FROM rdimport.conversion WHERE state IN (1, 2)"
            " AND destination = %s AND identity = ANY(%s::bytea[])",
            destination,
            list(identities),
        )
        return dict(found)


def recover(db: Connection, destination: int, epoch: int) -> None:
    """Mark rows that earlier runs of a destination left in flight as uncertain. The caller has
    locked the account (`statements.ACCOUNT_FIRST`).
    """
    earlier = {"destination": destination, "epoch": epoch}
    if db.execute(statements.UNLISTED, earlier).rowcount:
        db.execute(statements.RECOVER_UNLISTED, earlier)
    found = db.execute(statements.IN_FLIGHT, earlier).fetchall()
    if found:
        ours = {**earlier, "identities": [identity for (identity,) in found]}
        db.execute(statements.IN_ORDER, ours)
        db.execute(statements.RECOVER, ours)
    db.execute(
        "UPDATE rdimport.run SET stopped_because = 'killed', exit_code = 3 WHERE destination = %s"
        " AND finished_at IS NULL AND stopped_because IS NULL AND epoch < %s",
        (destination, epoch),
    )


def _move(db: Connection, destination: int, doubt: Doubt, text: str) -> list[int]:
    """Count the rows of a proved conversion as accepted; returns the numbers of their runs."""
    values = {**doubt._asdict(), "text": text, "destination": destination}
    runs = [run for (run,) in db.execute(_MOVED, values).fetchall()]
    for run in runs:
        for state, rows in (("uncertain", -1), ("accepted", 1)):
            db.execute(statements.TALLY, (run, state, rows))
    return runs
