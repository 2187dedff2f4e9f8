"""Failed rows and their corrections, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from rdimport.ledger import parts
from rdimport.ledger.records import Correction
from rdimport.ledger.sqlite.database import LedgerFile

# CROSS JOIN fixes the order: SQLite does not know the sizes of the tables.
_FAILED: Final = """
SELECT o.row, i.columns, o.cells, o.problems FROM input i
CROSS JOIN outcome o ON o.run = i.run AND o.file = i.file
WHERE ? IN (i.name, i.name || ' [' || i.sheet || ']')
    AND i.run = coalesce((SELECT id FROM run WHERE name = ?), i.run)
    AND o.row IN (SELECT value FROM json_each(?))
    AND o.state IN ('invalid', 'refused', 'uncertain')
"""


class CorrectionBooks(parts.CorrectionBooks):
    """Implements `parts.CorrectionBooks`."""

    _ledger: LedgerFile

    corrected = """
SELECT c.origin, c.row, r.name FROM corrected c CROSS JOIN posted p ON p.destination = c.destination
    AND p.identity = c.identity JOIN run r ON r.id = p.run
WHERE c.destination = %(destination)s AND p.state = 'accepted'
UNION SELECT c.origin, c.row, r.name FROM daybook d CROSS JOIN corrected c
    ON c.destination = d.destination AND c.identity = d.identity JOIN run r ON r.id = d.run
WHERE c.destination = %(destination)s
"""

    def _failed(self, file: str, rows: Sequence[int], run: str | None) -> list[tuple[Any, ...]]:
        return self._ledger.query(_FAILED, file, run, json.dumps(list(rows)))

    def note(self, destination: int, corrections: Sequence[Correction]) -> None:
        """Record corrections; the latest one of a row counts."""
        with self._ledger.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO corrected VALUES (?, ?, ?, ?)",
                ((destination, *correction) for correction in corrections),
            )
