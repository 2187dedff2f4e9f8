"""Reads the records of a run, for reports and status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.stored_run import StoredRun

_LISTED: Final = "SELECT file, row, state, cells, problems, warnings FROM ends WHERE run = ?"


class RunReader(StoredRun[LedgerFile]):
    """A run as recorded in the ledger."""

    first_accepted = """
SELECT file, row FROM conversion WHERE destination = %(destination)s AND run = %(run)s
    AND state = 'accepted' ORDER BY file, row LIMIT %(most)s
"""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A consistent snapshot, so that all files describe the same moment."""
        self.ledger.query("BEGIN")
        try:
            yield
        finally:
            self.ledger.query("ROLLBACK")

    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        marks = ", ".join("?" * len(states))
        asked = f"{_LISTED} AND state IN ({marks}) ORDER BY file, row"
        return self.ledger.stream(asked, self.number, *states)
