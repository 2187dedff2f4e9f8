"""Failed rows and their corrections, in a shared ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rdimport.ledger import parts
from rdimport.ledger.postgres.connection import SILENCE
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.records import Correction

_FAILED: Final = """
SELECT o.row, i.columns, o.cells, o.problems FROM rdimport.input i
JOIN rdimport.outcome o ON o.run = i.run AND o.file = i.file
WHERE %s IN (i.name, i.name || ' [' || i.sheet || ']')
    AND i.run = coalesce((SELECT id FROM rdimport.run WHERE name = %s), i.run)
    AND o.row = ANY(%s::int[]) AND o.state IN ('invalid', 'refused', 'uncertain')
"""


class CorrectionBooks(parts.CorrectionBooks):
    """Implements `parts.CorrectionBooks`."""

    _ledger: Database

    corrected = """
SELECT c.origin, c.row, r.name FROM rdimport.corrected c JOIN rdimport.conversion v
    ON v.destination = c.destination AND v.identity = c.identity JOIN rdimport.run r ON r.id = v.run
WHERE c.destination = %(destination)s AND v.state = 1
"""

    def _failed(self, file: str, rows: Sequence[int], run: str | None) -> list[tuple[Any, ...]]:
        return self._ledger.query(_FAILED, file, run, list(rows))

    def note(self, destination: int, corrections: Sequence[Correction]) -> None:
        """Record corrections; the latest one of a row counts."""
        with self._ledger.transaction(SILENCE) as db, db.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO rdimport.corrected VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (destination, origin, row) DO UPDATE SET identity ="
                " excluded.identity",
                [(destination, *correction) for correction in corrections],
            )
