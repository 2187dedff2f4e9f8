"""Upgrades ledgers of earlier releases, after a backup, so that nothing is sent again.

A process that only reads uses a temporary upgraded copy.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rdimport.core.errors import LedgerBusyError
from rdimport.core.looking import listed
from rdimport.core.messages import _
from rdimport.destination.address import endpoint, identity
from rdimport.ledger.hashes import digests_of
from rdimport.ledger.sqlite.account_locks import nobody_at_work
from rdimport.ledger.sqlite.schema import (
    ADDED_IN_3,
    CONVERSION,
    CORRECTED,
    DOUBTED,
    VERSION,
    as_a_whole,
    damaged,
    explained,
    post,
    uri_of,
    version_of,
)

_COPIES: Final = "ledger-schema*.sqlite3"


def upgrade(path: Path, db: sqlite3.Connection) -> None:
    """Upgrade a ledger in one transaction, after a backup was made next to it.

    Raises LedgerBusyError if a run is active, as it may belong to the earlier release.
    """
    if version_of(path, db) == VERSION:
        return
    with nobody_at_work(path.parent) as free:
        if not free:
            raise LedgerBusyError(
                _(
                    "The ledger {path} is from an earlier release of rdimport, and a run is "
                    "using it.",
                    path=path,
                ),
                _(
                    "Nothing was sent. Wait for that run, or try again later: this release "
                    "then brings the ledger up to date. Exit code 75 tells cron so."
                ),
            )
        with as_a_whole(db):
            version = version_of(path, db)
            if version < VERSION:  # another process may have upgraded it meanwhile
                _copy(path, _name_of_copy(path, version, datetime.now(UTC)))
                _migrate(path, db, version)


def brought_up(path: Path, db: sqlite3.Connection) -> sqlite3.Connection:
    """A connection for reading this release's tables: the given one, or for a ledger of an earlier
    release, one to a private upgraded copy. The file is unchanged and may be read-only.
    """
    version = version_of(path, db)
    if version == VERSION:
        return db
    with closing(db), ExitStack() as unless_migrated:
        copy = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        unless_migrated.callback(copy.close)
        db.backup(copy)
        _migrate(path, copy, version)
        unless_migrated.pop_all()
    return copy


def copies(state_dir: Path) -> list[Path]:
    """The backups made before changes. Raises LedgerError where they may not be listed."""
    with explained(state_dir / "ledger.sqlite3", reading=True):
        return listed(state_dir, _COPIES)


def back_up(path: Path) -> Path:
    """Make a backup of a ledger of this release; returns its path. It is complete, and is erased
    and deleted like the other backups.
    """
    copy = _name_of_copy(path, VERSION, datetime.now(UTC))
    _copy(path, copy)
    return copy


def forget_copies(state_dir: Path, before: datetime) -> int:
    """Delete the backups with personal data of runs before that time; returns their number."""
    gone = 0
    for path in copies(state_dir):
        with closing(sqlite3.connect(uri_of(path), uri=True)) as db:
            (old,) = db.execute(
                "SELECT count(*) FROM run WHERE coalesce(finished_at, started_at) < ?"
                " AND forgotten_at IS NULL",
                (before.isoformat(),),
            ).fetchone()
        if old:
            path.unlink()
            gone += 1
    return gone


def _name_of_copy(path: Path, version: int, now: datetime) -> Path:
    return path.with_name(f"ledger-schema{version}-{now:%Y%m%d-%H%M%S}.sqlite3")


def _copy(path: Path, target: Path) -> None:
    """Back up the ledger to one file for its owner only; it is complete or absent."""
    part = target.with_suffix(".part")
    os.close(os.open(part, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600))
    try:
        with (
            closing(sqlite3.connect(uri_of(path), uri=True)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _migrate(path: Path, db: sqlite3.Connection, version: int) -> None:
    """Bring the tables up to date. Raises LedgerDamagedError for values that no release wrote."""
    try:
        for number in range(version, VERSION):
            _STEPS[number](db)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise damaged(
            path, _("it contains values that no release of rdimport has written")
        ) from error
    db.execute(f"PRAGMA user_version = {VERSION}")


def _to_3(db: sqlite3.Connection) -> None:
    """Bind accounts to keys, unify the spellings of endpoints and accounts, and store the
    identities of conversions.
    """
    db.execute("ALTER TABLE destination RENAME TO destination_2")
    for statement in ADDED_IN_3.split(";"):
        db.execute(statement)
    _add_moments(db)
    known = db.execute("SELECT id, identity FROM destination_2 ORDER BY id").fetchall()
    survivors: dict[str, int] = {}
    for number, old in known:
        post(db, "destination", number)
        spelling, where, account = _spelt(db, number, old)
        first = survivors.setdefault(spelling, number)
        if first == number:
            values = (number, spelling, where, account)
            db.execute("INSERT INTO destination VALUES (?, ?, ?, ?)", values)
        else:
            _merge(db, number, first)
    db.execute("DROP TABLE destination_2")
    db.execute("INSERT INTO setting SELECT 'last_run_of_0_1', coalesce(max(id), 0) FROM run")
    _learn_names(db)
    # the payload of an earlier release's cleaners: it never equals one of 8 bytes, and `history`
    # sees by its length that it cannot show whether the row has changed
    db.execute(
        "UPDATE posted SET payload = CAST(payload || x'00' AS BLOB) WHERE state = 'accepted'"
    )


def _to_4(db: sqlite3.Connection) -> None:
    """Add the identity of the conversion to rows that an earlier run left uncertain."""
    db.execute("ALTER TABLE outcome ADD COLUMN identity BLOB")
    db.execute(DOUBTED)


def _to_5(db: sqlite3.Connection) -> None:
    """Store which failed rows a person has corrected."""
    db.execute(CORRECTED)


def _add_moments(db: sqlite3.Connection) -> None:
    """Add columns for the times of requests; the view is recreated, as it names all columns."""
    db.execute("DROP VIEW conversion")
    for table in ("posted", "sending"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN left_at INTEGER")
    db.execute(CONVERSION)


def _spelt(db: sqlite3.Connection, number: int, old: str) -> tuple[str, str, str]:
    """The identity of a destination in canonical form, its endpoint and its account's name."""
    where, _, account = old.partition(" ")
    if "://" not in where:  # a sandbox, or a manually named destination
        found = db.execute(
            "SELECT facts ->> '$.account' FROM run WHERE destination = ? ORDER BY id DESC LIMIT 1",
            (number,),
        ).fetchone()
        return old, "", (found[0] if found else None) or ""
    return identity(where, account), endpoint(where), " ".join(account.split())


def _merge(db: sqlite3.Connection, one: int, into: int) -> None:
    """Merge two spellings of one destination: a row accepted in either was accepted."""
    rank = "CASE {}.state WHEN 'accepted' THEN 2 WHEN 'uncertain' THEN 1 ELSE 0 END"
    new, old = rank.format("excluded"), rank.format("posted")
    db.execute(
        "INSERT INTO posted SELECT ?, identity, state, payload, run, file, row, receipt, problems,"  # noqa: S608  constants
        " refused, source, tried, left_at FROM posted WHERE destination = ?"
        " ON CONFLICT (destination, identity) DO UPDATE SET (state, payload, run, file, row,"
        " receipt, problems, refused, source, tried, left_at) = (excluded.state, excluded.payload,"
        " excluded.run, excluded.file, excluded.row, excluded.receipt, excluded.problems,"
        " excluded.refused, excluded.source, excluded.tried, excluded.left_at)"
        f" WHERE {new} > {old} OR ({new} = {old} AND excluded.run > posted.run)",
        (into, one),
    )
    db.execute("DELETE FROM posted WHERE destination = ?", (one,))
    for table in ("run", "sending"):
        db.execute(f"UPDATE {table} SET destination = ? WHERE destination = ?", (into, one))  # noqa: S608


def _learn_names(db: sqlite3.Connection) -> None:
    """Store the conversion_identifier of runs in which it was the same for all rows. Their identity
    fields were not recorded.
    """
    (key,) = db.execute("SELECT value FROM setting WHERE name = 'hash_key'").fetchone()
    for run, rows, facts in db.execute("SELECT id, row_count, facts FROM run").fetchall():
        text = _identifier(json.loads(facts))
        if text:
            values = (*digests_of(key, text), run)
            db.execute(
                "INSERT INTO named (exact, folded, run, fields, text, new, known)"
                " VALUES (?, ?, ?, '', ?, ?, 0)",
                (*values, text, rows),
            )


def _identifier(facts: Mapping[str, Any]) -> str:
    """The only conversion_identifier of a run, as earlier releases cleaned it; else empty."""
    fields = (facts.get("mapping_used") or {}).get("fields") or ()
    values = [f.get("value") for f in fields if f.get("field") == "conversion_identifier"]
    return " ".join(values[0].split()) if values and values[0] else ""


_STEPS: Final[dict[int, Callable[[sqlite3.Connection], None]]] = {
    2: _to_3,
    3: _to_4,
    4: _to_5,
}
