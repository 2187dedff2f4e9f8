"""Uncertain conversions, and evidence about them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rdimport.core.row import Problem
from rdimport.ledger import parts
from rdimport.ledger.postgres import statements
from rdimport.ledger.postgres.connection import Connection
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.writes import plain
from rdimport.ledger.sql import Ask

_ALL: Final = 2**62
"""Greater than any epoch: the caller holds the account, so no run of it is active."""


class EvidenceBooks(parts.EvidenceBooks):
    """Implements `parts.EvidenceBooks`."""

    _ledger: Database

    proved = """
UPDATE rdimport.conversion SET state = 1, problems = %(text)s, refused = NULL, tried = NULL,
    was = NULL, before = NULL
WHERE destination = %(destination)s AND identity = %(identity)s AND state = 2 RETURNING 1
"""

    def _recover(self, destination: int) -> None:
        with self._ledger.transaction() as db:
            db.execute(statements.ACCOUNT_FIRST, {"destination": destination})
            recover(db, destination, _ALL)

    @contextmanager
    def _proving(self, destination: int, identities: Sequence[bytes]) -> Iterator[Ask]:
        values = {"destination": destination, "identities": identities}
        with self._ledger.writing() as ask:
            ask(statements.ACCOUNT_FIRST, values)
            ask(statements.IN_ORDER, values)
            yield ask

    def _text(self, proof: Problem) -> str:
        return plain(super()._text(proof))

    def _doubts(self, destination: int, identities: Collection[bytes]) -> list[tuple[Any, ...]]:
        return self._ledger.query(
            "SELECT c.identity, c.run, r.name, c.file, c.row, c.left_at, r.started_at"
            " FROM rdimport.conversion c JOIN rdimport.run r ON r.id = c.run"
            " WHERE c.state = 2 AND c.destination = %s AND c.identity = ANY(%s::bytea[])",
            destination,
            list(identities),
        )

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
        values = {**earlier, "identities": [identity for (identity,) in found]}
        db.execute(statements.IN_ORDER, values)
        db.execute(statements.RECOVER, values)
    db.execute(
        "UPDATE rdimport.run SET stopped_because = 'killed', exit_code = 3 WHERE destination = %s"
        " AND finished_at IS NULL AND stopped_because IS NULL AND epoch < %s",
        (destination, epoch),
    )
