"""Accounts and their keys, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Final, LiteralString

from rdimport.ledger import accounts as rules
from rdimport.ledger import parts
from rdimport.ledger.accounts import KeyClaim, Owner, spelt
from rdimport.ledger.postgres.connection import Connection
from rdimport.ledger.postgres.session import asking
from rdimport.ledger.records import RunRecord

ALONE: LiteralString = "LOCK TABLE rdimport.account_key IN SHARE ROW EXCLUSIVE MODE"
"""Keys are given to accounts by one transaction at a time."""

BESIDE: Final = "LOCK TABLE rdimport.account_key IN ROW EXCLUSIVE MODE"
"""Hundreds of runs may begin at the same time, while no transaction is `ALONE`."""


class NotBesideError(Exception):
    """The owner of a run's key can only be decided `ALONE`."""


_DESTINATION: Final = """
SELECT id, account FROM rdimport.destination WHERE identity = %s FOR NO KEY UPDATE
"""


def destination_of(db: Connection, named: str, record: RunRecord) -> tuple[int, str]:
    """The number of a destination, created if it is new, and its account's name. Two runs of one
    account begin one after the other.
    """
    found = db.execute(_DESTINATION, (named,)).fetchone()
    if found is None:
        db.execute(
            "INSERT INTO rdimport.destination (identity, endpoint, account) VALUES (%s, %s, %s)"
            " ON CONFLICT (identity) DO NOTHING",
            (named, spelt(named, record.base_url, record.account), record.account),
        )
        ((number, account),) = db.execute(_DESTINATION, (named,)).fetchall()
        found = number, account
    return found[0], found[1]


class AccountBooks(rules.AccountBooks):
    """Implements `accounts.AccountBooks`."""

    sent = """
SELECT EXISTS (SELECT 1 FROM rdimport.conversion WHERE destination = %(destination)s
    AND state NOT IN (3, 9))
"""
    of_run = """
SELECT EXISTS (SELECT 1 FROM rdimport.minute WHERE run = %(run)s AND accepted > 0)
    OR EXISTS (SELECT 1 FROM rdimport.tally WHERE run = %(run)s AND state = 'accepted')
    OR EXISTS (SELECT 1 FROM rdimport.in_flight WHERE run = %(run)s)
    OR EXISTS (SELECT 1 FROM rdimport.conversion WHERE destination = %(destination)s
    AND run = %(run)s AND state = 2 AND problems IS NOT NULL)
"""
    emptied = "DELETE FROM rdimport.conversion WHERE destination = %(destination)s"


def claim_beside(
    db: Connection, destination: int, run: int, at: datetime, key_claim: KeyClaim
) -> None:
    """`rules.claim` for an account that owns the key, or that has no key and takes a free one. If
    two runs take the same one, the table's unique index decides. Raises UsageError, and
    NotBesideError in other cases.
    """
    books = AccountBooks(asking(db))
    endpoint, account = books.whose(destination)
    if key_claim.key is None:
        return
    owner = books.owner(endpoint, key_claim.key)
    if not endpoint or owner == Owner(destination, account, None):
        return
    if owner is not None or books.has_keys(destination):
        raise NotBesideError
    if not key_claim.sure:
        rules.see_that_it_is_no_slip(books, destination, endpoint, account)
    bound = db.execute(
        "INSERT INTO rdimport.account_key VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (endpoint, key_claim.key, destination, run, at.isoformat()),
    )
    if not bound.rowcount:
        raise NotBesideError


class Accounts(parts.Accounts):
    """Implements `parts.Accounts`."""

    books = AccountBooks
    alone = ALONE
    listed = """
SELECT d.account, d.endpoint,
    (SELECT count(*) FROM rdimport.account_key k WHERE k.destination = d.id),
    (SELECT count(*) FROM rdimport.conversion c WHERE c.destination = d.id
    AND c.state IN (0, 1, 2)),
    (SELECT max(started_at) FROM rdimport.run r WHERE r.destination = d.id)
FROM rdimport.destination d WHERE d.endpoint <> '' ORDER BY d.endpoint, d.account
"""
