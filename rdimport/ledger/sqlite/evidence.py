"""Uncertain conversions, and evidence about them, in SQLite."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from rdimport.ledger import parts
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.schema import recover

_AT_ONCE: Final = 500


class EvidenceBooks(parts.EvidenceBooks):
    """Implements `parts.EvidenceBooks`."""

    _ledger: LedgerFile

    proved = """
UPDATE posted SET state = 'accepted', problems = %(text)s, refused = NULL, tried = NULL
WHERE destination = %(destination)s AND identity = %(identity)s AND state = 'uncertain' RETURNING 1
"""

    def _recover(self, destination: int) -> None:
        with self._ledger.transaction() as db:
            recover(db, destination)

    def _doubts(self, destination: int, identities: Collection[bytes]) -> list[tuple[Any, ...]]:
        return self._of_each(
            "SELECT p.identity, p.run, r.name, p.file, p.row, p.left_at, r.started_at FROM posted p"
            " JOIN run r ON r.id = p.run WHERE p.state = 'uncertain' AND p.destination = ?"
            " AND p.identity IN",
            destination,
            identities,
        )

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
