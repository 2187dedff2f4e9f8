"""The page's queries to the store, one question each; all answers are about one account."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rdimport.sandbox.store import NOBODY, Key, Store

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact; `fields` are those that RD would store, `latest` its last conversion."""

    id: int
    email: str
    fields: Mapping[str, Any]
    created: float
    updated: float
    conversions: int
    latest: str = ""

    @property
    def title(self) -> str:
        """The name, or the e-mail address if there is none."""
        return str(self.fields.get("name") or self.email)


def contacts(store: Store, account: int, search: str = "", page: int = 0) -> list[Contact]:
    """The contacts that changed last: `PAGE_ROWS` (and one more if there is a next page)."""
    rows = store.rows(
        "SELECT id, email, fields, created, updated, conversions, (SELECT identifier"
        " FROM conversion v WHERE v.account = c.account AND v.email = c.email"
        " ORDER BY v.id DESC LIMIT 1) AS latest FROM contact c"
        " WHERE account = :account AND (:search = '' OR instr(email, fold(:search))"
        " OR instr(fold(json_extract(fields, '$.name')), fold(:search)))"
        " ORDER BY updated DESC, id DESC LIMIT :rows OFFSET :start",
        {
            "account": account,
            "search": search,
            "rows": PAGE_ROWS + 1,
            "start": page * PAGE_ROWS,
        },
    )
    return [_contact(row) for row in rows]


def contact(store: Store, account: int, number: int) -> Contact | None:
    """One contact; None if the account has none with that number."""
    rows = store.rows(
        "SELECT id, email, fields, created, updated, conversions, '' AS latest FROM contact"
        " WHERE account = ? AND id = ?",
        (account, number),
    )
    return _contact(rows[0]) if rows else None


def _contact(row: sqlite3.Row) -> Contact:
    values = dict(row)
    values["fields"] = json.loads(values["fields"])
    values["latest"] = values["latest"] or ""
    return Contact(**values)


def timeline(store: Store, account: int, email: str) -> list[sqlite3.Row]:
    """The contact's latest 200 conversions, newest first: with `body`, `head`, `key_name`."""
    return store.rows(
        "SELECT c.id, c.at, c.uuid, c.identifier, c.dropped, c.body, h.text AS head,"
        " k.name AS key_name FROM conversion c JOIN head h ON h.id = c.head"
        " JOIN key k ON k.id = c.key"
        " WHERE c.account = ? AND c.email = ? ORDER BY c.id DESC LIMIT 200",
        (account, email),
    )


def refusals(store: Store, account: int, page: int = 0, rows: int = PAGE_ROWS) -> list[sqlite3.Row]:
    """Requests that were not accepted, newest first; without an account, for all accounts."""
    return store.rows(
        "SELECT r.*, h.text AS head_text FROM refusal r JOIN head h ON h.id = r.head"
        " WHERE r.account = ? OR r.account IS NULL ORDER BY r.id DESC LIMIT ? OFFSET ?",
        (account, rows + 1, page * rows),
    )


def dropped(store: Store, account: int) -> list[tuple[str, int]]:
    """Names of fields that were silently dropped, the most frequent first."""
    rows = store.rows(
        "SELECT name, times FROM dropped WHERE account = ? ORDER BY times DESC, name LIMIT 50",
        (account,),
    )
    return [(row[0], row[1]) for row in rows]


def totals(store: Store, account: int) -> tuple[int, int, int]:
    """How many contacts, conversions and refused requests there were, including deleted ones."""
    (row,) = store.rows(
        "SELECT contacts, conversions, refused + (SELECT refused FROM total WHERE account = ?)"
        " FROM total WHERE account = ?",
        (NOBODY, account),
    )
    return row[0], row[1], row[2]


def keys(store: Store, account: int) -> list[Key]:
    """The account's keys in the order of their creation."""
    return [key for key in store.keys.values() if key.account == account]
