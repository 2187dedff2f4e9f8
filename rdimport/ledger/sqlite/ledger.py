"""The SQLite ledger: one file per state directory.

A row is in `sending` before its first byte is sent, and is removed from it in the same transaction
that records its result. Rows found there when a new run begins may have arrived and become
uncertain. Rows are identified by a keyed hash; the key is stored in the file, or kept apart.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rdimport.core.errors import Bug, LedgerError
from rdimport.core.names import fold
from rdimport.ledger.accounts import KeyClaim, claim, settle
from rdimport.ledger.attempts import Attempt, Latest, latest, latest_by
from rdimport.ledger.hashes import hashed
from rdimport.ledger.naming import Names, Unrecognised, unrecognised
from rdimport.ledger.records import Found, Lost, RunRecord
from rdimport.ledger.sqlite.accounts import AccountBooks, Accounts, claims, destination_of
from rdimport.ledger.sqlite.content import SqliteContent
from rdimport.ledger.sqlite.corrections import CorrectionBooks
from rdimport.ledger.sqlite.earlier_runs import NamingBooks, lines, note_attempt
from rdimport.ledger.sqlite.evidence import EvidenceBooks
from rdimport.ledger.sqlite.files import Watch
from rdimport.ledger.sqlite.key import FindKey, key_in, no_key
from rdimport.ledger.sqlite.lookup import look_up
from rdimport.ledger.sqlite.people import PeopleBooks
from rdimport.ledger.sqlite.refusals import lock_lost
from rdimport.ledger.sqlite.run import SqliteRun
from rdimport.ledger.sqlite.schema import busy_is_no_failure, damaged, explained, recover
from rdimport.ledger.sqlite.wholeness import looked_through
from rdimport.ledger.stored_run import no_run

if TYPE_CHECKING:
    import polars as pl

    from rdimport.ledger.holds import Held


class SqliteLedger:
    """An open ledger. Not thread-safe. Every method may raise LedgerError."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        find_key: FindKey = no_key,
        *,
        reading: bool = False,
    ) -> None:
        self.path = path
        self.place = str(path)
        self.accounts = Accounts(self)
        self.evidence = EvidenceBooks(self)
        self.corrections = CorrectionBooks(self)
        self.people = PeopleBooks(self)
        self._db = connection
        self._reading = reading
        self._key = key_in(path, connection, find_key)
        self._watch: Watch | None = None if reading else Watch(path)
        self.closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.closing:
            self._db.close()

    def rest(self) -> None:
        """Does nothing: the connection is not shared."""

    def writes(self) -> int:
        """Number of writes after which rows could be sent."""
        found = self.query("SELECT value FROM setting WHERE name = 'writes'")
        return int(found[0][0]) if found else 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction, durable at its end. Raises LedgerLostError if it was written to files that
        no later run will find.
        """
        with explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # if the disk is full, SQLite has already rolled back
                    self._db.execute("ROLLBACK")
                raise
        if self._watch is not None:
            self._watch.look()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.ask(sql, values)

    def ask(
        self, sql: str, values: Sequence[object] | Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        """The same with named parameters."""
        with explained(self.path, reading=self._reading):
            return self._db.execute(sql, values).fetchall()

    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, a few at a time."""
        with explained(self.path, reading=self._reading):
            yield from self._db.execute(sql, values)

    @property
    def key(self) -> bytes:
        """The key of all hashes, 32 bytes."""
        return self._key

    def digests(self, texts: Sequence[str], size: int = 16) -> list[bytes]:
        """Keyed hashes: addresses cannot be recovered from them without this file."""
        return hashed(self._key, texts, size)

    def run(self, name: str | None = None) -> SqliteRun:
        """The run of that name, or the latest one. Raises UsageError if there is none."""
        found = self.query(
            "SELECT id, destination, name FROM run WHERE name = coalesce(?, name)"
            " ORDER BY id DESC LIMIT 1",
            name,
        )
        if not found:
            raise no_run(self.place, name)
        return SqliteRun(self, *found[0])

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
        """Begin a run. Rows that an earlier one left in `sending` become uncertain. `held` is the
        lock on the account.

        The caller must hold the lock of the destination's account. Raises LedgerBusyError if other
        processes write continuously (a purge does not lock accounts it has never seen), UsageError
        if the key in its `key_claim` does not belong to the account.
        """
        self._see_that_it_is_whole()
        with busy_is_no_failure(self.path), self.transaction() as db:
            if held is not None and not held.is_held():
                raise lock_lost(self.path)
            where, account = destination_of(db, destination, record)
            recorded = replace(record, account=account)
            recover(db, where)
            settle(AccountBooks(db), claims(db, where))
            number = db.execute(
                "INSERT INTO run (name, destination, process, started_at, facts)"
                " VALUES (?, ?, ?, ?, ?)",
                (name, where, os.getpid(), started_at.isoformat(), recorded.text()),
            ).lastrowid
            if number is None:
                raise Bug(f"{self.path} gave the run no number")
            if key_claim is not None:
                claim(AccountBooks(db), where, number, started_at, key_claim)
        run = SqliteRun(self, number, where, name, held)
        if not record.sandbox:  # a sandbox of the run's own is empty: nothing can be lost
            run.watched(account, started_at)
        return run

    def _see_that_it_is_whole(self) -> None:
        """Check the B-trees: a damaged one may hide a row, which would be sent again (0.2 s per
        million rows).
        """
        found = self.query("PRAGMA quick_check(1)")
        if found != [("ok",)]:
            raise damaged(self.path, str(found[0][0]))

    def lost_lately(self, destination: str) -> Lost | None:
        """Nobody: a lock is held for as long as its process lives, also while it sleeps."""
        return None

    def latest(self, most: int) -> list[str]:
        """The names of the latest runs, newest first."""
        found = self.query("SELECT name FROM run ORDER BY id DESC LIMIT ?", most)
        return [name for (name,) in found]

    def unfinished(self) -> list[tuple[str, str]]:
        """Name and account of each run without an end: active or killed."""
        return self.query(
            "SELECT name, json_extract(facts, '$.account') FROM run"
            " WHERE finished_at IS NULL AND exit_code IS NULL"
        )

    def destination(self, identity: str) -> int | None:
        """The number of a destination; None if nothing was ever sent there."""
        found = self.query("SELECT id FROM destination WHERE identity = ?", identity)
        return found[0][0] if found else None

    def is_new(self, destination: int) -> bool:
        """Whether nothing was ever sent there."""
        return not self.query(
            "SELECT 1 FROM conversion WHERE destination = ?"
            " UNION ALL SELECT 1 FROM sending WHERE destination = ? LIMIT 1",
            destination,
            destination,
        )

    def knows_of_0_1(self, destination: int) -> bool:
        """Whether release 0.1.0, whose cleaners differ, sent rows there."""
        return bool(
            self.query(
                "SELECT 1 FROM run WHERE destination = ? AND id <= (SELECT value FROM setting"
                " WHERE name = 'last_run_of_0_1') LIMIT 1",
                destination,
            )
        )

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """What is known about the given conversions, in the schema `KNOWN`; unsent ones are
        omitted.
        """
        import polars as pl  # noqa: PLC0415  a fifth of a second, and most commands look nothing up

        from rdimport.core.schemas import KNOWN  # noqa: PLC0415

        with explained(self.path):
            found = look_up(self._db, destination, identities)
        frame = pl.DataFrame(found, schema=KNOWN, orient="row")
        return frame.unique("identity", keep="last", maintain_order=True)

    def knows_run(self, name: str) -> bool:
        """Whether there is a run of that name."""
        return bool(self.query("SELECT 1 FROM run WHERE name = ?", name))

    def unrecognised(
        self,
        destination: int,
        names: Names,
        before: int | None,
        fingerprints: Callable[[], Sequence[str]],
    ) -> list[Unrecognised]:
        """The conversions of runs `before` this one that its new rows may be, but would not
        match.
        """
        return unrecognised(NamingBooks(self), destination, names, before, fingerprints)

    def note_attempt(self, attempt: Attempt) -> None:
        """Record a run that ended before it began."""
        note_attempt(self, attempt)

    def latest_of_jobs(self, since: datetime | None = None, job: str | None = None) -> list[Latest]:
        """The latest run or attempt of each account and job, newest first."""
        return latest(lines(self, job), since)

    def latest_by(self, part: Callable[[datetime], date]) -> dict[date, list[Latest]]:
        """The same for each period."""
        return latest_by(lines(self), part)

    def looked_through(self) -> Found:
        """Check the ledger; returns what it contains and what is wrong."""
        return looked_through(self)

    @contextmanager
    def content(self) -> Iterator[SqliteContent]:
        """All that the ledger knows at one moment."""
        self.query("BEGIN")
        try:
            yield SqliteContent(self)
        finally:
            self.query("ROLLBACK")

    def damaged(self, what: str) -> LedgerError:
        """The error for a damaged ledger."""
        return damaged(self.path, what)
