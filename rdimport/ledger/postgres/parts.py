"""The parts of a shared ledger besides its runs: see `ledger.parts`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, LiteralString

from rdimport.core.errors import LedgerError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.people import People
from rdimport.core.row import Problem
from rdimport.ledger import accounts as rules
from rdimport.ledger import parts
from rdimport.ledger.accounts import KeyClaim, Owner, spelt
from rdimport.ledger.postgres import statements
from rdimport.ledger.postgres.connection import SILENCE, Connection
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.erasing import erase
from rdimport.ledger.postgres.session import asking
from rdimport.ledger.postgres.statements import ACCOUNT_FIRST, ALL_ACCOUNTS_FIRST, IN_ORDER
from rdimport.ledger.postgres.writes import plain
from rdimport.ledger.records import Correction, Erased, RunRecord
from rdimport.ledger.sql import Ask

ALONE: LiteralString = "LOCK TABLE rdimport.account_key IN SHARE ROW EXCLUSIVE MODE"
"""Keys are given to accounts by one transaction at a time."""

BESIDE: Final = "LOCK TABLE rdimport.account_key IN ROW EXCLUSIVE MODE"
"""Hundreds of runs may begin at the same time, while no transaction is `ALONE`."""


class NotBesideError(Exception):
    """The owner of a run's key can only be decided `ALONE`."""


_DESTINATION: Final = """
SELECT id, account FROM rdimport.destination WHERE identity = %s FOR NO KEY UPDATE
"""
_STAY_PAUSED: Final = """
INSERT INTO rdimport.paused SELECT %(account)s, since, why FROM rdimport.paused
WHERE account = %(former)s ON CONFLICT DO NOTHING
"""


def destination_of(db: Connection, named: str, record: RunRecord) -> tuple[int, str]:
    """The number of a destination, created if it is new, and its account's name. Two runs of one
    account begin one after the other.
    """
    found = db.execute(_DESTINATION, (named,)).fetchone()
    if found is None:
        db.execute(
            "INSERT INTO rdimport.destination (identity, endpoint, account) VALUES (%s, %s, %s)"
            " ON CONFLICT (identity) DO NOTHING",
            (named, spelt(named, record.base_url, record.account), record.account),
        )
        ((number, account),) = db.execute(_DESTINATION, (named,)).fetchall()
        found = number, account
    return found[0], found[1]


class AccountBooks(rules.AccountBooks):
    """Implements `accounts.AccountBooks`."""

    sent = """
SELECT EXISTS (SELECT 1 FROM rdimport.conversion WHERE destination = %(destination)s
    AND state NOT IN (3, 9))
"""
    of_run = """
SELECT EXISTS (SELECT 1 FROM rdimport.minute WHERE run = %(run)s AND accepted > 0)
    OR EXISTS (SELECT 1 FROM rdimport.tally WHERE run = %(run)s AND state = 'accepted')
    OR EXISTS (SELECT 1 FROM rdimport.in_flight WHERE run = %(run)s)
    OR EXISTS (SELECT 1 FROM rdimport.conversion WHERE destination = %(destination)s
    AND run = %(run)s AND state = 2 AND problems IS NOT NULL)
"""
    emptied = "DELETE FROM rdimport.conversion WHERE destination = %(destination)s"

    def call(self, number: int, identity: str, account: str) -> None:
        """Implements `rules.AccountBooks.call`: a pause of the account's jobs continues."""
        former = fold(self.whose(number)[1])
        for (name,) in self._ask("SELECT account FROM rdimport.paused", {}):
            if fold(name) == former and name != account:
                self._ask(_STAY_PAUSED, {"account": account, "former": name})
                self._ask("DELETE FROM rdimport.paused WHERE account = %(it)s", {"it": name})
        super().call(number, identity, account)


def claim_beside(
    db: Connection, destination: int, run: int, at: datetime, key_claim: KeyClaim
) -> None:
    """`rules.claim` for an account that owns the key, or that has no key and takes a free one. If
    two runs take the same one, the table's unique index decides. Raises UsageError, and
    NotBesideError in other cases.
    """
    books = AccountBooks(asking(db))
    endpoint, account = books.whose(destination)
    if key_claim.key is None:
        return
    owner = books.owner(endpoint, key_claim.key)
    if not endpoint or owner == Owner(destination, account, None):
        return
    if owner is not None or books.has_keys(destination):
        raise NotBesideError
    if not key_claim.sure:
        rules.see_that_it_is_no_slip(books, destination, endpoint, account)
    bound = db.execute(
        "INSERT INTO rdimport.account_key VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (endpoint, key_claim.key, destination, run, at.isoformat()),
    )
    if not bound.rowcount:
        raise NotBesideError


class Accounts(parts.Accounts):
    """Implements `parts.Accounts`."""

    books = AccountBooks
    alone = ALONE
    listed = """
SELECT d.account, d.endpoint,
    (SELECT count(*) FROM rdimport.account_key k WHERE k.destination = d.id),
    (SELECT count(*) FROM rdimport.conversion c WHERE c.destination = d.id
    AND c.state IN (0, 1, 2)),
    (SELECT max(started_at) FROM rdimport.run r WHERE r.destination = d.id)
FROM rdimport.destination d WHERE d.endpoint <> '' ORDER BY d.endpoint, d.account
"""


_ALL: Final = 2**62
"""Greater than any epoch: the caller holds the account, so no run of it is active."""


class EvidenceBooks(parts.EvidenceBooks):
    """Implements `parts.EvidenceBooks`."""

    _ledger: Database

    proved = """
UPDATE rdimport.conversion SET state = 1, problems = %(text)s, refused = NULL, tried = NULL,
    was = NULL, before = NULL
WHERE destination = %(destination)s AND identity = %(identity)s AND state = 2 RETURNING 1
"""

    def _recover(self, destination: int) -> None:
        with self._ledger.transaction() as db:
            db.execute(statements.ACCOUNT_FIRST, {"destination": destination})
            recover(db, destination, _ALL)

    @contextmanager
    def _proving(self, destination: int, identities: Sequence[bytes]) -> Iterator[Ask]:
        values = {"destination": destination, "identities": identities}
        with self._ledger.writing() as ask:
            ask(statements.ACCOUNT_FIRST, values)
            ask(statements.IN_ORDER, values)
            yield ask

    def _text(self, proof: Problem) -> str:
        return plain(super()._text(proof))

    def _doubts(self, destination: int, identities: Collection[bytes]) -> list[tuple[Any, ...]]:
        return self._ledger.query(
            "SELECT c.identity, c.run, r.name, c.file, c.row, c.left_at, r.started_at"
            " FROM rdimport.conversion c JOIN rdimport.run r ON r.id = c.run"
            " WHERE c.state = 2 AND c.destination = %s AND c.identity = ANY(%s::bytea[])",
            destination,
            list(identities),
        )

    def runs_of(self, destination: int, identities: Collection[bytes]) -> dict[bytes, int]:
        """The run that sent each of the given conversions, unless unknown or refused."""
        found = self._ledger.query(
            "SELECT identity, run FROM rdimport.conversion WHERE state IN (1, 2)"
            " AND destination = %s AND identity = ANY(%s::bytea[])",
            destination,
            list(identities),
        )
        return dict(found)


def recover(db: Connection, destination: int, epoch: int) -> None:
    """Mark rows that earlier runs of a destination left in flight as uncertain. The caller has
    locked the account (`statements.ACCOUNT_FIRST`).
    """
    earlier = {"destination": destination, "epoch": epoch}
    if db.execute(statements.UNLISTED, earlier).rowcount:
        db.execute(statements.RECOVER_UNLISTED, earlier)
    found = db.execute(statements.IN_FLIGHT, earlier).fetchall()
    if found:
        values = {**earlier, "identities": [identity for (identity,) in found]}
        db.execute(statements.IN_ORDER, values)
        db.execute(statements.RECOVER, values)
    db.execute(
        "UPDATE rdimport.run SET stopped_because = 'killed', exit_code = 3 WHERE destination = %s"
        " AND finished_at IS NULL AND stopped_because IS NULL AND epoch < %s",
        (destination, epoch),
    )


_FAILED: Final = """
SELECT o.row, i.columns, o.cells, o.problems FROM rdimport.input i
JOIN rdimport.outcome o ON o.run = i.run AND o.file = i.file
WHERE %s IN (i.name, i.name || ' [' || i.sheet || ']')
    AND i.run = coalesce((SELECT id FROM rdimport.run WHERE name = %s), i.run)
    AND o.row = ANY(%s::int[]) AND o.state IN ('invalid', 'refused', 'uncertain')
"""


class CorrectionBooks(parts.CorrectionBooks):
    """Implements `parts.CorrectionBooks`."""

    _ledger: Database

    corrected = """
SELECT c.origin, c.row, r.name FROM rdimport.corrected c JOIN rdimport.conversion v
    ON v.destination = c.destination AND v.identity = c.identity JOIN rdimport.run r ON r.id = v.run
WHERE c.destination = %(destination)s AND v.state = 1
"""

    def _failed(self, file: str, rows: Sequence[int], run: str | None) -> list[tuple[Any, ...]]:
        return self._ledger.query(_FAILED, file, run, list(rows))

    def note(self, destination: int, corrections: Sequence[Correction]) -> None:
        """Record corrections; the latest one of a row counts."""
        with self._ledger.transaction(SILENCE) as db, db.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO rdimport.corrected VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (destination, origin, row) DO UPDATE SET identity ="
                " excluded.identity",
                [(destination, *correction) for correction in corrections],
            )


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
