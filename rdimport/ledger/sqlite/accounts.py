"""Accounts and their keys in SQLite."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final

from rdimport.ledger import accounts as rules
from rdimport.ledger.accounts import Account, Owner, renamed, spelt
from rdimport.ledger.records import RunRecord
from rdimport.ledger.sqlite.database import LedgerFile

_HAS_SENT: Final = (
    "SELECT EXISTS (SELECT 1 FROM posted WHERE destination = :it AND state <> 'refused')"
    " OR EXISTS (SELECT 1 FROM daybook WHERE destination = :it)"
    " OR EXISTS (SELECT 1 FROM sending WHERE destination = :it)"
)


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


def claims(db: sqlite3.Connection, destination: int) -> list[int]:
    """The runs of a destination that claim a key."""
    found = db.execute(
        "SELECT run FROM account_key WHERE destination = ? AND run IS NOT NULL", (destination,)
    )
    return [run for (run,) in found]


class Accounts:
    """Implements `parts.Accounts`."""

    def __init__(self, ledger: LedgerFile) -> None:
        self._ledger = ledger

    def all(self) -> list[Account]:
        """All accounts with conversions or a key, without sandboxes."""
        found = self._ledger.query(
            "SELECT d.account, d.endpoint,"
            " (SELECT count(*) FROM account_key k WHERE k.destination = d.id),"
            " (SELECT count(*) FROM conversion c WHERE c.destination = d.id"
            "  AND c.state IN ('accepted', 'uncertain')),"
            " (SELECT max(started_at) FROM run WHERE run.destination = d.id)"
            " FROM destination d WHERE d.endpoint <> '' ORDER BY d.endpoint, d.account"
        )
        return [Account(*values) for values in found]

    def add_key(self, endpoint: str, account: str, key: bytes, at: datetime) -> str:
        """Bind another key to an account; returns the account's name. Raises UsageError."""
        with self._ledger.transaction() as db:
            return rules.add_key(
                AccountBooks(db),
                self._ledger.place,
                endpoint=endpoint,
                account=account,
                key=key,
                at=at,
            )

    def rename(self, old: str, new: str) -> int:
        """Rename an account at all endpoints; returns the number of endpoints."""
        with self._ledger.transaction() as db:
            return rules.rename(AccountBooks(db), self._ledger.place, old, new)


class AccountBooks:
    """Implements `ledger.accounts.AccountBooks`, within the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def whose(self, destination: int) -> tuple[str, str]:
        """Endpoint and account of a destination."""
        found: tuple[str, str] = self._db.execute(
            "SELECT endpoint, account FROM destination WHERE id = ?", (destination,)
        ).fetchone()
        return found

    def everybody(self) -> list[tuple[int, str, str]]:
        """Number, endpoint and account of all destinations with an endpoint."""
        return self._db.execute(
            "SELECT id, endpoint, account FROM destination WHERE endpoint <> '' ORDER BY id"
        ).fetchall()

    def owner(self, endpoint: str, key: bytes) -> Owner | None:
        """The owner of a key."""
        found = self._db.execute(
            "SELECT k.destination, d.account, k.run FROM account_key k JOIN destination d"
            " ON d.id = k.destination WHERE k.endpoint = ? AND k.hash = ?",
            (endpoint, key),
        ).fetchone()
        return Owner(*found) if found else None

    def has_keys(self, destination: int) -> bool:
        """Whether an account has keys."""
        found = self._db.execute("SELECT 1 FROM account_key WHERE destination = ?", (destination,))
        return found.fetchone() is not None

    def has_sent(self, destination: int) -> bool:
        """Whether a row of the destination has arrived or may have."""
        return bool(self._db.execute(_HAS_SENT, {"it": destination}).fetchone()[0])

    def arrived(self, destination: int, run: int) -> bool:
        """Whether a row of a run was accepted or may have arrived."""
        found = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM minute WHERE run = :run AND accepted > 0)"
            " OR EXISTS (SELECT 1 FROM sending WHERE run = :run)"
            " OR EXISTS (SELECT 1 FROM posted WHERE destination = :destination AND run = :run"
            " AND state = 'uncertain')",
            {"run": run, "destination": destination},
        ).fetchone()
        return bool(found[0])

    def claimed_by(self, run: int) -> int | None:
        """The destination of the key claimed by a run."""
        found = self._db.execute("SELECT destination FROM account_key WHERE run = ?", (run,))
        row = found.fetchone()
        return row[0] if row else None

    def bind(self, endpoint: str, key: bytes, destination: int, run: int | None, at: str) -> None:
        """Bind a key to an account."""
        self._db.execute(
            "INSERT INTO account_key VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (endpoint, hash) DO UPDATE SET run = excluded.run",
            (endpoint, key, destination, run, at),
        )

    def let_go(self, run: int) -> None:
        """Release the key claimed by a run."""
        self._db.execute("DELETE FROM account_key WHERE run = ?", (run,))

    def bind_for_good(self, run: int) -> None:
        """Turn the claim of a run into a binding."""
        self._db.execute("UPDATE account_key SET run = NULL WHERE run = ?", (run,))

    def take(self, other: int, number: int) -> None:
        """Replace a destination by another one."""
        self._db.execute("DELETE FROM posted WHERE destination = ?", (other,))
        self._db.execute("UPDATE run SET destination = ? WHERE destination = ?", (number, other))
        self._db.execute("DELETE FROM destination WHERE id = ?", (other,))

    def call(self, number: int, identity: str, account: str) -> None:
        """Rename a destination."""
        self._db.execute(
            "UPDATE destination SET account = ?, identity = ? WHERE id = ?",
            (account, identity, number),
        )
        runs = self._db.execute("SELECT id, facts FROM run WHERE destination = ?", (number,))
        for run, facts in runs.fetchall():
            values = (renamed(facts, account), run)
            self._db.execute("UPDATE run SET facts = ? WHERE id = ?", values)
