"""What became of every row: one SQLite file per state directory.

A row is in `sending` before its first byte may leave, and leaves it only together with its
outcome. Whatever is found there when a new run starts may have arrived: it becomes uncertain.
Rows are known by a keyed hash of their identity; the key lives in the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import polars as pl

from rdimport.core.errors import Bug, LedgerError, UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.ledger.hashes import hashed
from rdimport.ledger.records import RunRecord
from rdimport.ledger.sqlite import witness
from rdimport.ledger.sqlite.accounts import Wish, claim, claims, destination_of, settle
from rdimport.ledger.sqlite.files import FILE_NAME, Watch, connect, read_only
from rdimport.ledger.sqlite.forgetting import forget
from rdimport.ledger.sqlite.lookup import look_up
from rdimport.ledger.sqlite.refusals import lock_lost, see_name
from rdimport.ledger.sqlite.run import Run
from rdimport.ledger.sqlite.schema import (
    ENDS,
    VERSION,
    busy_is_no_failure,
    damaged,
    explained,
    make,
    recover,
    version_of,
    write_ahead,
)
from rdimport.ledger.sqlite.upgrade import brought_up, upgrade

_READERS_WAIT: Final = 0.25
"""Seconds to wait for who reads the ledger before its log is emptied: nobody can write meanwhile,
and a report may be read for minutes.
"""


class Ledger:
    """An open ledger. Not for two threads at the same time. Every method raises LedgerError."""

    KNOWN: Final = {
        "identity": pl.Binary,
        "state": pl.String,
        "payload": pl.Binary,
        "problems": pl.String,
        "refused": pl.Binary,
        "run": pl.Int64,
        "left_at": pl.Int64,
    }
    """Schema of what is known of conversions: keyed hashes, the last state, what was wrong.

    `refused` is the hash of a payload that was refused after another one may have arrived: that
    the conversion may have arrived stays true. `run` is the number of the last run that sent it,
    `left_at` when its request left, in milliseconds, where that was noted.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, reading: bool = False
    ) -> None:
        self.path = path
        self._db = connection
        self._reading = reading
        found = connection.execute("SELECT value FROM setting WHERE name = 'hash_key'").fetchone()
        if found is None or not isinstance(found[0], bytes):
            raise damaged(path, _("the key of its hashes is missing"))
        self._key: bytes = found[0]
        self._watch: Watch | None = None if reading else Watch(path)
        self.closing = ExitStack()

    @classmethod
    def open(cls, state_dir: Path, *, trusting: bool = False) -> Self:
        """Open the ledger of a state directory; both are made, for their owner only. Raises
        LedgerLostError where it is not the one, or not all of the one, that rows were sent from,
        unless `trusting`.
        """
        path = state_dir / FILE_NAME
        with explained(path), ExitStack() as unless_open:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = witness.seen(state_dir)
            witness.refuse_remains(path)
            db = connect(path)
            unless_open.callback(db.close)
            write_ahead(db)
            db.execute("PRAGMA synchronous = FULL")  # a row in `sending` must survive a power cut
            if known and not version_of(path, db):
                raise damaged(path, _("its tables are gone"))
            make(path, db)
            upgrade(path, db)
            db.execute(ENDS)
            ledger = cls(path, db)
            if not trusting:
                witness.refuse_older(path, known, ledger.key, ledger.writes())
            unless_open.pop_all()
        return ledger

    @classmethod
    def bring_up(cls, state_dir: Path) -> None:
        """Bring a ledger of an earlier release to this one's tables before an account is locked.

        Whoever cannot look at it now leaves it alone, and tells of it when it is opened.
        """
        path, version = state_dir / FILE_NAME, 0
        with suppress(LedgerError), explained(path, reading=True):
            if cls.is_there(state_dir):
                with closing(read_only(path, wait=0.1)) as db:
                    version = version_of(path, db)
        if 0 < version < VERSION:
            with cls.open(state_dir):
                pass

    @classmethod
    def is_there(cls, state_dir: Path) -> bool:
        """Whether a state directory has a ledger. Raises LedgerLostError where it had one."""
        path = state_dir / FILE_NAME
        with explained(path, reading=True):  # a directory of somebody else does not say
            try:
                path.stat()
            except (FileNotFoundError, NotADirectoryError):
                witness.refuse_remains(path)
                return False
        return True

    @classmethod
    def if_there(cls, state_dir: Path) -> Self | None:
        """The ledger of a state directory to look into, None when nothing was ever sent from there.

        Nothing is written, so directory and file may be read-only.
        """
        path = state_dir / FILE_NAME
        if not cls.is_there(state_dir):
            return None
        with explained(path, reading=True), ExitStack() as unless_open:
            known = witness.seen(state_dir)
            witness.refuse_remains(path)
            db = read_only(path)
            unless_open.callback(db.close)
            if not version_of(path, db):
                if known:
                    raise damaged(path, _("its tables are gone"))
                return None
            db = brought_up(path, db)
            unless_open.callback(db.close)
            db.execute(ENDS)
            ledger = cls(path, db, reading=True)
            witness.refuse_older(path, known, ledger.key, ledger.writes())
            unless_open.pop_all()
        return ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.closing:
            self._db.close()

    def writes(self) -> int:
        """How many writes have let rows leave, since that is counted."""
        found = self.query("SELECT value FROM setting WHERE name = 'writes'")
        return int(found[0][0]) if found else 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable at its end. Raises LedgerLostError when it went into files that
        no later run will find.
        """
        with explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # on a full disk SQLite has rolled back already
                    self._db.execute("ROLLBACK")
                raise
        if self._watch is not None:
            self._watch.look()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a question."""
        with explained(self.path, reading=self._reading):
            return self._db.execute(sql, values).fetchall()

    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a question, a few at a time."""
        with explained(self.path, reading=self._reading):
            yield from self._db.execute(sql, values)

    @property
    def key(self) -> bytes:
        """32 bytes that all hashes are keyed with."""
        return self._key

    def digests(self, texts: Sequence[str], size: int = 16) -> list[bytes]:
        """Keyed hashes: nobody without this file can find out whose they are."""
        return hashed(self._key, texts, size)

    def run(self, name: str | None = None) -> Run:
        """The run of that name, or the latest one. Raises UsageError when there is none."""
        found = self.query(
            "SELECT id, destination, name FROM run WHERE name = coalesce(?, name)"
            " ORDER BY id DESC LIMIT 1",
            name,
        )
        if not found:
            raise UsageError(
                _("The ledger {path} knows no run {name}.", path=self.path, name=name)
                if name
                else _("The ledger {path} knows no run.", path=self.path),
                _("Type: rdimport status"),
            )
        return Run(self, *found[0])

    def at_work(self, account: str) -> tuple[int, str] | None:
        """Process and start of the account's latest run that has not finished."""
        found = self.query(
            "SELECT process, started_at, facts ->> '$.account' FROM run"
            " WHERE finished_at IS NULL AND exit_code IS NULL ORDER BY id DESC"
        )
        same = ((process, start) for process, start, of in found if fold(of) == fold(account))
        return next(same, None)

    def start_run(
        self,
        name: str,
        destination: str,
        started_at: datetime,
        record: RunRecord,
        wish: Wish | None = None,
        *,
        held: Callable[[], bool] = lambda: True,
    ) -> Run:
        """Begin a run. Rows that an earlier one left in `sending` become uncertain. `held` tells
        whether the lock is still the one that others would meet.

        Only who holds the lock of the destination's account may call this. Raises LedgerBusyError
        where others write all the time: a purge does not lock out an account that it never saw;
        UsageError where the key that it has a `wish` to send with is not the account's.
        """
        self._see_that_it_is_whole()
        with busy_is_no_failure(self.path), self.transaction() as db:
            if not held():
                raise lock_lost(self.path)
            where, account = destination_of(db, destination, record)
            recorded = replace(record, account=account)
            recover(db, where)
            settle(db, claims(db, where))
            number = db.execute(
                "INSERT INTO run (name, destination, process, started_at, facts)"
                " VALUES (?, ?, ?, ?, ?)",
                (name, where, os.getpid(), started_at.isoformat(), recorded.text()),
            ).lastrowid
            if number is None:
                raise Bug(f"{self.path} gave the run no number")
            if wish is not None:
                claim(db, where, number, started_at, wish)
        run = Run(self, number, where, name, held)
        if not record.sandbox:  # a sandbox of its own knows nobody: nothing can be lost
            run.watched(account, started_at)
        return run

    def _see_that_it_is_whole(self) -> None:
        """A damaged tree may hide a row, which would be sent again (0.2 s for a million rows)."""
        found = self.query("PRAGMA quick_check(1)")
        if found != [("ok",)]:
            raise damaged(self.path, str(found[0][0]))

    def latest(self, most: int) -> list[str]:
        """The names of the latest runs, the newest first."""
        found = self.query("SELECT name FROM run ORDER BY id DESC LIMIT ?", most)
        return [name for (name,) in found]

    def unfinished(self) -> list[tuple[str, str]]:
        """Name and account of each run that has no end: at work, or killed."""
        return self.query(
            "SELECT name, json_extract(facts, '$.account') FROM run"
            " WHERE finished_at IS NULL AND exit_code IS NULL"
        )

    def forgotten(self) -> list[str]:
        """The names of the runs that know nothing of people any more."""
        found = self.query("SELECT name FROM run WHERE forgotten_at IS NOT NULL ORDER BY id")
        return [see_name(self.path, name) for (name,) in found]

    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """Forget what runs before that moment knew of people; returns how many runs.

        Runs `at_work` are left alone; one that was killed has no end, and counts by its start.
        Cells and values go. The keyed hashes stay: without them rows would be sent twice. What is
        deleted is overwritten with zeros once `empty_log` has said so, but the file keeps its
        size: see `shrink`.
        """
        with self.transaction() as db:
            return forget(db, before, now, at_work)

    def shrink(self) -> None:
        """Give the room of what was forgotten back to the disk. It writes the whole file anew, and
        nobody else can write meanwhile: call it only where no run is at work, nor can begin.
        """
        with explained(self.path):
            self._db.execute("VACUUM")

    def empty_log(self) -> bool:
        """Let what was forgotten leave the disk: it is in the file until the write-ahead log has
        been carried there, and then must not stay in the log either. False when somebody who
        reads, or writes, is in the way: the next call does it, or the last process to close.
        """
        with explained(self.path):
            (usual,) = self._db.execute("PRAGMA busy_timeout").fetchone()
            self._db.execute(f"PRAGMA busy_timeout = {int(_READERS_WAIT * 1000)}")
            try:
                (busy, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self._db.execute(f"PRAGMA busy_timeout = {usual}")
        return not busy

    def destination(self, identity: str) -> int | None:
        """The number of a destination, None when nothing was ever sent there."""
        found = self.query("SELECT id FROM destination WHERE identity = ?", identity)
        return found[0][0] if found else None

    def is_new(self, destination: int) -> bool:
        """Whether nothing was ever sent there."""
        return not self.query(
            "SELECT 1 FROM conversion WHERE destination = ?"
            " UNION ALL SELECT 1 FROM sending WHERE destination = ? LIMIT 1",
            destination,
            destination,
        )

    def knows_of_0_1(self, destination: int) -> bool:
        """Whether release 0.1.0 sent something there, cleaned in its way."""
        return bool(
            self.query(
                "SELECT 1 FROM run WHERE destination = ? AND id <= (SELECT value FROM setting"
                " WHERE name = 'last_run_of_0_1') LIMIT 1",
                destination,
            )
        )

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """What is known of some conversions, in the schema `KNOWN`; without those never sent."""
        with explained(self.path):
            found = look_up(self._db, destination, identities)
        frame = pl.DataFrame(found, schema=self.KNOWN, orient="row")
        return frame.unique("identity", keep="last", maintain_order=True)
