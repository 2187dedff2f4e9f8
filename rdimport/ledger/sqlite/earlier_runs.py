"""Facts from earlier runs and attempts: identities of conversions, requests to resend, exit
codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rdimport.ledger import naming
from rdimport.ledger.attempts import Attempt, Line, kept, line_of
from rdimport.ledger.sqlite.database import Database


class NamingBooks:
    """Implements `ledger.naming.NamingBooks`."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self.key = ledger.key

    def lines(self, destination: int, folded: bytes, before: int | None) -> list[naming.Line]:
        """How runs identified the conversions with similar identifiers."""
        found = self._ledger.query(
            "SELECT n.run, n.exact, n.fields, n.text, n.new, n.known,"
            " coalesce(r.facts ->> '$.new_identity', 0) FROM named n JOIN run r ON r.id = n.run"
            " WHERE n.folded = ? AND r.destination = ? AND n.run < coalesce(?, n.run + 1)"
            " ORDER BY n.run",
            folded,
            destination,
            before,
        )
        return [naming.Line(*values) for values in found]

    def conversions(self, destination: int) -> dict[int, int]:
        """The number of conversions of each run that have arrived or may have."""
        return dict(
            self._ledger.query(
                "SELECT run, count(*) FROM (SELECT run FROM conversion WHERE destination = ?"
                " AND state IN ('accepted', 'uncertain') UNION ALL"
                " SELECT run FROM sending WHERE destination = ?) GROUP BY run",
                destination,
                destination,
            )
        )

    def read_one_of(self, runs: Sequence[int], fingerprints: Sequence[str]) -> bool:
        """Whether one of these runs read one of these files."""
        return bool(
            self._ledger.query(
                "SELECT 1 FROM input WHERE run IN (SELECT value FROM json_each(?))"
                " AND fingerprint IN (SELECT value FROM json_each(?)) LIMIT 1",
                json.dumps(runs),
                json.dumps(fingerprints),
            )
        )


class ResendBooks:
    """Implements `ledger.resends.ResendBooks`."""

    def __init__(self, ledger: Database, destination: int) -> None:
        self._ledger = ledger
        self._destination = destination

    def with_request(
        self, after: int, before: int, resend: str
    ) -> Iterator[tuple[int, int | None, str]]:
        """The runs between those two with that request."""
        yield from self._ledger.stream(
            "SELECT id, exit_code, facts ->> '$.given' FROM run WHERE destination = ? AND id < ?"
            " AND id > ? AND facts ->> '$.resend' = ? ORDER BY id DESC",
            self._destination,
            before,
            after,
            resend,
        )

    def number_of(self, run: str) -> int:
        """The number of the run of that name."""
        found = self._ledger.query(
            "SELECT id FROM run WHERE destination = ? AND name = ?", self._destination, run
        )
        return found[0][0] if found else 0


def note_attempt(ledger: Database, attempt: Attempt) -> None:
    """Record a run that ended before it began."""
    with ledger.transaction() as db:
        at, code = attempt.at.isoformat(), int(attempt.exit_code)
        db.execute(
            "INSERT INTO attempt (at, account, job, exit_code, facts) VALUES (?, ?, ?, ?, ?)",
            (at, attempt.account, attempt.job, code, kept(attempt)),
        )


def lines(ledger: Database, of_job: str | None = None) -> Iterator[Line]:
    """All runs and attempts, or those of one job, reduced to what the comparison needs."""
    for account, job, mapping, begun, ended, code, run, batch, stopped in ledger.query(
        "SELECT facts ->> '$.account', coalesce(facts ->> '$.job', ''),"
        " coalesce(facts ->> '$.mapping', ''), started_at, finished_at, exit_code, name,"
        " coalesce(facts ->> '$.batch', ''), stopped_because FROM run"
        " WHERE NOT coalesce(facts ->> '$.sandbox', 0) AND (? IS NULL OR facts ->> '$.job' = ?)",
        of_job,
        of_job,
    ):
        yield Line(account, job, mapping, begun, ended, code, run, None, batch, stopped)
    for values in ledger.query(
        "SELECT at, account, job, exit_code, facts FROM attempt WHERE job = coalesce(?, job)",
        of_job,
    ):
        yield line_of(*values)
