"""The changes of one write of the journal: rows that begin, rows that end.

One statement processes a whole batch. SQLite then runs without the GIL, which it would otherwise
have to take back from the event loop after each row. A list of whole numbers is JSON as Python
writes it.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rdimport.core.errors import Bug
from rdimport.core.row import State
from rdimport.ledger.records import Counters, Outcome, RowResult, SendAttempt, text_of
from rdimport.ledger.sql import TALLY, in_sqlite
from rdimport.ledger.sqlite.schema import post

_POST_EVERY: Final = 20_000
"""Accepted rows after which the daybook is posted: takes 0.1 s, and keeps the file small."""


class Writes:
    """The writes of one run, each within the caller's transaction."""

    def __init__(
        self, run: int, destination: int, digests: Callable[[Sequence[str], int], list[bytes]]
    ) -> None:
        self._run = run
        self._destination = destination
        self._digests = digests
        self._unposted = 0
        self._counted = Counters()

    def apply(
        self,
        db: sqlite3.Connection,
        begun: Sequence[SendAttempt],
        ended: Sequence[RowResult | SendAttempt],
        counters: Counters,
    ) -> None:
        """Record rows about to be sent, and results. Raises Bug for one that never began."""
        accepted = {
            _place(end.outgoing): end.receipt
            for end in ended
            if isinstance(end, RowResult) and end.outcome.state is State.ACCEPTED
        }
        if ended:
            self._end(db, ended, accepted)
        if begun:
            self._begin(db, begun)
        self._note_minute(db, len(accepted), counters)

    def still_open(
        self, db: sqlite3.Connection, ended: Sequence[RowResult | SendAttempt]
    ) -> list[RowResult | SendAttempt]:
        """Those of the ended rows that no other process has settled meanwhile."""
        found = db.execute("SELECT file << 32 | row FROM sending WHERE run = ?", (self._run,))
        places = {place for (place,) in found}
        return [end for end in ended if _place_of(end) in places]

    def _begin(self, db: sqlite3.Connection, begun: Sequence[SendAttempt]) -> None:
        hashes = self._digests([row.compared or row.payload for row in begun], 8)
        identities = [row.identity for row in begun]
        if set(map(len, identities)) != {16}:
            raise Bug("an identity is not a hash of 16 bytes")
        db.execute(
            "INSERT INTO sending SELECT ?, value >> 32, value & 4294967295, ?,"
            " substr(?, 1 + 16 * key, 16), substr(?, 1 + 8 * key, 8),"
            " nullif(substr(?, 1 + 8 * key, 8), x''),"
            " CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) FROM json_each(?)",
            (
                self._run,
                self._destination,
                b"".join(identities),
                b"".join(hashes),
                _sources(begun),
                str(list(map(_place, begun))),
            ),
        )

    def _end(
        self,
        db: sqlite3.Connection,
        ended: Sequence[RowResult | SendAttempt],
        accepted: Mapping[int, str],
    ) -> None:
        """Replace the records of rows in flight by their results."""
        every_one = len(accepted) == len(ended)
        results = [end for end in ended if isinstance(end, RowResult)]
        if accepted:
            self._accept(db, accepted)
            warned = [end.outcome for end in results if end.outcome.warnings]
            self._list(db, [end for end in warned if end.state is State.ACCEPTED])
        if not every_one:
            self._fail(db, [end for end in results if end.outcome.state is not State.ACCEPTED])
        places = list(accepted) if every_one else list(map(_place_of, ended))
        gone = db.execute(
            "DELETE FROM sending WHERE run = ? AND (file, row) IN"
            " (SELECT value >> 32, value & 4294967295 FROM json_each(?))",
            (self._run, str(places)),
        ).rowcount
        if gone != len(ended):
            raise Bug(f"{len(ended) - gone} of {len(ended)} ended rows were never begun")
        self._unposted += len(accepted)
        if self._unposted >= _POST_EVERY:
            post(db, "run", self._run)
            self._unposted = 0

    def _accept(self, db: sqlite3.Connection, accepted: Mapping[int, str]) -> None:
        """Enter accepted rows, given as receipts by place, in the daybook."""
        db.execute(
            "INSERT INTO daybook SELECT s.run, s.file, s.row, destination, identity, payload,"
            " e.value, source FROM json_each(?) e CROSS JOIN sending s ON s.run = ?"
            " AND s.file = CAST(e.key AS INTEGER) >> 32"
            " AND s.row = CAST(e.key AS INTEGER) & 4294967295",
            (json.dumps(accepted), self._run),
        )

    def _fail(self, db: sqlite3.Connection, failed: Sequence[RowResult]) -> None:
        """Record rows that were not accepted, one by one: they are few."""
        db.executemany(
            "INSERT INTO posted SELECT destination, identity, ?, payload, run, file, row, ?, ?,"
            " NULL, NULL, NULL, left_at FROM sending WHERE run = ? AND file = ? AND row = ?"
            " ON CONFLICT (destination, identity) DO UPDATE SET"
            # an accepted or uncertain conversion stays so if a later payload is refused
            " (state, payload, run, file, row, receipt, problems, refused, tried, left_at) ="
            " (SELECT excluded.state, excluded.payload, excluded.run, excluded.file, excluded.row,"
            " excluded.receipt, excluded.problems, NULL, NULL,"
            # sent twice and uncertain both times: the first request may have arrived, too
            " CASE posted.state WHEN 'uncertain' THEN posted.left_at ELSE excluded.left_at END"
            " WHERE excluded.state <> 'refused' OR posted.state = 'refused' UNION ALL SELECT"
            " posted.state, posted.payload, posted.run, posted.file,"
            " posted.row, posted.receipt, excluded.problems, excluded.payload, excluded.run,"
            " posted.left_at"
            " WHERE excluded.state = 'refused' AND posted.state <> 'refused')",
            (
                (
                    outcome.state,
                    receipt,
                    text_of(outcome.problems),
                    self._run,
                    outgoing.file,
                    outgoing.row,
                )
                for outgoing, outcome, receipt in failed
            ),
        )
        self.record(db, [end.outcome for end in failed])

    def record(self, db: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
        """Record the results of rows, and count them."""
        self._list(db, outcomes)
        for state in {end.state for end in outcomes}:
            self.tally(db, state, sum(end.state is state for end in outcomes))

    def _list(self, db: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
        """Record the results of rows that a report lists individually."""
        db.executemany(
            "INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    self._run,
                    end.file,
                    end.row,
                    end.state,
                    json.dumps(end.cells, ensure_ascii=False),
                    text_of(end.problems),
                    *(end.instead or (None, None)),
                    text_of(end.warnings),
                    end.identity,
                )
                for end in outcomes
            ),
        )

    def _note_minute(self, db: sqlite3.Connection, accepted: int, counters: Counters) -> None:
        """Add the counts since the last note to the current minute of sending, from 0. If only time
        has passed, as when a single row begins, the next write adds them.
        """
        # one table and one line, as each table costs one more page to write
        if not accepted and counters[:-1] == self._counted[:-1]:
            return
        new = (now - before for now, before in zip(counters, self._counted, strict=True))
        self._counted = counters
        db.execute(
            "INSERT INTO minute VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, minute) DO UPDATE"
            " SET requests = requests + excluded.requests, retries = retries + excluded.retries,"
            " throttled = throttled + excluded.throttled, seconds = seconds + excluded.seconds,"
            " accepted = accepted + excluded.accepted",
            (self._run, int(counters.seconds // 60), *new, accepted),
        )

    def tally(self, db: sqlite3.Connection, state: State, rows: int) -> None:
        """Count the results of rows."""
        db.execute(in_sqlite(TALLY), {"run": self._run, "state": state, "rows": rows})


def _sources(rows: Sequence[SendAttempt]) -> bytes:
    """Eight bytes for each row, or nothing: a run has them for all of its rows or for none."""
    sources = [row.source for row in rows if row.source is not None]
    return eight_bytes(*sources) if len(sources) == len(rows) else b""


def eight_bytes(*sources: int) -> bytes:
    """Source hashes as stored in the ledger, concatenated."""
    return array("q", sources).tobytes()


def _place(row: SendAttempt) -> int:
    """File and row as one number."""
    return row.file << 32 | row.row


def _place_of(end: RowResult | SendAttempt) -> int:
    return _place(end.outgoing if isinstance(end, RowResult) else end)


def count_write(db: sqlite3.Connection) -> int:
    """Count a write that allows rows to be sent; returns its number."""
    ((writes,),) = db.execute(
        "INSERT INTO setting VALUES ('writes', 1)"
        " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
    ).fetchall()
    return int(writes)
