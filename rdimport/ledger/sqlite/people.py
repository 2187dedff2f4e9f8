"""What the ledger knows of people, and how it forgets them, in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from rdimport.core.people import People
from rdimport.ledger.records import Erased
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.erasing import erase
from rdimport.ledger.sqlite.files import remove_half_made
from rdimport.ledger.sqlite.forgetting import forget
from rdimport.ledger.sqlite.refusals import see_name

_READERS_WAIT: Final = 0.25
"""Seconds to wait for who reads the ledger before its log is emptied: nobody can write meanwhile,
and a report may be read for minutes.
"""


class PeopleBooks:
    """`parts.PeopleBooks`."""

    def __init__(self, ledger: LedgerFile) -> None:
        self._ledger = ledger

    def remembered(self) -> frozenset[str]:
        """The names of the runs that know something of people."""
        found = self._ledger.query("SELECT name FROM run WHERE forgotten_at IS NULL")
        return frozenset(name for (name,) in found)

    def report_dirs(self) -> list[Path]:
        """The folders in which runs put their reports."""
        found = self._ledger.query("SELECT DISTINCT facts ->> '$.report_dir' FROM run")
        return [Path(folder) for (folder,) in found if folder]

    def erase(self, people: People, *, also_hash: bool) -> Erased:
        """Take people out of the ledger and of what lies beside it."""
        return erase(self._ledger, people, also_hash=also_hash)

    def forgotten(self) -> list[str]:
        """The names of the runs that know nothing of people any more."""
        found = self._ledger.query(
            "SELECT name FROM run WHERE forgotten_at IS NOT NULL ORDER BY id"
        )
        return [see_name(self._ledger.path, name) for (name,) in found]

    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """Forget what runs before that moment knew of people; returns how many runs.

        Runs `at_work` are left alone; one that was killed has no end, and counts by its start.
        Cells and values go. The keyed hashes stay: without them rows would be sent twice. What is
        deleted is overwritten with zeros once `empty_log` has said so, but the file keeps its
        size: see `shrink`.
        """
        with self._ledger.transaction() as db:
            return forget(db, before, now, at_work)

    def shrink(self) -> None:
        """Give the room of what was forgotten back to the disk. It writes the whole file anew, and
        nobody else can write meanwhile: call it only where no run is at work, nor can begin.
        """
        self._ledger.query("VACUUM")
        remove_half_made(self._ledger.path.parent)

    def empty_log(self) -> bool:
        """Let what was forgotten leave the disk: it is in the file until the write-ahead log has
        been carried there, and then must not stay in the log either. False when somebody who
        reads, or writes, is in the way: the next call does it, or the last process to close.
        """
        ((usual,),) = self._ledger.query("PRAGMA busy_timeout")
        self._ledger.query(f"PRAGMA busy_timeout = {int(_READERS_WAIT * 1000)}")
        try:
            ((busy, *_),) = self._ledger.query("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._ledger.query(f"PRAGMA busy_timeout = {usual}")
        return not busy
