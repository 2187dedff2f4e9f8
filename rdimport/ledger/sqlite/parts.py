"""The parts of a ledger besides its runs, in SQLite: see `ledger.parts`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from rdimport.core.people import People
from rdimport.ledger import accounts as rules
from rdimport.ledger import parts
from rdimport.ledger.accounts import spelt
from rdimport.ledger.records import Correction, Erased, RunRecord
from rdimport.ledger.sql import in_sqlite
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.erasing import STRIPPED, erase
from rdimport.ledger.sqlite.files import remove_half_made
from rdimport.ledger.sqlite.schema import recover


def destination_of(db: sqlite3.Connection, named: str, record: RunRecord) -> tuple[int, str]:
    """The number of a destination, created if it is new, and its account's name."""
    db.execute(
        "INSERT OR IGNORE INTO destination (identity, endpoint, account) VALUES (?, ?, ?)",
        (named, spelt(named, record.base_url, record.account), record.account),
    )
    found: tuple[int, str] = db.execute(
        "SELECT id, account FROM destination WHERE identity = ?", (named,)
    ).fetchone()
    return found


class AccountBooks(rules.AccountBooks):
    """Implements `accounts.AccountBooks`."""

    sent = """
SELECT EXISTS (SELECT 1 FROM posted WHERE destination = :destination AND state <> 'refused')
    OR EXISTS (SELECT 1 FROM daybook WHERE destination = :destination)
    OR EXISTS (SELECT 1 FROM sending WHERE destination = :destination)
"""
    of_run = """
SELECT EXISTS (SELECT 1 FROM minute WHERE run = :run AND accepted > 0)
    OR EXISTS (SELECT 1 FROM sending WHERE run = :run)
    OR EXISTS (SELECT 1 FROM posted WHERE destination = :destination AND run = :run
    AND state = 'uncertain')
"""
    emptied = "DELETE FROM posted WHERE destination = :destination"


class Accounts(parts.Accounts):
    """Implements `parts.Accounts`."""

    books = AccountBooks
    listed = """
SELECT d.account, d.endpoint, (SELECT count(*) FROM account_key k WHERE k.destination = d.id),
    (SELECT count(*) FROM conversion c WHERE c.destination = d.id
    AND c.state IN ('accepted', 'uncertain')),
    (SELECT max(started_at) FROM run WHERE run.destination = d.id)
FROM destination d WHERE d.endpoint <> '' ORDER BY d.endpoint, d.account
"""


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
