"""The ledger in a PostgreSQL database that many machines share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rdimport.ledger import twins
from rdimport.ledger.accounts import KeyClaim, claim, resolve_claims
from rdimport.ledger.evidence import forget_what_was_to_come
from rdimport.ledger.holds import Held
from rdimport.ledger.postgres import lease, renewing, statements
from rdimport.ledger.postgres.connection import SILENCE
from rdimport.ledger.postgres.content import PostgresContent
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.parts import (
    ALONE,
    BESIDE,
    AccountBooks,
    Accounts,
    CorrectionBooks,
    EvidenceBooks,
    NotBesideError,
    PeopleBooks,
    claim_beside,
    destination_of,
    recover,
)
from rdimport.ledger.postgres.remembered import Remembered
from rdimport.ledger.postgres.run import PostgresRun
from rdimport.ledger.postgres.session import Session, asking
from rdimport.ledger.postgres.trouble import taken_over
from rdimport.ledger.postgres.wholeness import ACCEPTED, BY_STATE, QUESTIONS
from rdimport.ledger.records import Found, Lost, RunRecord
from rdimport.ledger.wholeness import looked_through

if TYPE_CHECKING:
    import polars as pl


_AT_ONCE: Final = 20_000
_KNOWN: Final = """
SELECT identity, CASE state WHEN 1 THEN 'accepted' WHEN 3 THEN 'refused' ELSE 'uncertain' END,
    payload, coalesce(problems, '[]'), refused, coalesce(tried, run), left_at,
    attempt::bigint * 16 + state
FROM rdimport.conversion WHERE destination = %s AND identity = ANY(%b::bytea[]) AND state <> 9
"""


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
        super().__init__(session, key, timeline)
        self.accounts = Accounts(self)
        self.evidence = EvidenceBooks(self)
        self.corrections = CorrectionBooks(self)
        self.people = PeopleBooks(self)

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
        """See `port.Ledger`. Raises LedgerBusyError if another process took the account over."""
        if isinstance(held, renewing.Held):
            turn = held.lease
        else:
            quota = self.digests([f"destination {destination}"])[0]
            turn = lease.seize(self.session, quota)
        remembered = Remembered(self, record.account)
        remembered.refuse_behind()
        begin = partial(self._begin, name, destination, started_at, record, key_claim, turn=turn)
        try:
            number, where = begin(alone=False)
        except NotBesideError:
            number, where = begin(alone=True)
        return PostgresRun(self, number, where, name, turn=turn, held=held, remembered=remembered)

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
        NotBesideError if that must be done `alone`, because keys have to be searched.
        """
        with self.transaction(SILENCE) as db:
            db.execute(ALONE if alone else BESIDE)
            if db.execute(statements.EPOCH, (turn.quota,)).fetchone() != (turn.epoch,):
                raise taken_over(self.session.address)
            where, account = destination_of(db, destination, record)
            recorded = replace(record, account=account)
            recover(db, where, turn.epoch)
            forget_what_was_to_come(asking(db), where, started_at)
            books = AccountBooks(asking(db))
            resolve_claims(books, books.claims(where))
            values = (name, where, os.getpid(), started_at.isoformat(), recorded.text(), turn.epoch)
            ((number,),) = db.execute(statements.NEW_RUN, values).fetchall()
            if key_claim is not None and alone:
                claim(books, where, number, started_at, key_claim)
            elif key_claim is not None:
                claim_beside(db, where, number, started_at, key_claim)
        return number, where

    def refuse_behind(self, account: str | None = None) -> None:
        """See `port.Ledger`."""
        if account is None:
            twins.refuse(self, ("--ledger", self.session.address.shown))
        else:
            Remembered(self, account).refuse_behind()

    def lost_lately(self, destination: str) -> Lost | None:
        """The run that was lost last, if it may come back."""
        return lease.lost_lately(self.session, destination)

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """See `port.Ledger`."""
        import polars as pl  # noqa: PLC0415  a fifth of a second, and most commands look nothing up

        from rdimport.core.schemas import KNOWN  # noqa: PLC0415

        wanted = identities.unique(maintain_order=True).to_list()
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(wanted), _AT_ONCE):
            found += self.query(_KNOWN, destination, wanted[start : start + _AT_ONCE])
        return pl.DataFrame(found, schema=KNOWN, orient="row")

    def looked_through(self) -> Found:
        """Check the ledger; returns what it contains and what is wrong."""
        return looked_through(self, QUESTIONS, accepted=ACCEPTED, by_state=BY_STATE)

    @contextmanager
    def content(self) -> Iterator[PostgresContent]:
        """A snapshot of its contents. No run may be active."""
        with self.snapshot():
            yield PostgresContent(self)
