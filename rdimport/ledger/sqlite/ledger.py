"""The SQLite ledger: one file per state directory.

A row is in `sending` before its first byte is sent, and is removed from it in the same transaction
that records its result. Rows found there when a new run begins may have arrived and become
uncertain. Rows are identified by a keyed hash; the key is stored in the file, or kept apart.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import Bug
from rdimport.core.names import fold
from rdimport.ledger import twins
from rdimport.ledger.accounts import KeyClaim, claim, resolve_claims
from rdimport.ledger.evidence import forget_what_was_to_come
from rdimport.ledger.records import Found, Lost, RunRecord
from rdimport.ledger.sqlite.account_locks import Held as AccountLock
from rdimport.ledger.sqlite.content import SqliteContent
from rdimport.ledger.sqlite.copies import alone, refuse_behind
from rdimport.ledger.sqlite.database import LedgerFile, asking
from rdimport.ledger.sqlite.key import FindKey, no_key
from rdimport.ledger.sqlite.parts import (
    AccountBooks,
    Accounts,
    CorrectionBooks,
    EvidenceBooks,
    PeopleBooks,
    destination_of,
)
from rdimport.ledger.sqlite.run import SqliteRun
from rdimport.ledger.sqlite.schema import busy_is_no_failure, damaged, explained, lock_lost, recover
from rdimport.ledger.sqlite.wholeness import looked_through

if TYPE_CHECKING:
    import polars as pl

    from rdimport.ledger.holds import Held


# CROSS JOIN fixes the order: SQLite does not know the sizes, and would scan all of `posted`
_KNOWN: Final = """
SELECT DISTINCT c.identity, c.state, c.payload, c.problems, c.refused, coalesce(c.tried, c.run),
    c.left_at, 0
FROM wanted w CROSS JOIN posted c ON c.destination = :destination AND c.identity = w.identity
UNION ALL SELECT identity, 'accepted', payload, '[]', NULL, run, NULL, 0 FROM daybook
WHERE destination = :destination AND identity IN (SELECT identity FROM wanted)
UNION ALL SELECT identity, 'uncertain', payload, '[]', NULL, run, left_at, 0 FROM sending
WHERE destination = :destination AND identity IN (SELECT identity FROM wanted)
"""
"""What is known about the conversions in `wanted`; the last line of each is the latest."""


class SqliteLedger(LedgerFile):
    """An open ledger. Not thread-safe. Every method may raise LedgerError."""

    conversions = """
SELECT run, count(*) FROM (SELECT run FROM conversion WHERE destination = :destination
    AND state IN ('accepted', 'uncertain')
    UNION ALL SELECT run FROM sending WHERE destination = :destination) GROUP BY run
"""
    sent = """
SELECT 1 FROM conversion WHERE destination = :destination
UNION ALL SELECT 1 FROM sending WHERE destination = :destination LIMIT 1
"""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        find_key: FindKey = no_key,
        *,
        reading: bool = False,
    ) -> None:
        super().__init__(path, connection, find_key, reading=reading)
        self.accounts = Accounts(self)
        self.evidence = EvidenceBooks(self)
        self.corrections = CorrectionBooks(self)
        self.people = PeopleBooks(self)

    def run(self, name: str | None = None) -> SqliteRun:
        """The run of that name, or the latest one. Raises UsageError if there is none."""
        return SqliteRun(self, *self.find_run(name))

    def at_work(self, account: str) -> tuple[int, str] | None:
        """Process and start of the account's latest run without an end."""
        found = self.query(
            "SELECT process, started_at, facts ->> '$.account' FROM run"
            " WHERE finished_at IS NULL AND exit_code IS NULL ORDER BY id DESC"
        )
        same = ((process, start) for process, start, of in found if fold(of) == fold(account))
        return next(same, None)

    def start_run(
        self,
        name: str,
        destination: str,
        started_at: datetime,
        record: RunRecord,
        key_claim: KeyClaim | None = None,
        *,
        held: Held | None = None,
    ) -> SqliteRun:
        """See `port.Ledger`. Raises LedgerBusyError if other processes write continuously: a purge
        does not lock accounts it has never seen.
        """
        if isinstance(held, AccountLock) and not record.sandbox:  # before the pages are read, as
            held.hold_with_it(alone(self, record.account))  # what others write looks damaged
        self._check_integrity()
        with busy_is_no_failure(self.path), self.transaction() as db:
            if held is not None and not held.is_held():
                raise lock_lost(self.path)
            where, account = destination_of(db, destination, record)
            if not record.sandbox:
                self.refuse_behind(account)
            recorded = replace(record, account=account)
            recover(db, where)
            forget_what_was_to_come(asking(db), where, started_at)
            books = AccountBooks(asking(db))
            resolve_claims(books, books.claims(where))
            number = db.execute(
                "INSERT INTO run (name, destination, process, started_at, facts)"
                " VALUES (?, ?, ?, ?, ?)",
                (name, where, os.getpid(), started_at.isoformat(), recorded.text()),
            ).lastrowid
            if number is None:
                raise Bug(f"{self.path} gave the run no number")
            if key_claim is not None:
                claim(books, where, number, started_at, key_claim)
        run = SqliteRun(self, number, where, name, held)
        if not record.sandbox:  # a sandbox of the run's own is empty: nothing can be lost
            run.watched(account, started_at)
        return run

    def _check_integrity(self) -> None:
        """Check the B-trees: a damaged one may hide a sent row (0.2 s per million rows)."""
        found = self.query("PRAGMA quick_check(1)")
        if found != [("ok",)]:
            raise damaged(self.path, str(found[0][0]))

    def refuse_behind(self, account: str | None = None) -> None:
        """See `port.Ledger`."""
        twins.refuse(self, ("--state-dir", str(self.path.parent.absolute())))
        refuse_behind(self, account)

    def lost_lately(self, destination: str) -> Lost | None:
        """None: a lock is held for as long as its process lives, also while it sleeps."""
        return None

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """See `port.Ledger`."""
        import polars as pl  # noqa: PLC0415  a fifth of a second, and most commands look nothing up

        from rdimport.core.schemas import KNOWN  # noqa: PLC0415

        with explained(self.path):
            self._db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (identity BLOB)")
            self._db.execute("DELETE FROM wanted")
            self._db.execute("BEGIN")
            wanted = ((identity,) for identity in identities)
            self._db.executemany("INSERT INTO wanted VALUES (?)", wanted)
            found = self._db.execute(_KNOWN, {"destination": destination}).fetchall()
            self._db.execute("COMMIT")
        frame = pl.DataFrame(found, schema=KNOWN, orient="row")
        return frame.unique("identity", keep="last", maintain_order=True)

    def looked_through(self) -> Found:
        """Check the ledger; returns what it contains and what is wrong."""
        return looked_through(self)

    @contextmanager
    def content(self) -> Iterator[SqliteContent]:
        """A snapshot of the ledger's contents."""
        with self.snapshot():
            yield SqliteContent(self)
