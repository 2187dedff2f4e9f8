"""Accounts and their keys, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rdimport.ledger import accounts as rules
from rdimport.ledger.accounts import Account, KeyClaim, Owner, renamed, spelt
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.session import Connection
from rdimport.ledger.records import RunRecord

ALONE: Final = "LOCK TABLE rdimport.account_key IN SHARE ROW EXCLUSIVE MODE"
"""Keys are given to accounts by one transaction at a time."""

BESIDE: Final = "LOCK TABLE rdimport.account_key IN ROW EXCLUSIVE MODE"
"""Hundreds of runs begin at the same time, while nobody gives keys `ALONE`."""


class NotBesideError(Exception):
    """Who has the key of a run can only be decided `ALONE`."""


_HAS_SENT: Final = (
    "SELECT EXISTS (SELECT 1 FROM rdimport.conversion WHERE destination = %s"
    " AND state NOT IN (3, 9))"
)


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


def claims(db: Connection, destination: int) -> list[int]:
    """The runs of a destination that claim a key."""
    found = db.execute(
        "SELECT run FROM rdimport.account_key WHERE destination = %s AND run IS NOT NULL",
        (destination,),
    )
    return [run for (run,) in found]


def claim_beside(
    db: Connection, destination: int, run: int, at: datetime, key_claim: KeyClaim
) -> None:
    """`rules.claim` for an account that has the key for good, or has none and takes one that nobody
    has: two that take one at the same time meet in the table's index. Raises NotBesideError
    otherwise, and UsageError.
    """
    books = AccountBooks(db)
    endpoint, account = books.whose(destination)
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


class Accounts:
    """Implements `parts.Accounts`."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    def all(self) -> list[Account]:
        """All accounts with conversions or a key, without sandboxes."""
        found = self._ledger.query(
            "SELECT d.account, d.endpoint,"
            " (SELECT count(*) FROM rdimport.account_key k WHERE k.destination = d.id),"
            " (SELECT count(*) FROM rdimport.conversion c WHERE c.destination = d.id"
            "  AND c.state IN (0, 1, 2)),"
            " (SELECT max(started_at) FROM rdimport.run r WHERE r.destination = d.id)"
            " FROM rdimport.destination d WHERE d.endpoint <> '' ORDER BY d.endpoint, d.account"
        )
        return [Account(*values) for values in found]

    def add_key(self, endpoint: str, account: str, key: bytes, at: datetime) -> str:
        """Bind another key to an account; returns the account's name. Raises UsageError."""
        with self._ledger.transaction() as db:
            db.execute(ALONE)
            return rules.add_key(
                AccountBooks(db),
                self._ledger.place,
                endpoint=endpoint,
                account=account,
                key=key,
                at=at,
            )

    def rename(self, old: str, new: str) -> int:
        """Rename an account at all endpoints; returns their number. Raises UsageError."""
        with self._ledger.transaction() as db:
            db.execute(ALONE)
            return rules.rename(AccountBooks(db), self._ledger.place, old, new)


class AccountBooks:
    """Implements `ledger.accounts.AccountBooks`, within the caller's transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def whose(self, destination: int) -> tuple[str, str]:
        """Endpoint and account of a destination."""
        ((endpoint, account),) = self._db.execute(
            "SELECT endpoint, account FROM rdimport.destination WHERE id = %s", (destination,)
        ).fetchall()
        return endpoint, account

    def everybody(self) -> list[tuple[int, str, str]]:
        """Number, endpoint and account of all destinations with an endpoint."""
        return self._db.execute(
            "SELECT id, endpoint, account FROM rdimport.destination WHERE endpoint <> '' ORDER"
            " BY id"
        ).fetchall()

    def owner(self, endpoint: str, key: bytes) -> Owner | None:
        """The owner of a key."""
        found = self._db.execute(
            "SELECT k.destination, d.account, k.run FROM rdimport.account_key k JOIN"
            " rdimport.destination d"
            " ON d.id = k.destination WHERE k.endpoint = %s AND k.hash = %s",
            (endpoint, key),
        ).fetchone()
        return Owner(*found) if found else None

    def has_keys(self, destination: int) -> bool:
        """Whether an account has keys."""
        found = self._db.execute(
            "SELECT 1 FROM rdimport.account_key WHERE destination = %s", (destination,)
        )
        return found.fetchone() is not None

    def has_sent(self, destination: int) -> bool:
        """Whether a row of the destination has arrived or may have."""
        return bool(self._db.execute(_HAS_SENT, (destination,)).fetchall()[0][0])

    def arrived(self, destination: int, run: int) -> bool:
        """Whether a row of a run was accepted or may have arrived."""
        found = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM rdimport.minute WHERE run = %(run)s AND accepted > 0)"
            " OR EXISTS (SELECT 1 FROM rdimport.tally WHERE run = %(run)s AND state = 'accepted')"
            " OR EXISTS (SELECT 1 FROM rdimport.in_flight WHERE run = %(run)s)"
            " OR EXISTS (SELECT 1 FROM rdimport.conversion WHERE destination = %(destination)s"
            " AND run = %(run)s AND state = 2 AND problems IS NOT NULL)",
            {"run": run, "destination": destination},
        ).fetchall()
        return bool(found[0][0])

    def claimed_by(self, run: int) -> int | None:
        """The destination of the key claimed by a run; None without a claim."""
        found = self._db.execute(
            "SELECT destination FROM rdimport.account_key WHERE run = %s", (run,)
        )
        row = found.fetchone()
        return row[0] if row else None

    def bind(self, endpoint: str, key: bytes, destination: int, run: int | None, at: str) -> None:
        """Bind a key to an account; with `run`, as its claim."""
        self._db.execute(
            "INSERT INTO rdimport.account_key VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (endpoint, hash) DO UPDATE SET run = excluded.run",
            (endpoint, key, destination, run, at),
        )

    def let_go(self, run: int) -> None:
        """Release the key claimed by a run."""
        self._db.execute("DELETE FROM rdimport.account_key WHERE run = %s", (run,))

    def bind_for_good(self, run: int) -> None:
        """Turn the claim of a run into a binding."""
        self._db.execute("UPDATE rdimport.account_key SET run = NULL WHERE run = %s", (run,))

    def take(self, other: int, number: int) -> None:
        """Replace a destination without conversions by another one."""
        self._db.execute("DELETE FROM rdimport.conversion WHERE destination = %s", (other,))
        self._db.execute(
            "UPDATE rdimport.run SET destination = %s WHERE destination = %s", (number, other)
        )
        self._db.execute("DELETE FROM rdimport.destination WHERE id = %s", (other,))

    def call(self, number: int, identity: str, account: str) -> None:
        """Rename a destination, also in the records of its runs."""
        self._db.execute(
            "UPDATE rdimport.destination SET account = %s, identity = %s WHERE id = %s",
            (account, identity, number),
        )
        runs = self._db.execute(
            "SELECT id, facts FROM rdimport.run WHERE destination = %s", (number,)
        )
        for run, facts in runs.fetchall():
            values = (renamed(facts, account), run)
            self._db.execute("UPDATE rdimport.run SET facts = %s WHERE id = %s", values)
