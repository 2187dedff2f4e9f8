"""Personal data in the ledger, and its removal, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from rdimport.core.people import People
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.erasing import erase
from rdimport.ledger.records import Erased

_STRIPPED: Final = (
    "(SELECT coalesce(json_agg(json_build_array(p.value ->> 0, p.value ->> 1, '', '', '')), '[]')"
    "::text FROM json_array_elements(({})::json) p)"
)
_TABLES: Final = ("outcome", "conversion", "input", "run", "attempt", "named", "written")


class PeopleBooks:
    """Implements `parts.PeopleBooks`."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    def remembered(self) -> frozenset[str]:
        """Names of the runs with personal data."""
        found = self._ledger.query("SELECT name FROM rdimport.run WHERE forgotten_at IS NULL")
        return frozenset(name for (name,) in found)

    def forgotten(self) -> list[str]:
        """Names of the runs whose personal data was removed."""
        found = self._ledger.query(
            "SELECT name FROM rdimport.run WHERE forgotten_at IS NOT NULL ORDER BY id"
        )
        return [self._ledger.see_name(name) for (name,) in found]

    def report_dirs(self) -> list[Path]:
        """The report folders of all runs."""
        found = self._ledger.query(
            "SELECT DISTINCT facts::json ->> 'report_dir' FROM rdimport.run ORDER BY 1"
        )
        return [Path(folder) for (folder,) in found if folder]

    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """Forget what runs before that moment knew of people; returns how many runs.

        Runs `at_work` are left alone; one that was killed has no end, and counts by its start.
        Cells and values go. The keyed hashes stay: without them rows would be sent twice.
        """
        moment = (now.isoformat(),)
        chosen = "IN (SELECT id FROM rdimport.run WHERE forgotten_at = %s)"
        with self._ledger.transaction() as db:
            runs = db.execute(
                "UPDATE rdimport.run SET forgotten_at = %s"
                " WHERE coalesce(finished_at, started_at) < %s"
                " AND forgotten_at IS NULL AND name <> ALL(%s::text[])",
                (now.isoformat(), before.isoformat(), list(at_work)),
            ).rowcount
            db.execute(f"DELETE FROM rdimport.outcome WHERE run {chosen}".encode(), moment)
            db.execute(
                f"UPDATE rdimport.input SET columns = '[]' WHERE run {chosen}".encode(), moment
            )
            db.execute(
                f"UPDATE rdimport.conversion SET problems = {_STRIPPED.format('problems')}"
                f" WHERE problems IS NOT NULL AND coalesce(tried, run) {chosen}".encode(),
                moment,
            )
            then = "before ->> 'problems'"
            db.execute(
                "UPDATE rdimport.conversion SET before = before ||"
                f" jsonb_build_object('problems', {_STRIPPED.format(then)})"
                f" WHERE {then} IS NOT NULL"
                f" AND coalesce(before ->> 'tried', before ->> 'run')::int {chosen}".encode(),
                moment,
            )
            db.execute("DELETE FROM rdimport.attempt WHERE at < %s", (before.isoformat(),))
        return runs

    def erase(self, people: People, *, also_hash: bool) -> Erased:
        """Take people out of the ledger, `also` their keyed hashes. Call it only where no run is at
        work, nor can begin.
        """
        with self._ledger.transaction() as db:
            found = erase(db, self._ledger.digests, people, also_hash=also_hash)
        self.shrink()
        return found

    def shrink(self) -> None:
        """Give the room of what was forgotten back, and overwrite it. Whoever wants to write waits
        meanwhile.
        """
        for table in _TABLES:
            self._ledger.query(f"VACUUM (FULL) rdimport.{table}")

    def empty_log(self) -> bool:
        """What was forgotten is in the database's log until it is reused there; see its backups."""
        return True
