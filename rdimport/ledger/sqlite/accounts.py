"""Accounts and their keys in SQLite."""

from __future__ import annotations

import sqlite3

from rdimport.ledger import accounts as rules
from rdimport.ledger import parts
from rdimport.ledger.accounts import spelt
from rdimport.ledger.records import RunRecord


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
