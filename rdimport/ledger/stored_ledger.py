"""The stored form of a ledger, besides its runs: queries common to all kinds of ledgers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar, Final, LiteralString

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.ledger import naming
from rdimport.ledger.attempts import Attempt, Latest, Line, kept, latest, latest_by, line_of
from rdimport.ledger.hashes import hashed
from rdimport.ledger.naming import Names, Unrecognised
from rdimport.ledger.parts import Accounts, CorrectionBooks, EvidenceBooks, PeopleBooks
from rdimport.ledger.spellings import other_spellings, recognised
from rdimport.ledger.sql import Asked

_RUN: Final = """
SELECT id, destination, name FROM rdimport.run WHERE name = coalesce(%(name)s::text, name)
ORDER BY id DESC LIMIT 1
"""
_OF_0_1: Final = """
SELECT 1 FROM rdimport.run WHERE destination = %(destination)s AND id <= (SELECT value::int
    FROM rdimport.setting WHERE name = 'last_run_of_0_1') LIMIT 1
"""
_UNFINISHED: Final = """
SELECT name, facts::json ->> 'account' FROM rdimport.run
WHERE finished_at IS NULL AND exit_code IS NULL
"""
_LINES: Final = """
SELECT facts::json ->> 'account', coalesce(facts::json ->> 'job', ''),
    coalesce(facts::json ->> 'mapping', ''), started_at, finished_at, exit_code, name,
    NULL, coalesce(facts::json ->> 'batch', ''), stopped_because, id FROM rdimport.run
WHERE NOT coalesce((facts::json ->> 'sandbox')::boolean, false)
    AND (%(job)s::text IS NULL OR facts::json ->> 'job' = %(job)s)
"""
_ATTEMPTS: Final = """
SELECT id, at, account, job, exit_code, facts FROM rdimport.attempt
WHERE job = coalesce(%(job)s, job)
"""
_ATTEMPT: Final = """
INSERT INTO rdimport.attempt (at, account, job, exit_code, facts)
VALUES (%(at)s, %(account)s, %(job)s, %(code)s, %(facts)s)
"""


class StoredLedger(Asked):
    """Operations common to all kinds of ledgers."""

    accounts: Accounts
    evidence: EvidenceBooks
    corrections: CorrectionBooks
    people: PeopleBooks
    sent: ClassVar[LiteralString]
    """A row if something was sent to a destination."""

    def digests(self, texts: Sequence[str], size: int = 16) -> list[bytes]:
        """Keyed hashes: addresses cannot be recovered from them without the key."""
        return hashed(self.key, texts, size)

    def find_run(self, name: str | None) -> tuple[int, int, str]:
        """Number, destination and name of a run, or of the latest one. Raises UsageError."""
        rows = self.ask(_RUN, {"name": name})
        if not rows:
            raise _no_run(self.place, name)
        number, destination, known = rows[0]
        return number, destination, known

    def knows_run(self, name: str) -> bool:
        """Whether there is a run of that name."""
        return bool(self.ask("SELECT 1 FROM rdimport.run WHERE name = %(name)s", {"name": name}))

    def latest(self, most: int) -> list[str]:
        """The names of the latest runs, newest first."""
        sql = "SELECT name FROM rdimport.run ORDER BY id DESC LIMIT %(most)s"
        return [name for (name,) in self.ask(sql, {"most": most})]

    def unfinished(self) -> list[tuple[str, str]]:
        """Name and account of each run without an end: active or killed."""
        return [(name, account) for name, account in self.ask(_UNFINISHED, {})]

    def is_new(self, destination: int) -> bool:
        """Whether nothing was ever sent there."""
        return not self.ask(self.sent, {"destination": destination})

    def knows_of_0_1(self, destination: int) -> bool:
        """Whether release 0.1.0, whose cleaners differ, sent rows there."""
        return bool(self.ask(_OF_0_1, {"destination": destination}))

    def unrecognised(
        self,
        destination: int,
        names: Names,
        before: int | None,
        fingerprints: Callable[[], Sequence[str]],
    ) -> list[Unrecognised]:
        """See `naming.unrecognised`."""
        return naming.unrecognised(self, destination, names, before, fingerprints)

    def spellings(self, destination: int, texts: Collection[str]) -> dict[str, dict[bytes, str]]:
        """See `spellings.other_spellings`."""
        return other_spellings(self, destination, texts)

    def recognised(
        self, spelt: Mapping[str, Mapping[bytes, str]], texts: Collection[str]
    ) -> dict[str, list[str]]:
        """See `spellings.recognised`."""
        return recognised(self.key, spelt, texts)

    def identity_rules(self, destination: int) -> list[str]:
        """How runs have read identity fields, as `mapping.identity_rule` writes it."""
        return naming.rules(self, destination)

    def note_attempt(self, attempt: Attempt) -> None:
        """Record a run that ended before it began."""
        values = {
            "at": attempt.at.isoformat(),
            "account": attempt.account,
            "job": attempt.job,
            "code": int(attempt.exit_code),
        }
        with self.writing() as ask:
            ((after,),) = ask("SELECT coalesce(max(id), 0) FROM rdimport.run", {})
            ask(_ATTEMPT, {**values, "facts": kept(attempt, after)})

    def latest_of_jobs(self, since: datetime | None = None, job: str | None = None) -> list[Latest]:
        """The latest run or attempt of each account and job, newest first. With `since`, only those
        with activity since then; with `job`, only those of a job of that name.
        """
        return latest(self._lines(job), since)

    def latest_by(self, part: Callable[[datetime], date]) -> dict[date, list[Latest]]:
        """The same for each period, such as a night, in which runs or attempts began."""
        return latest_by(self._lines(None), part)

    def _lines(self, job: str | None) -> Iterator[Line]:
        """All runs and attempts, or those of one job, reduced to what the comparison needs."""
        rows = self.ask(_LINES, {"job": job})
        runs = [Line._make([*values, (number, 0)]) for *values, number in rows]
        yield from runs
        yield from (line_of(stored, runs) for stored in self.ask(_ATTEMPTS, {"job": job}))


def _no_run(place: str, name: str | None) -> UsageError:
    """The error for a ledger without a run of that name; None: without any."""
    return UsageError(
        _("The ledger {path} contains no run {name}.", path=place, name=name)
        if name
        else _("The ledger {path} contains no run.", path=place),
        _("Type: rdimport status"),
    )
