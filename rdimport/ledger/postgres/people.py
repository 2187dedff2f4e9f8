"""Personal data in the ledger, and its removal, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rdimport.core.errors import LedgerError
from rdimport.core.messages import _
from rdimport.core.people import People
from rdimport.ledger import parts
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.erasing import erase
from rdimport.ledger.postgres.statements import ACCOUNT_FIRST, ALL_ACCOUNTS_FIRST, IN_ORDER
from rdimport.ledger.records import Erased

_OLD: Final = f"""
SELECT destination, array_agg(id ORDER BY id) FROM rdimport.run
WHERE id IN ({parts.OLD_RUNS}) AND name <> ALL(%(at_work)s::text[])
GROUP BY destination ORDER BY destination
"""
_THEIRS: Final = """
SELECT destination, array_agg(identity) FROM rdimport.conversion
WHERE problems IS NOT NULL AND coalesce(tried, run) = ANY(%s::int[])
    OR before ->> 'problems' IS NOT NULL
    AND coalesce(before ->> 'tried', before ->> 'run')::int = ANY(%s::int[])
GROUP BY destination
"""
"""The conversions with problems of these runs, now or in the state to which they return."""

_STRIPPED: Final = (
    "(SELECT coalesce(json_agg(json_build_array(p.value ->> 0, p.value ->> 1, '', '', '')), '[]')"
    "::text FROM json_array_elements(({})::json) p)"
)
_BEFORE: Final = "before ->> 'problems'"
_OURS: Final = "destination = %(destination)s AND identity = ANY(%(identities)s::bytea[])"
_STRIP: Final = f"""
UPDATE rdimport.conversion SET problems = {_STRIPPED.format("problems")}
WHERE {_OURS} AND problems IS NOT NULL AND coalesce(tried, run) = ANY(%(runs)s)
"""
_STRIP_BEFORE: Final = f"""
UPDATE rdimport.conversion
SET before = before || jsonb_build_object('problems', {_STRIPPED.format(_BEFORE)})
WHERE {_OURS} AND {_BEFORE} IS NOT NULL
    AND coalesce(before ->> 'tried', before ->> 'run')::int = ANY(%(runs)s)
"""
_FORGOTTEN: Final = """
UPDATE rdimport.run SET forgotten_at = %s WHERE id = ANY(%s) AND forgotten_at IS NULL
"""
_TABLES: Final = ("outcome", "conversion", "input", "run", "attempt", "named", "written")
_NOT_TO_BE_OVERWRITTEN: Final = """
SELECT 1 FROM pg_class c JOIN pg_database d ON d.datname = current_database()
WHERE c.relnamespace = 'rdimport'::regnamespace AND c.relname = ANY(%s)
    AND NOT pg_has_role(c.relowner, 'USAGE') AND NOT pg_has_role(d.datdba, 'USAGE')
    AND NOT CASE WHEN current_setting('server_version_num')::int >= 170000
        THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END
"""
"""Tables for which VACUUM would only raise a warning."""


class PeopleBooks(parts.PeopleBooks):
    """Implements `parts.PeopleBooks`."""

    _ledger: Database

    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """See `parts.PeopleBooks`. One account after the other, so that no run waits for long."""
        self._refuse_unless_overwritten()
        moments = {"before": before.isoformat(), "now": now.isoformat()}
        old = self._ledger.ask(_OLD, {**moments, "at_work": list(at_work)})
        all_runs = [run for _destination, runs in old for run in runs]
        theirs = dict(self._ledger.query(_THEIRS, all_runs, all_runs))
        forgotten = 0
        for destination, runs in old:
            values = {"destination": destination, "identities": theirs.get(destination, [])}
            with self._ledger.transaction() as db:
                db.execute(ACCOUNT_FIRST, values)
                db.execute(IN_ORDER, values)
                db.execute(_STRIP, {**values, "runs": runs})
                db.execute(_STRIP_BEFORE, {**values, "runs": runs})
                db.execute("DELETE FROM rdimport.outcome WHERE run = ANY(%s)", (runs,))
                db.execute("UPDATE rdimport.input SET columns = '[]' WHERE run = ANY(%s)", (runs,))
                forgotten += db.execute(_FORGOTTEN, (now.isoformat(), runs)).rowcount
        with self._ledger.transaction() as db:
            db.execute("DELETE FROM rdimport.attempt WHERE at < %s", (before.isoformat(),))
        return forgotten

    def erase(self, people: People, *, also_hash: bool) -> Erased:
        """See `parts.PeopleBooks`."""
        self._refuse_unless_overwritten()
        with self._ledger.transaction() as db:
            db.execute(ALL_ACCOUNTS_FIRST)
            found = erase(db, self._ledger.digests, people, also_hash=also_hash)
        self.shrink()
        return found

    def _refuse_unless_overwritten(self) -> None:
        """Raise LedgerError if this user may delete, but not overwrite what was deleted."""
        if self._ledger.query(_NOT_TO_BE_OVERWRITTEN, list(_TABLES)):
            raise LedgerError(
                _(
                    "This user of the database {where} may not overwrite what is deleted in the "
                    "ledger's tables, so nothing was deleted.",
                    where=self._ledger.place,
                ),
                _(
                    "Use the user who owns these tables, or ask whoever runs the database for the "
                    "right MAINTAIN on them (PostgreSQL 17)."
                ),
            )

    def shrink(self) -> None:
        """Return the space of deleted data, and overwrite it. Writers wait meanwhile."""
        for table in _TABLES:
            self._ledger.session.ask(f"VACUUM (FULL) rdimport.{table}")

    def empty_log(self) -> bool:
        """Does nothing: log and backups of the database keep deleted data until replaced."""
        return True
