"""Facts from earlier runs and attempts: identities of conversions, requests to resend, exit
codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rdimport.ledger import naming
from rdimport.ledger.attempts import Attempt, Line, kept, line_of
from rdimport.ledger.postgres.database import Database


class NamingBooks:
    """Implements `ledger.naming.NamingBooks`."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self.key = ledger.key

    def lines(self, destination: int, folded: bytes, before: int | None) -> list[naming.Line]:
        """How runs identified the conversions with similar identifiers."""
        found = self._ledger.query(
            "SELECT n.run, n.exact, n.fields, n.text, n.new, n.known,"
            " coalesce((r.facts::json ->> 'new_identity')::boolean, false)::int"
            " FROM rdimport.named n JOIN rdimport.run r ON r.id = n.run"
            " WHERE n.folded = %s AND r.destination = %s AND n.run < coalesce(%s, n.run + 1)"
            " ORDER BY n.run",
            folded,
            destination,
            before,
        )
        return [naming.Line(*values) for values in found]

    def conversions(self, destination: int) -> dict[int, int]:
        """The number of conversions of each run that have arrived or may have."""
        found = self._ledger.query(
            "SELECT run, count(*) FROM rdimport.conversion WHERE destination = %s"
            " AND state IN (0, 1, 2) GROUP BY run",
            destination,
        )
        return dict(found)

    def read_one_of(self, runs: Sequence[int], fingerprints: Sequence[str]) -> bool:
        """Whether one of these runs read one of these files."""
        found = self._ledger.query(
            "SELECT 1 FROM rdimport.input WHERE run = ANY(%s::int[])"
            " AND fingerprint = ANY(%s::text[]) LIMIT 1",
            list(runs),
            list(fingerprints),
        )
        return bool(found)


class ResendBooks:
    """Implements `ledger.resends.ResendBooks`."""

    def __init__(self, ledger: Database, destination: int) -> None:
        self._ledger = ledger
        self._destination = destination

    def with_request(
        self, after: int, before: int, resend: str
    ) -> Iterator[tuple[int, int | None, str]]:
        """The runs between those two with that request."""
        yield from self._ledger.query(
            "SELECT id, exit_code, facts::json ->> 'given' FROM rdimport.run"
            " WHERE destination = %s AND id < %s AND id > %s"
            " AND replace(facts::json ->> 'resend', ' ', '') = %s ORDER BY id DESC",
            self._destination,
            before,
            after,
            resend,
        )

    def number_of(self, run: str) -> int:
        """The number of the run of that name; 0 if there is none."""
        found = self._ledger.query(
            "SELECT id FROM rdimport.run WHERE destination = %s AND name = %s",
            self._destination,
            run,
        )
        return found[0][0] if found else 0


def note_attempt(ledger: Database, attempt: Attempt) -> None:
    """Record a run that ended before it began."""
    with ledger.transaction() as db:
        at, code = attempt.at.isoformat(), int(attempt.exit_code)
        db.execute(
            "INSERT INTO rdimport.attempt (at, account, job, exit_code, facts)"
            " VALUES (%s, %s, %s, %s, %s)",
            (at, attempt.account, attempt.job, code, kept(attempt)),
        )


def lines(ledger: Database, of_job: str | None = None) -> Iterator[Line]:
    """All runs and attempts, or those of one job, reduced to what the comparison needs."""
    for account, job, mapping, begun, ended, code, run, batch, stopped in ledger.query(
        "SELECT facts::json ->> 'account', coalesce(facts::json ->> 'job', ''),"
        " coalesce(facts::json ->> 'mapping', ''), started_at, finished_at, exit_code, name,"
        " coalesce(facts::json ->> 'batch', ''), stopped_because FROM rdimport.run"
        " WHERE NOT coalesce((facts::json ->> 'sandbox')::boolean, false)"
        " AND (%s::text IS NULL OR facts::json ->> 'job' = %s)",
        of_job,
        of_job,
    ):
        yield Line(account, job, mapping, begun, ended, code, run, None, batch, stopped)
    for values in ledger.query(
        "SELECT at, account, job, exit_code, facts FROM rdimport.attempt"
        " WHERE job = coalesce(%s, job)",
        of_job,
    ):
        yield line_of(*values)
