"""The ledger in a PostgreSQL database that many machines share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString, Self

from rdimport.core.errors import LedgerError
from rdimport.ledger.accounts import KeyClaim, claim, settle
from rdimport.ledger.holds import Held
from rdimport.ledger.postgres import lease, renewing, statements
from rdimport.ledger.postgres.accounts import (
    ALONE,
    BESIDE,
    AccountBooks,
    Accounts,
    NotBesideError,
    claim_beside,
    destination_of,
)
from rdimport.ledger.postgres.content import PostgresContent
from rdimport.ledger.postgres.corrections import CorrectionBooks
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.evidence import EvidenceBooks, recover
from rdimport.ledger.postgres.gathered import Gathered, join, leave
from rdimport.ledger.postgres.lookup import known, sources
from rdimport.ledger.postgres.people import PeopleBooks
from rdimport.ledger.postgres.run import PostgresRun
from rdimport.ledger.postgres.session import SILENCE, Connection, Session, asking
from rdimport.ledger.postgres.trouble import CutOffError, damaged, taken_over
from rdimport.ledger.postgres.wholeness import looked_through
from rdimport.ledger.records import Found, Lost, RunRecord
from rdimport.ledger.sql import Ask

if TYPE_CHECKING:
    import polars as pl


class PostgresLedger(Database):
    """An open ledger. Not thread-safe. Every method may raise LedgerError."""

    conversions = """
SELECT run, count(*) FROM rdimport.conversion WHERE destination = %(destination)s
    AND state IN (0, 1, 2) GROUP BY run
"""
    sent = """
SELECT 1 FROM rdimport.conversion WHERE destination = %(destination)s AND state <> 9 LIMIT 1
"""

    def __init__(self, session: Session, key: bytes, timeline: str) -> None:
        super().__init__(key)
        self.session = session
        self.place = session.address.shown
        self.timeline = timeline
        self.accounts = Accounts(self)
        self.evidence = EvidenceBooks(self)
        self.corrections = CorrectionBooks(self)
        self.people = PeopleBooks(self)
        self._looking = False
        self._gathered: Gathered | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._gathered is not None:
            leave(self._gathered)
            self._gathered = None
        self.session.end()

    def rest(self) -> None:
        """Give the connection back; the next question takes one again."""
        self.session.end()

    @property
    def gathered(self) -> Gathered:
        """The connection that all runs of this process share for what they send."""
        if self._gathered is None:
            self._gathered = join(self.session.address)
        return self._gathered

    @contextmanager
    def transaction(self, within: float | None = None) -> Iterator[Connection]:
        """A transaction, durable at its end; `within` limits its seconds."""
        with self.session.transaction(within) as db:
            yield db

    def query(self, sql: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query, repeated if the connection broke meanwhile."""
        return self.ask(sql, values)

    def ask(
        self, sql: LiteralString, values: Sequence[object] | Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        """The same with named parameters."""
        try:
            return self.session.query(sql, values)
        except CutOffError:
            self.session.close()
            if self._looking:
                raise
        return self.session.query(sql, values)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries see the same moment."""
        self.query("SELECT 1")
        self.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._looking = True
        try:
            self.query("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield
        finally:
            self._looking = False
            self.query("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Ask]:
        """A transaction, durable at its end; yields what is asked within it."""
        with self.transaction() as db:
            yield asking(db)

    def run(self, name: str | None = None) -> PostgresRun:
        """The run of that name, or the latest one. Raises UsageError if there is none."""
        return PostgresRun(self, *self.find_run(name))

    def start_run(
        self,
        name: str,
        destination: str,
        started_at: datetime,
        record: RunRecord,
        key_claim: KeyClaim | None = None,
        *,
        held: Held | None = None,
    ) -> PostgresRun:
        """Begin a run. Rows that an earlier one left in flight become uncertain.

        The caller must hold the account: `held` is the result of `PostgresStore.hold`. Raises
        LedgerBusyError if another process has taken the account over, and UsageError if the key in
        the run's `key_claim` does not belong to the account.
        """
        if isinstance(held, renewing.Held):
            turn = held.lease
        else:
            quota = self.digests([f"destination {destination}"])[0]
            turn = lease.seize(self.session, quota)
        begin = partial(self._begin, name, destination, started_at, record, key_claim, turn=turn)
        try:
            number, where = begin(alone=False)
        except NotBesideError:
            number, where = begin(alone=True)
        return PostgresRun(self, number, where, name, turn=turn, held=held)

    def _begin(
        self,
        name: str,
        destination: str,
        started_at: datetime,
        record: RunRecord,
        key_claim: KeyClaim | None,
        *,
        turn: lease.Lease,
        alone: bool,
    ) -> tuple[int, int]:
        """Record the beginning of a run; returns its number and that of its destination. Raises
        NotBesideError where that must be done `alone`, as keys have to be looked through.
        """
        with self.transaction(SILENCE) as db:
            db.execute(ALONE if alone else BESIDE)
            if db.execute(statements.EPOCH, (turn.quota,)).fetchone() != (turn.epoch,):
                raise taken_over(self.session.address)
            where, account = destination_of(db, destination, record)
            recorded = replace(record, account=account)
            recover(db, where, turn.epoch)
            books = AccountBooks(asking(db))
            settle(books, books.claims(where))
            made = db.execute(
                "WITH made AS (INSERT INTO rdimport.run (name, destination, process, started_at,"
                " facts, epoch) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id)"
                " INSERT INTO rdimport.written SELECT id, 0, NULL, '' FROM made RETURNING run",
                (
                    name,
                    where,
                    os.getpid(),
                    started_at.isoformat(),
                    recorded.text(),
                    turn.epoch,
                ),
            ).fetchall()
            number = int(made[0][0])
            if key_claim is not None and alone:
                claim(books, where, number, started_at, key_claim)
            elif key_claim is not None:
                claim_beside(db, where, number, started_at, key_claim)
        return number, where

    def lost_lately(self, destination: str) -> Lost | None:
        """The run that was lost last, if it may come back."""
        return lease.lost_lately(self.session, destination)

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """What is known about the given conversions, in the schema `KNOWN`, without unsent ones."""
        return known(self.query, destination, identities)

    def sources(self, destination: int, below: int) -> pl.Series:
        """See `port.Run`."""
        return sources(self.session, destination, below)

    def looked_through(self) -> Found:
        """Check the ledger; returns what it contains and what is wrong."""
        return looked_through(self)

    @contextmanager
    def content(self) -> Iterator[PostgresContent]:
        """A snapshot of its contents. No run may be active."""
        with self.snapshot():
            yield PostgresContent(self)

    def damaged(self, what: str) -> LedgerError:
        """The error for a damaged ledger."""
        return damaged(self.session.address, what)
