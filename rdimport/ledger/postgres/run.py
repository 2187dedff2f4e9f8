"""The records of one run: what was read, what was sent, and the results."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString

from rdimport.core.errors import Bug, ExitCode
from rdimport.core.row import FAILED, State
from rdimport.ledger.accounts import resolve_claims
from rdimport.ledger.hashes import first_from
from rdimport.ledger.port import Run
from rdimport.ledger.postgres.connection import BLOCKS, SILENCE, Connection
from rdimport.ledger.postgres.database import Database
from rdimport.ledger.postgres.parts import AccountBooks
from rdimport.ledger.postgres.remembered import Remembered
from rdimport.ledger.postgres.session import asking
from rdimport.ledger.postgres.statements import IN_ORDER
from rdimport.ledger.postgres.trouble import explained
from rdimport.ledger.postgres.writes import Writes
from rdimport.ledger.records import Counters, Ending, Outcome, RowResult, SendAttempt

if TYPE_CHECKING:
    import polars as pl

    from rdimport.ledger.evidence import ClockRange
    from rdimport.ledger.holds import Held
    from rdimport.ledger.postgres.lease import Lease

_AT_ONCE: Final = 2_000
_SOURCES_AT_ONCE: Final = 20_000 if BLOCKS else 1
_SOURCES: Final = """
SELECT source FROM rdimport.conversion WHERE destination = %s AND state = 1
    AND source IS NOT NULL AND identity < %b
"""
_LISTED: Final = """
SELECT file, row, state, cells, problems, warnings FROM rdimport.ends
WHERE run = %s AND state = ANY(%s::text[]) AND (file, row) > (%s, %s) ORDER BY file, row LIMIT %s
"""


class PostgresRun(Run):
    """The records of one run; read-only without `turn`, the lease of its account."""

    ledger: Database
    first_accepted = """
SELECT file, row FROM rdimport.conversion WHERE destination = %(destination)s AND run = %(run)s
    AND state = 1 ORDER BY file, row LIMIT %(most)s
"""

    def __init__(
        self,
        ledger: Database,
        number: int,
        destination: int,
        name: str,
        *,
        turn: Lease | None = None,
        held: Held | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        super().__init__(ledger, number, destination, name)
        self._held, self._remembered = held, remembered
        self._adopted: dict[bytes, bytes] = {}
        self._unwritten: list[tuple[LiteralString, Sequence[Mapping[str, object]]]] = []
        """Statements about the plan, written with the next rows, or before the next query: each
        transaction waits for the disk, and a worker plans hundreds of runs at once.
        """
        self._written: Writes | None = None
        if turn is not None:
            self._written = Writes(
                ledger.gathered,
                name,
                run=number,
                destination=destination,
                lease=turn,
                timeline=ledger.timeline,
                digests=ledger.digests,
            )

    @property
    def _writes(self) -> Writes:
        if self._written is None:
            raise Bug("a run that is only looked into is written to")
        return self._written

    @property
    def is_lost(self) -> bool:
        """See `port.Run`."""
        return self._written is not None and self._written.is_lost

    def may_send(self) -> bool:
        """See `port.Run`."""
        sure = self._writes.is_fresh() or (self._held is not None and self._held.is_held())
        return sure and not self._writes.is_lost

    def _note(self, sql: LiteralString, lines: Sequence[Mapping[str, object]]) -> None:
        self._unwritten.append((sql, [{**line, "run": self.number} for line in lines]))

    def _write_plan(self, db: Connection) -> None:
        for statement, lines in self._unwritten:
            if len(lines) == 1:
                db.execute(statement, lines[0])
            else:
                with db.cursor() as cursor:
                    cursor.executemany(statement, lines)
        self._unwritten.clear()

    def _see_written(self) -> None:
        if self._unwritten:
            with self.ledger.transaction(SILENCE) as db:
                self._write_plan(db)

    def _ask(self, sql: LiteralString, **values: object) -> list[tuple[Any, ...]]:
        self._see_written()
        return super()._ask(sql, **values)

    def record_rows(
        self, rows: int, left_out: int, outcomes: Sequence[Outcome], already: int = 0
    ) -> None:
        """See `port.Run`."""
        with self.ledger.transaction(SILENCE) as db:
            self._writes.record(db, outcomes)  # locks the account and conversions first
            self._write_plan(db)
            if already:
                self._writes.tally(db, State.ALREADY_IMPORTED, already)
            db.execute(
                "UPDATE rdimport.run SET row_count = row_count + %s, left_out = left_out + %s"
                " WHERE id = %s",
                (rows, left_out, self.number),
            )

    def adopt(self, payloads: Mapping[bytes, bytes], *, last: bool) -> None:
        """See `port.Run`."""
        known = dict(payloads)
        self._adopted = {**self._adopted, **known} if last else {**known, **self._adopted}

    def keep_adopted(self) -> None:
        """Compare those conversions with these hashes from now on."""
        self._see_written()
        if not self._adopted:
            return
        identities, payloads = list(self._adopted), list(self._adopted.values())
        with self.ledger.transaction(SILENCE) as db:
            db.execute(IN_ORDER, {"destination": self.destination, "identities": identities})
            db.execute(
                "UPDATE rdimport.conversion c SET payload = g.payload"
                " FROM unnest(%s::bytea[], %s::bytea[]) AS g(identity, payload)"
                " WHERE c.destination = %s AND c.identity = g.identity",
                (identities, payloads, self.destination),
            )
        self._adopted = {}

    def sources(self, below: int = 256) -> pl.Series:
        """See `port.Run`."""
        import polars as pl  # noqa: PLC0415  as in `PostgresLedger.known`

        session, wanted = self.ledger.session, (self.destination, first_from(below))
        with explained(session.address), session.connection.cursor() as cursor:
            found = cursor.stream(_SOURCES, wanted, binary=True, size=_SOURCES_AT_ONCE)
            numbers = array("q", (number for (number,) in found))
        return pl.Series(numbers, dtype=pl.Int64).sort()

    def note_sources(self, identities: Sequence[bytes], sources: Sequence[int]) -> None:
        """Record the source hash of each conversion's cells."""
        values = {"destination": self.destination, "identities": list(identities)}
        with self.ledger.transaction(SILENCE) as db:
            db.execute(IN_ORDER, values)
            db.execute(
                "UPDATE rdimport.conversion c SET source = g.source"
                " FROM unnest(%b::bytea[], %b::bigint[]) AS g(identity, source)"
                " WHERE c.destination = %s AND c.identity = g.identity AND c.state = 1"
                " AND c.source IS DISTINCT FROM g.source",
                (list(identities), list(sources), self.destination),
            )

    def apply(
        self,
        begun: Sequence[SendAttempt],
        ended: Sequence[RowResult | SendAttempt],
        counters: Counters,
    ) -> Sequence[SendAttempt]:
        """See `port.Run`. Raises LedgerError, after which no row of `begun` may be sent."""
        if not self._writes.done:  # from here on all runs of this process share a connection
            self.ledger.rest()
            self._remember()
        claimed = self._writes.apply(begun, ended, counters)
        self.has_begun = self.has_begun or bool(claimed)
        return claimed

    def note_clock(self, clock: ClockRange) -> None:
        """See `port.Run`. Nobody compares the database's clock with the endpoint's, so the times of
        requests are this machine's.
        """
        self._writes.clock = clock

    def finish(
        self,
        at: datetime,
        exit_code: int,
        stopped_because: str | None,
        resume_at: datetime | None = None,
        found: Ending | None = None,
    ) -> None:
        """See `port.Run`."""
        with self.ledger.transaction(SILENCE) as db:
            self._write_plan(db)
            resolve_claims(AccountBooks(asking(db)), [self.number])
            ((text,),) = db.execute(
                "SELECT facts FROM rdimport.run WHERE id = %s FOR UPDATE", (self.number,)
            ).fetchall()
            facts = {**json.loads(text), **(found.kept() if found else {})}
            exit_code = self._corrected(exit_code)
            db.execute(
                "UPDATE rdimport.run SET finished_at = %s, exit_code = %s, stopped_because = %s,"
                " resume_at = %s, facts = %s WHERE id = %s",
                (
                    at.isoformat(),
                    int(exit_code),
                    stopped_because,
                    resume_at.isoformat() if resume_at else None,
                    json.dumps(facts),
                    self.number,
                ),
            )
        self._remember()

    def _remember(self) -> None:
        if self._remembered is not None and self._written is not None:
            self._remembered.note(self.name, self._written.done)

    def _corrected(self, exit_code: int) -> int:
        """The exit code, as late answers to an earlier run may have corrected rows of this one."""
        ended = exit_code in (ExitCode.DONE, ExitCode.FAILED_ROWS)
        if not ended or self._written is None or not self._written.lists_doubts:
            return exit_code
        counts = self.counts()
        if counts[State.PENDING]:
            return ExitCode.STOPPED
        failed = any(counts[state] for state in FAILED)
        return ExitCode.FAILED_ROWS if failed else ExitCode.DONE

    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        """A few thousand rows at a time, so that other queries can run in between."""
        after = (-1, -1)
        while found := self.ledger.query(_LISTED, self.number, list(states), *after, _AT_ONCE):
            yield from found
            after = found[-1][:2]
