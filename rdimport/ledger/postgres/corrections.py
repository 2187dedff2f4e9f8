"""Failed rows and their corrections, in a shared ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from rdimport.ledger.corrections import Corrected, Correction, FailedRow
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.session import SILENCE
from rdimport.ledger.records import problems_of

_FAILED: Final = """
SELECT o.row, i.columns, o.cells, o.problems FROM rdimport.input i
JOIN rdimport.outcome o ON o.run = i.run AND o.file = i.file
WHERE %s IN (i.name, i.name || ' [' || i.sheet || ']')
    AND i.run = coalesce((SELECT id FROM rdimport.run WHERE name = %s), i.run)
    AND o.row = ANY(%s::int[]) AND o.state IN ('invalid', 'refused', 'uncertain')
"""
_ACCEPTED: Final = """
SELECT c.origin, c.row, r.name FROM rdimport.corrected c JOIN rdimport.conversion v
    ON v.destination = c.destination AND v.identity = c.identity JOIN rdimport.run r ON r.id = v.run
WHERE c.destination = %s AND v.state = 1
"""


class CorrectionBooks:
    """Implements `parts.CorrectionBooks`."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    def failed(self, file: str, rows: Sequence[int], run: str | None) -> list[FailedRow]:
        """Rows with these numbers that failed when a file was imported, in one `run` or ever."""
        return [
            FailedRow(
                row,
                dict(zip(json.loads(columns), json.loads(cells), strict=False)),
                problems_of(problems),
            )
            for row, columns, cells, problems in self._ledger.query(_FAILED, file, run, list(rows))
        ]

    def note(self, destination: int, corrections: Sequence[Correction]) -> None:
        """Record corrections; the latest one of a row counts."""
        with self._ledger.transaction(SILENCE) as db, db.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO rdimport.corrected VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (destination, origin, row) DO UPDATE SET identity ="
                " excluded.identity",
                [(destination, *correction) for correction in corrections],
            )

    def accepted(self, destination: int) -> list[Corrected]:
        """The failed rows whose corrections were accepted."""
        return [Corrected(*values) for values in self._ledger.query(_ACCEPTED, destination)]
