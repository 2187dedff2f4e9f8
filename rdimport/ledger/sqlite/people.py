"""Personal data in the ledger, and its removal, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rdimport.core.people import People
from rdimport.ledger import parts
from rdimport.ledger.records import Erased
from rdimport.ledger.sql import in_sqlite
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.erasing import STRIPPED, erase
from rdimport.ledger.sqlite.files import remove_half_made

_READERS_WAIT: Final = 0.25
"""Seconds to wait for readers before the log is emptied: writers are blocked meanwhile, and a
report may read for minutes.
"""


class PeopleBooks(parts.PeopleBooks):
    """Implements `parts.PeopleBooks`."""

    _ledger: LedgerFile

    def erase(self, people: People, *, also_hash: bool) -> Erased:
        """See `parts.PeopleBooks`."""
        return erase(self._ledger, people, also_hash=also_hash)

    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """Remove the personal data of runs before that time; returns the number of runs.

        Runs `at_work` are skipped; a killed run has no end, so its start counts. Cells and values
        are deleted. The keyed hashes are kept, or rows would be sent twice. Deleted data is
        overwritten with zeros once `empty_log` has succeeded, but the file keeps its size: see
        `shrink`.
        """
        with self._ledger.transaction() as db:
            return _forget(db, before, now, at_work)

    def shrink(self) -> None:
        """Return the space of deleted data to the file system.

        This rewrites the whole file and blocks writers: no run may be active or begin.
        """
        self._ledger.query("VACUUM")
        remove_half_made(self._ledger.path.parent)

    def empty_log(self) -> bool:
        """Remove deleted data from the disk: checkpoint the write-ahead log and truncate it.

        Returns False if a reader or writer prevents it; then the next call, or the last process to
        close the file, does it.
        """
        ((usual,),) = self._ledger.query("PRAGMA busy_timeout")
        self._ledger.query(f"PRAGMA busy_timeout = {int(_READERS_WAIT * 1000)}")
        try:
            ((busy, *_),) = self._ledger.query("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._ledger.query(f"PRAGMA busy_timeout = {usual}")
        return not busy


def _forget(db: sqlite3.Connection, before: datetime, now: datetime, at_work: Sequence[str]) -> int:
    chosen = "IN (SELECT id FROM run WHERE forgotten_at = ?)"
    db.execute("PRAGMA secure_delete = ON")
    runs = db.execute(
        f"UPDATE run SET forgotten_at = :now WHERE id IN ({in_sqlite(parts.OLD_RUNS)})"  # noqa: S608
        " AND name NOT IN (SELECT value FROM json_each(:at_work))",
        {
            "now": now.isoformat(),
            "before": before.isoformat(),
            "at_work": json.dumps(list(at_work)),
        },
    ).rowcount
    moment = (now.isoformat(),)
    db.execute(f"DELETE FROM outcome WHERE run {chosen}", moment)  # noqa: S608
    db.execute(f"UPDATE input SET columns = '[]' WHERE run {chosen}", moment)  # noqa: S608
    db.execute(
        f"UPDATE posted SET problems = {STRIPPED} WHERE problems <> '[]'"  # noqa: S608
        f" AND coalesce(tried, run) {chosen}",
        moment,
    )
    db.execute("DELETE FROM attempt WHERE at < ?", (before.isoformat(),))
    return runs
