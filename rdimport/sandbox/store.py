"""The sandbox's data in SQLite: accounts, keys, contacts, conversions, refused requests.

In memory unless a directory is given. Requests are written in groups, a fraction of a second after
the response. Every method that reads flushes them first, so that readers see the current state.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold

MAX_KEYS: Final = 5
"""Maximum number of keys per account, as on RD's page."""

KEPT_REFUSALS: Final = 5_000
"""Maximum number of refused requests that are kept, to bound memory."""

NOBODY: Final = 0
"""The account number for totals of requests whose key belongs to no account."""

_GROUP: Final = 2_000
_FILE: Final = "sandbox.sqlite3"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS key (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account, name TEXT NOT NULL,
    secret TEXT NOT NULL UNIQUE, active INTEGER NOT NULL DEFAULT 1, created REAL NOT NULL,
    UNIQUE (account, name));
CREATE TABLE IF NOT EXISTS contact (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, email TEXT NOT NULL, fields TEXT NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL, conversions INTEGER NOT NULL DEFAULT 1,
    UNIQUE (account, email));
CREATE INDEX IF NOT EXISTS contact_updated ON contact (account, updated);
CREATE TABLE IF NOT EXISTS total (
    account INTEGER PRIMARY KEY, contacts INTEGER NOT NULL DEFAULT 0,
    conversions INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0);
INSERT OR IGNORE INTO total (account) VALUES (0);
CREATE TRIGGER IF NOT EXISTS contact_counted AFTER INSERT ON contact BEGIN
    UPDATE total SET contacts = contacts + 1 WHERE account = new.account;
END;
CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS conversion (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, key INTEGER NOT NULL,
    at REAL NOT NULL, email TEXT NOT NULL, uuid TEXT NOT NULL, identifier TEXT NOT NULL,
    dropped TEXT NOT NULL, head INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS conversion_email ON conversion (account, email);
CREATE TABLE IF NOT EXISTS refusal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER, at REAL NOT NULL,
    status INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    email TEXT NOT NULL, answer BLOB NOT NULL,
    head INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dropped (
    account INTEGER NOT NULL, name TEXT NOT NULL, times INTEGER NOT NULL, last REAL NOT NULL,
    PRIMARY KEY (account, name)) WITHOUT ROWID;
"""

_UPSERT: Final = """
INSERT INTO contact (account, email, fields, created, updated) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (account, email) DO UPDATE SET
    fields = json_patch(fields, excluded.fields), updated = excluded.updated,
    conversions = conversions + 1
"""


class Key(NamedTuple):
    """An API key of an account."""

    id: int
    account: int
    name: str
    secret: str
    active: bool
    created: float


class Accepted(NamedTuple):
    """A conversion to store; `fields` are those of the contact, as JSON."""

    account: int
    key: int
    at: float
    email: str
    uuid: str
    identifier: str
    fields: str
    dropped: tuple[str, ...]
    head: str
    body: bytes


class Refused(NamedTuple):
    """A request that was not accepted; `account` is None for an unknown key."""

    account: int | None
    at: float
    status: int
    reason: str
    detail: str
    email: str
    answer: bytes
    head: str
    body: bytes


class KeyRefusedError(UsageError):
    """The key cannot be created, for a reason that applies on RD's page too."""


class Store:
    """The database. Raises UsageError if the directory cannot be used."""

    def __init__(
        self,
        directory: Path | None = None,
        keep: int = 200_000,
        on_write: Callable[[Sequence[Accepted], Sequence[Refused]], None] | None = None,
    ) -> None:
        self._keep = keep
        self._on_write = on_write
        self.on_pending: Callable[[], object] = lambda: None
        """Called for each request that the next flush will write."""
        self._accepted: list[Accepted] = []
        self._refused: list[Refused] = []
        self._heads: dict[str, int] = {}
        with usable(directory), ExitStack() as unless_open:
            self._db = unless_open.enter_context(closing(_open(directory)))
            self.keys: dict[str, Key] = {key.secret: key for key in self._read_keys()}
            self.accounts: dict[int, str] = dict(self._db.execute("SELECT id, name FROM account"))
            unless_open.pop_all()

    def close(self) -> None:
        """Flush, and close the file."""
        self.flush()
        self._db.close()

    # Accounts and keys: few, written at once.

    def account(self, name: str) -> int:
        """The account of that name, created if necessary."""
        self._db.execute("INSERT OR IGNORE INTO account (name) VALUES (?)", (name,))
        self._db.execute("INSERT OR IGNORE INTO total (account) SELECT id FROM account")
        self._db.commit()
        row = self._db.execute("SELECT id FROM account WHERE name = ?", (name,)).fetchone()
        self.accounts[row[0]] = name
        return int(row[0])

    def create_key(self, account: int, name: str, at: float) -> Key:
        """Create an active key. Raises KeyRefusedError without a name, for a duplicate, or for a
        sixth key.
        """
        name = name.strip()
        own = [key for key in self.keys.values() if key.account == account]
        if not name:
            raise KeyRefusedError(_("A key needs a name."))
        if name.casefold() in {key.name.casefold() for key in own}:
            raise KeyRefusedError(_("The account already has a key named {name}.", name=name))
        if len(own) >= MAX_KEYS:
            raise KeyRefusedError(
                _("An account has at most {most} keys, and none can be deleted.", most=MAX_KEYS)
            )
        secret = secrets.token_hex(16)
        cursor = self._db.execute(
            "INSERT INTO key (account, name, secret, created) VALUES (?, ?, ?, ?)",
            (account, name, secret, at),
        )
        self._db.commit()
        key = Key(int(cursor.lastrowid or 0), account, name, secret, active=True, created=at)
        self.keys[secret] = key
        return key

    def switch_key(self, key: int, *, active: bool) -> Key | None:
        """Activate or deactivate a key; returns None if it is unknown."""
        self._db.execute("UPDATE key SET active = ? WHERE id = ?", (active, key))
        self._db.commit()
        for secret, known in self.keys.items():
            if known.id == key:
                self.keys[secret] = known._replace(active=active)
                return self.keys[secret]
        return None

    def _read_keys(self) -> Iterator[Key]:
        for row in self._db.execute(
            "SELECT id, account, name, secret, active, created FROM key ORDER BY id"
        ):
            yield Key(row[0], row[1], row[2], row[3], bool(row[4]), row[5])

    # Requests: many, written in groups.

    def add_accepted(self, conversion: Accepted) -> None:
        """Store a conversion with the next flush."""
        self._accepted.append(conversion)
        self.on_pending()
        if len(self._accepted) >= _GROUP:
            self.flush()

    def add_refused(self, request: Refused) -> None:
        """Store a refused request with the next flush."""
        self._refused.append(request)
        self.on_pending()
        if len(self._refused) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        """Write pending requests."""
        if not (self._accepted or self._refused):
            return
        accepted, self._accepted = self._accepted, []
        refused, self._refused = self._refused, []
        if self._on_write:
            self._on_write(accepted, refused)
        try:
            self._write_accepted(accepted)
            self._write_refused(refused)
            self._db.commit()
        except sqlite3.Error as error:
            raise UsageError(
                _("The sandbox can no longer keep its data: {error}.", error=error)
            ) from error

    def _write_refused(self, rows: Sequence[Refused]) -> None:
        if not rows:
            return
        self._db.executemany(
            "INSERT INTO refusal (account, at, status, reason, detail, email, answer, head, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*row[:7], self._head(row.head), row.body) for row in rows],
        )
        self._count("refused", (row.account or NOBODY for row in rows))
        self._db.execute(
            "DELETE FROM refusal WHERE id <= (SELECT max(id) FROM refusal) - ?", (KEPT_REFUSALS,)
        )

    def _write_accepted(self, rows: Sequence[Accepted]) -> None:
        if not rows:
            return
        self._db.executemany(
            "INSERT INTO conversion"
            " (account, key, at, email, uuid, identifier, dropped, head, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *row[:6],
                    json.dumps(row.dropped) if row.dropped else "",
                    self._head(row.head),
                    row.body,
                )
                for row in rows
            ],
        )
        self._db.executemany(
            _UPSERT, [(row.account, row.email, row.fields, row.at, row.at) for row in rows]
        )
        lost = [(row.account, name, row.at) for row in rows for name in row.dropped]
        self._count("conversions", (row.account for row in rows))
        self._db.executemany(
            "INSERT INTO dropped VALUES (?, ?, 1, ?) ON CONFLICT (account, name)"
            " DO UPDATE SET times = times + 1, last = excluded.last",
            lost,
        )
        self._db.execute(
            "DELETE FROM conversion WHERE id <= (SELECT max(id) FROM conversion) - ?", (self._keep,)
        )

    def _count(self, column: str, accounts: Iterable[int]) -> None:
        """Update the totals, which the page reads every second."""
        self._db.executemany(
            f"UPDATE total SET {column} = {column} + ? WHERE account = ?",  # noqa: S608  fixed
            [(times, account) for account, times in Counter(accounts).items()],
        )

    def _head(self, text: str) -> int:
        """The number of a stored head: clients repeat their headers, so each set is stored once."""
        known = self._heads.get(text)
        if known is None:
            self._db.execute("INSERT OR IGNORE INTO head (text) VALUES (?)", (text,))
            row = self._db.execute("SELECT id FROM head WHERE text = ?", (text,)).fetchone()
            known = self._heads[text] = int(row[0])
        return known

    # Reading.

    def rows(
        self, query: str, values: Sequence[object] | Mapping[str, object] = ()
    ) -> list[sqlite3.Row]:
        """The rows of a SELECT, after a flush."""
        self.flush()
        return self._db.execute(query, values).fetchall()

    def leads_since(self, at: float) -> Iterator[tuple[int, str, float, int]]:
        """Leads with conversions since then: account, e-mail address, time of the first, number."""
        for row in self.rows(
            "SELECT account, email, min(at), count(*) FROM conversion WHERE at > ? GROUP BY 1, 2",
            (at,),
        ):
            yield tuple(row)

    def clear(self) -> None:
        """Delete contacts, conversions and refused requests; keep accounts and keys."""
        self.flush()
        for table in ("contact", "conversion", "refusal", "dropped"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  fixed names
        self._db.execute("DELETE FROM sqlite_sequence")
        self._db.execute("UPDATE total SET contacts = 0, conversions = 0, refused = 0")
        self._db.commit()


@contextmanager
def usable(directory: Path | None) -> Iterator[None]:
    """Raise UsageError for errors of the store in this directory."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise UsageError(
            _(
                "The sandbox cannot keep its data in {directory}: {error}.",
                directory=directory or ":memory:",
                error=error,
            ),
            _("Name a directory that you can write to and that no other sandbox uses."),
        ) from error


def _open(directory: Path | None) -> sqlite3.Connection:
    with ExitStack() as unless_open:
        if directory is None:
            db = unless_open.enter_context(closing(sqlite3.connect(":memory:")))
        else:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = directory / _FILE
            # The file exists for its owner only before SQLite writes people's data into it.
            path.touch(mode=0o600)
            db = unless_open.enter_context(closing(sqlite3.connect(path, timeout=1)))
            # As long as it serves: two sandboxes in one directory would mix their windows up.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        unless_open.pop_all()
    db.row_factory = sqlite3.Row
    # People search without accents and capitals; SQLite alone knows those of ASCII only.
    db.create_function("fold", 1, lambda text: fold(text or ""), deterministic=True)
    return db
