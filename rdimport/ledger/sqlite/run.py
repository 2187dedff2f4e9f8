"""The records of one run: what was read, what was sent, and the results."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString

from rdimport.core.row import State
from rdimport.ledger.accounts import resolve_claims
from rdimport.ledger.evidence import ClockRange
from rdimport.ledger.hashes import first_from
from rdimport.ledger.port import Run
from rdimport.ledger.records import Counters, Ending, Outcome, RowResult, SendAttempt
from rdimport.ledger.sql import in_sqlite
from rdimport.ledger.sqlite.database import LedgerFile, asking
from rdimport.ledger.sqlite.parts import AccountBooks
from rdimport.ledger.sqlite.schema import lock_lost, post
from rdimport.ledger.sqlite.witness import Witness
from rdimport.ledger.sqlite.writes import Writes, count_write, eight_bytes

if TYPE_CHECKING:
    import polars as pl

    from rdimport.ledger.holds import Held


_PARTS: Final = 64
"""Number of parts in which the sources are collected: each part is in memory twice."""

_LISTED: Final = "SELECT file, row, state, cells, problems, warnings FROM ends WHERE run = ?"


class SqliteRun(Run):
    """The records of one run."""

    is_lost = False
    """Always False: a process that takes over the account takes its lock, which `apply` checks."""

    ledger: LedgerFile
    first_accepted = """
SELECT file, row FROM conversion WHERE destination = %(destination)s AND run = %(run)s
    AND state = 'accepted' ORDER BY file, row LIMIT %(most)s
"""

    def __init__(
        self,
        ledger: LedgerFile,
        number: int,
        destination: int,
        name: str,
        held: Held | None = None,
    ) -> None:
        super().__init__(ledger, number, destination, name)
        self._writes = Writes(number, destination, ledger.digests)
        self._held = held
        self._witness: Witness | None = None

    def watched(self, account: str, since: datetime) -> None:
        """Keep witnesses of this run's writes, so that their loss is noticed."""
        place, begun = self.ledger.path.parent, since.isoformat(timespec="seconds")
        witness = Witness(place, self.ledger.key, account, self.name, begun)
        self._witness = self.ledger.closing.enter_context(witness)
        sent = "posted daybook sending".split()
        if any(self.ledger.query(f"SELECT 1 FROM {table} LIMIT 1") for table in sent):  # noqa: S608
            self._witness.note(self.ledger.writes())

    def may_send(self) -> bool:
        """The account's lock is held by a process for as long as it lives, also while it sleeps."""
        return True

    def _note(self, sql: LiteralString, lines: Sequence[Mapping[str, object]]) -> None:
        with self.ledger.transaction() as db:
            db.executemany(in_sqlite(sql), [{**line, "run": self.number} for line in lines])

    def record_rows(
        self, rows: int, left_out: int, outcomes: Sequence[Outcome], already: int = 0
    ) -> None:
        """See `port.Run`."""
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE run SET row_count = row_count + ?, left_out = left_out + ? WHERE id = ?",
                (rows, left_out, self.number),
            )
            self._writes.record(db, outcomes)
            if already:
                self._writes.tally(db, State.ALREADY_IMPORTED, already)

    def note_sources(self, identities: Sequence[bytes], sources: Sequence[int]) -> None:
        """Record the source hash of each conversion's cells."""
        with self.ledger.transaction() as db:
            db.executemany(
                "UPDATE posted SET source = ? WHERE destination = ? AND identity = ?"
                " AND source IS NOT ?",
                (
                    (source, self.destination, identity, source)
                    for identity, source in zip(identities, map(eight_bytes, sources), strict=True)
                ),
            )

    def adopt(self, payloads: Mapping[bytes, bytes], *, last: bool) -> None:
        """See `port.Run`."""
        with self.ledger.transaction() as db:
            db.execute(
                "CREATE TEMP TABLE IF NOT EXISTS adopted (identity BLOB PRIMARY KEY, is_now)"
            )
            rule = "REPLACE" if last else "IGNORE"
            db.executemany(
                f"INSERT OR {rule} INTO adopted VALUES (?, ?)",  # noqa: S608  a constant
                payloads.items(),
            )

    def keep_adopted(self) -> None:
        """Compare those conversions with these hashes from now on."""
        if not self.ledger.query("SELECT 1 FROM temp.sqlite_schema WHERE name = 'adopted'"):
            return
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE posted SET payload = is_now FROM adopted WHERE destination = ?"
                " AND posted.identity = adopted.identity",
                (self.destination,),
            )
            db.execute("DROP TABLE adopted")

    def sources(self, below: int = 256) -> pl.Series:
        """See `port.Run`.

        SQLite concatenates a part in one step: with a step for each row, Python would release and
        reacquire the GIL a million times.
        """
        import polars as pl  # noqa: PLC0415  as in `SqliteLedger.known`

        # the view looks each conversion up in the daybook, which is empty unless a run is active
        daybook = "SELECT 1 FROM daybook WHERE destination = ? LIMIT 1"
        table = "conversion" if self.ledger.query(daybook, self.destination) else "posted"
        known, size = array("q"), 256 // _PARTS
        for start in range(0, below, size):
            [(found,)] = self.ledger.query(
                f"SELECT CAST(group_concat(source, '') AS BLOB) FROM {table}"  # noqa: S608  constants
                " WHERE destination = ? AND identity >= ? AND identity < ? AND state = 'accepted'"
                " AND length(source) = 8",
                self.destination,
                first_from(start),
                first_from(min(start + size, below)),
            )
            known.frombytes(found or b"")
        return pl.Series(known, dtype=pl.Int64).sort()

    def apply(
        self,
        begun: Sequence[SendAttempt],
        ended: Sequence[RowResult | SendAttempt],
        counters: Counters,
    ) -> Sequence[SendAttempt]:
        """See `port.Run`. All of `begun` may be sent, as the account is held."""
        writes = 0
        with self.ledger.transaction() as db:
            locked = self._held is None or self._held.is_held()
            if not locked:  # the new holder has marked our open rows as uncertain, and so they stay
                begun, ended = (), self._writes.still_open(db, ended)
            self._writes.apply(db, begun, ended, counters)
            if begun and self._witness is not None:
                self._witness.open()
                writes = count_write(db)
        if not locked:
            raise lock_lost(self.ledger.path)
        if begun:
            self.has_begun = True
            if self._witness is not None:
                self._witness.note(writes)
        return begun

    def note_clock(self, clock: ClockRange) -> None:
        """See `port.Run`."""
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE run SET facts = json_patch(facts, ?) WHERE id = ?",
                (json.dumps({"clock": clock}), self.number),
            )

    def finish(
        self,
        at: datetime,
        exit_code: int,
        stopped_because: str | None,
        resume_at: datetime | None = None,
        found: Ending | None = None,
    ) -> None:
        """See `port.Run`."""
        with self.ledger.transaction() as db:
            post(db, "run", self.number)
            resolve_claims(AccountBooks(asking(db)), [self.number])
            db.execute(
                "UPDATE run SET finished_at = ?, exit_code = ?, stopped_because = ?, resume_at = ?,"
                " facts = json_patch(facts, ?) WHERE id = ?",
                (
                    at.isoformat(),
                    exit_code,
                    stopped_because,
                    resume_at.isoformat() if resume_at else None,
                    json.dumps(found.kept() if found else {}, ensure_ascii=False),
                    self.number,
                ),
            )

    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        marks = ", ".join("?" * len(states))
        asked = f"{_LISTED} AND state IN ({marks}) ORDER BY file, row"
        return self.ledger.stream(asked, self.number, *states)
