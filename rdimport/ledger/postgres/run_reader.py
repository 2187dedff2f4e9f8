"""Reads the records of a run, for reports and status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Final

from rdimport.ledger.postgres.database import Database
from rdimport.ledger.stored_run import StoredRun

_AT_ONCE: Final = 2_000
_LISTED: Final = """
SELECT file, row, state, cells, problems, warnings FROM rdimport.ends
WHERE run = %s AND state = ANY(%s::text[]) AND (file, row) > (%s, %s) ORDER BY file, row LIMIT %s
"""


class RunReader(StoredRun[Database]):
    """A run as recorded in the ledger."""

    first_accepted = """
SELECT file, row FROM rdimport.conversion WHERE destination = %(destination)s AND run = %(run)s
    AND state = 1 ORDER BY file, row LIMIT %(most)s
"""

    def snapshot(self) -> AbstractContextManager[None]:
        """A consistent snapshot, so that all files describe the same moment."""
        return self.ledger.snapshot()

    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        """A few thousand rows at a time: other queries may come between."""
        after = (-1, -1)
        while found := self.ledger.query(_LISTED, self.number, list(states), *after, _AT_ONCE):
            yield from found
            after = found[-1][:2]
