"""The tables of the ledger, their versions, and recovery after a killed run."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Final, Literal

from rdimport.core.errors import LedgerBusyError, LedgerDamagedError, LedgerError, LedgerLostError
from rdimport.core.messages import _
from rdimport.core.shell import joined
from rdimport.core.users import name_of

WRITER_WAITS: Final = 30.0
"""Seconds for which one process waits for another to write."""

VERSION: Final = 5
"""1 was used before the first release, with other tables; 2 is that of 0.1.0 (`upgrade`)."""

_OLDEST: Final = 2

# An accepted row is appended to `daybook`, and moved from there, with many others, to `posted`,
# which is indexed by identity: written one by one, each row would dirty a page of its own. If a
# conversion is in both, because it was sent again, the daybook has the later line.
CONVERSION: Final = """
CREATE VIEW conversion AS SELECT * FROM posted WHERE (destination, identity) NOT IN
    (SELECT destination, identity FROM daybook) UNION ALL SELECT destination, identity, 'accepted',
    payload, run, file, row, receipt, '[]', NULL, source, NULL, NULL FROM daybook
"""

_SCHEMA: Final = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, destination INTEGER NOT NULL,
    process INTEGER NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, exit_code INTEGER,
    stopped_because TEXT, resume_at TEXT, forgotten_at TEXT,
    facts TEXT NOT NULL, row_count INTEGER NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0);
CREATE TABLE input (
    run INTEGER, file INTEGER, name TEXT NOT NULL, columns TEXT NOT NULL, encoding TEXT NOT NULL,
    delimiter TEXT NOT NULL, sheet TEXT NOT NULL, header_row INTEGER NOT NULL,
    repair INTEGER NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY (run, file)) WITHOUT ROWID;
CREATE TABLE tally (
    run INTEGER, state TEXT, rows INTEGER NOT NULL, PRIMARY KEY (run, state)) WITHOUT ROWID;
CREATE TABLE minute (
    run INTEGER, minute INTEGER, requests INTEGER NOT NULL, retries INTEGER NOT NULL,
    throttled INTEGER NOT NULL, seconds REAL NOT NULL, accepted INTEGER NOT NULL,
    PRIMARY KEY (run, minute)) WITHOUT ROWID;
CREATE TABLE filled (
    run INTEGER, field TEXT, rows INTEGER NOT NULL, PRIMARY KEY (run, field)) WITHOUT ROWID;
CREATE TABLE suspect (
    run INTEGER, code TEXT, cells INTEGER NOT NULL, PRIMARY KEY (run, code)) WITHOUT ROWID;
CREATE TABLE posted (
    destination INTEGER, identity BLOB, state TEXT NOT NULL, payload BLOB NOT NULL,
    run INTEGER NOT NULL, file INTEGER NOT NULL, row INTEGER NOT NULL, receipt TEXT NOT NULL,
    problems TEXT NOT NULL, refused BLOB, source BLOB, tried INTEGER, left_at INTEGER,
    PRIMARY KEY (destination, identity)) WITHOUT ROWID;
CREATE TABLE daybook (
    run INTEGER, file INTEGER, row INTEGER, destination INTEGER NOT NULL, identity BLOB NOT NULL,
    payload BLOB NOT NULL, receipt TEXT NOT NULL, source BLOB, PRIMARY KEY (run, file, row)
    ) WITHOUT ROWID;
CREATE TABLE sending (
    run INTEGER, file INTEGER, row INTEGER, destination INTEGER NOT NULL, identity BLOB NOT NULL,
    payload BLOB NOT NULL, source BLOB, left_at INTEGER,
    PRIMARY KEY (run, file, row)) WITHOUT ROWID;
CREATE TABLE outcome (
    run INTEGER, file INTEGER, row INTEGER, state TEXT NOT NULL, cells TEXT NOT NULL,
    problems TEXT NOT NULL, instead_file INTEGER, instead_row INTEGER, warnings TEXT NOT NULL,
    identity BLOB, PRIMARY KEY (run, file, row)) WITHOUT ROWID;
"""

# `left_at` is the time of a row's request, or slightly earlier, in milliseconds since the Unix
# epoch; of an uncertain row that was sent again and is uncertain again, that of the first one.
# `complete` has declarations that a list of conversions is complete: what it lacks did not arrive
# from `since` to `until`. `account_key.run` is the run that claims a key with which nothing has
# arrived yet. `named` has the keyed hashes of a conversion_identifier (exact, and without case,
# accents and blanks), the identity fields (empty: unknown), and the text if it is a constant.
ADDED_IN_3: Final = """
CREATE TABLE destination (
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, endpoint TEXT NOT NULL,
    account TEXT NOT NULL);
CREATE TABLE account_key (
    endpoint TEXT, hash BLOB, destination INTEGER NOT NULL, run INTEGER, since TEXT NOT NULL,
    PRIMARY KEY (endpoint, hash)) WITHOUT ROWID;
CREATE TABLE named (
    folded BLOB, run INTEGER, exact BLOB, fields TEXT, text TEXT NOT NULL, new INTEGER NOT NULL,
    known INTEGER NOT NULL, PRIMARY KEY (folded, run, exact, fields)) WITHOUT ROWID;
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, account TEXT NOT NULL, job TEXT NOT NULL,
    exit_code INTEGER NOT NULL, facts TEXT NOT NULL);
CREATE TABLE complete (
    destination INTEGER, since INTEGER, until INTEGER, identifier BLOB, source TEXT NOT NULL,
    PRIMARY KEY (destination, since, until, identifier)) WITHOUT ROWID;
"""

DOUBTED: Final = "CREATE INDEX doubted ON outcome (identity) WHERE identity IS NOT NULL"
"""Since 4, an outcome has the identity of a conversion that an earlier run left uncertain."""

CORRECTED: Final = """
CREATE TABLE corrected (
    destination INTEGER, origin BLOB, row INTEGER, identity BLOB NOT NULL,
    PRIMARY KEY (destination, origin, row)) WITHOUT ROWID
"""
"""Since 5, a failed row (`origin` is the hash of its cells) is stored with the conversion of its
correction.
"""

_NOW: Final = " ".join(CONVERSION.split())
_VIEWS: Final = (_NOW, _NOW.replace("NULL, NULL FROM daybook", "NULL FROM daybook"))
"""The view of this release, and that of schemas up to 3, without the times of requests."""


_INTERRUPTED: Final = '[["uncertain.interrupted", "", "", "", ""]]'
ENDS: Final = f"""
CREATE TEMP VIEW ends AS SELECT run, file, row, state, cells, problems, warnings FROM outcome
UNION ALL SELECT run, file, row, 'uncertain', '[]', '{_INTERRUPTED}', '[]' FROM sending
"""  # noqa: S608  a constant
"""The results of rows. Rows of a killed run that are still in flight may have arrived."""


_DAMAGE: Final = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""The first one: a table or text has unexpected contents."""


@contextmanager
def explained(path: Path, *, reading: bool = False) -> Iterator[None]:
    """Turn errors of SQLite and the disk into a LedgerError that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise unusable(path, error, reading=reading) from error


def is_damage(error: Exception) -> bool:
    """Whether an error means that the contents of the file are wrong, not that access failed. If
    SQLite has no code for it, Python could not decode a text.
    """
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _DAMAGE


def damaged(path: Path, what: str) -> LedgerDamagedError:
    """The error for a damaged ledger."""
    where = joined(["--state-dir", str(path.parent.absolute())])
    return LedgerDamagedError(
        _(
            "The ledger {path} is damaged: {what}. Its record of the rows cannot be "
            "trusted, and nothing is sent from it.",
            path=path,
            what=what,
        ),
        _(
            "Move this directory aside and put the newest copy of the ledger in its place: "
            "rdimport ledger copy COPY DIRECTORY.\n"
            "This shows what is wrong with it: rdimport ledger check {where}\n"
            "To start over, in which case everyone is sent again: rdimport ledger new "
            "{where}",
            where=where,
        ),
    )


def lock_lost(path: Path) -> LedgerLostError:
    """The error for the lock of an active run being removed or replaced."""
    return LedgerLostError(
        _(
            "The lock of this run, a file next to {path}, was removed or replaced during "
            "the run: another one could send the same rows, so no further row was sent.",
            path=path,
        ),
        _(
            "Leave the .lock files alone: they block nothing once a run has ended. The same "
            "command continues."
        ),
    )


def unusable(path: Path, error: Exception, *, reading: bool) -> LedgerError:
    """The error for a ledger, or a disk, that cannot be used."""
    if is_damage(error):
        return damaged(path, str(error))
    owner = _other_owner(path, reading=reading)
    if owner:
        return LedgerError(
            _(
                "The ledger {path} belongs to another user ({owner}), and you cannot read it.",
                path=path,
                owner=owner,
            )
            if reading
            else _(
                "The ledger {path} belongs to another user ({owner}), and you cannot write to it.",
                path=path,
                owner=owner,
            ),
            _("Type the command as that user."),
        )
    if reading:
        return unreadable(path, error)
    return LedgerError(
        _("The ledger {path} cannot be used: {error}.", path=path, error=error),
        _(
            "No row is sent that cannot be recorded. Free disk space or correct the "
            "permissions, then run the same command again."
        ),
    )


def unreadable(path: Path, why: Exception | str) -> LedgerError:
    """The error for a ledger that cannot be read."""
    return LedgerError(
        _("The ledger {path} cannot be read: {error}.", path=path, error=why),
        _("Make sure that you can read this file and its directory."),
    )


def _other_owner(path: Path, *, reading: bool) -> str:
    """The owner of the file or directory that we may not use; empty if it is ours.

    SQLite itself only says that it was unable to open the file.
    """
    if sys.platform == "win32":
        return ""
    wanted = os.R_OK if reading else os.R_OK | os.W_OK
    effective = os.access in os.supports_effective_ids
    for place, needed in ((path.parent, os.X_OK), (path, wanted)):
        try:
            owner = place.stat().st_uid
            denied = not os.access(place, needed, effective_ids=effective)
        except OSError:
            continue
        if denied and owner != os.geteuid():
            return name_of(owner)
    return ""


@contextmanager
def busy_is_no_failure(path: Path) -> Iterator[None]:
    """Turn SQLITE_BUSY at the start of a run into LedgerBusyError (exit code 75)."""
    try:
        yield
    except LedgerError as error:
        cause = error.__cause__
        if not isinstance(cause, sqlite3.OperationalError):
            raise
        if cause.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        raise LedgerBusyError(
            _("The ledger {path} is being written by another process, perhaps a purge.", path=path),
            _("Nothing was sent. Try again later: exit code 75 tells cron so."),
        ) from error


@contextmanager
def as_a_whole(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction that is committed at its end, and rolled back after an error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # if the disk is full, SQLite has already rolled back
            db.execute("ROLLBACK")
        raise


def write_ahead(db: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, so that the file can be read while it is written.

    If two processes open a new file at the same time, SQLite fails here without waiting.
    """
    end = time.monotonic() + WRITER_WAITS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _refuse_programs(path: Path, db: sqlite3.Connection) -> None:
    """Raise LedgerDamagedError for an unknown trigger, view or virtual table: such code, written by
    the author of the file, would run with our rights.
    """
    db.execute("PRAGMA trusted_schema = OFF")
    for kind, name, sql in db.execute("SELECT type, name, sql FROM main.sqlite_schema"):
        written = " ".join(str(sql or "").split())
        plain = kind in ("table", "index") and not written.upper().startswith("CREATE VIRTUAL")
        if not plain and written not in _VIEWS:
            raise damaged(
                path,
                _(
                    "it contains something that is not ours: {kind} {name}",
                    kind=kind,
                    name=ascii(name)[:40],
                ),
            )


def uri_of(path: PurePath) -> str:
    """The URI that opens a file read-only. SQLite accepts no host in it, which `as_uri` writes for
    a Windows share.
    """
    found = path.absolute() if isinstance(path, Path) else path
    return re.sub(r"^file://(?=[^/])", "file:////", found.as_uri()) + "?mode=ro"


def version_of(path: Path, db: sqlite3.Connection) -> int:
    """The version of the file's tables; 0 if it has none, because its maker was killed first.

    Raises LedgerError for a file that this release cannot open.
    """
    _refuse_programs(path, db)
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise LedgerError(
            _("The ledger {path} was written by a later release of rdimport.", path=path),
            _(
                "Install that release again. Another --state-dir would not know what was sent from "
                "this one, and the same rows would be sent again."
            ),
        )
    if 0 < version < _OLDEST:
        raise LedgerError(
            _("The ledger {path} was written before the first release of rdimport.", path=path),
            _(
                "This release cannot read it. You can name another --state-dir, but that "
                "one has no record of what was sent from this one, so the same rows would "
                "be sent again."
            ),
        )
    return version


def make(path: Path, db: sqlite3.Connection, kept_apart: str = "") -> None:
    """Create the tables of a new file, with the key of its hashes, unless that is `kept_apart`:
    then only its id is stored (`hashes.ledger_id`). Raises LedgerError if the file cannot be
    opened.
    """
    if version_of(path, db):  # nothing to write, so no need to wait for another writer
        return
    with as_a_whole(db):
        if version_of(path, db):  # another process may have created them meanwhile
            return
        for statement in f"{_SCHEMA}{ADDED_IN_3}{CONVERSION};{DOUBTED};{CORRECTED}".split(";"):
            db.execute(statement)
        key = ("key_id", kept_apart) if kept_apart else ("hash_key", secrets.token_bytes(32))
        db.execute("INSERT INTO setting VALUES (?, ?)", key)
        db.execute(f"PRAGMA user_version = {VERSION}")


def post(db: sqlite3.Connection, of: Literal["run", "destination"], number: int) -> None:
    """Move accepted rows from the daybook to the table that is indexed by identity."""
    db.execute(
        "INSERT OR REPLACE INTO posted SELECT destination, identity, 'accepted', payload, run,"  # noqa: S608
        " file, row, receipt, '[]', NULL, source, NULL, NULL FROM daybook"
        f" WHERE {of} = ? ORDER BY 1, 2",
        (number,),
    )
    db.execute(f"DELETE FROM daybook WHERE {of} = ?", (number,))  # noqa: S608


def recover(db: sqlite3.Connection, destination: int) -> None:
    """Mark rows that a killed run left in flight as uncertain: they may have arrived."""
    post(db, "destination", destination)
    db.execute(
        "INSERT OR REPLACE INTO posted SELECT s.destination, s.identity, 'uncertain', s.payload,"
        " s.run, s.file, s.row, '', ?, NULL, NULL, NULL,"
        " CASE p.state WHEN 'uncertain' THEN p.left_at ELSE s.left_at END FROM sending s"
        " LEFT JOIN posted p ON p.destination = s.destination AND p.identity = s.identity"
        " WHERE s.destination = ?",
        (_INTERRUPTED, destination),
    )
    db.execute(
        "INSERT INTO tally SELECT run, 'uncertain', count(*) FROM sending WHERE destination = ?"
        " GROUP BY run ON CONFLICT (run, state) DO UPDATE SET rows = rows + excluded.rows",
        (destination,),
    )
    db.execute(
        "INSERT INTO outcome SELECT run, file, row, 'uncertain', '[]', ?, NULL, NULL, '[]', NULL"
        " FROM sending WHERE destination = ?",
        (_INTERRUPTED, destination),
    )
    db.execute("DELETE FROM sending WHERE destination = ?", (destination,))
    db.execute(
        "UPDATE run SET stopped_because = 'killed', exit_code = 3 WHERE destination = ?"
        " AND finished_at IS NULL AND stopped_because IS NULL",
        (destination,),
    )
