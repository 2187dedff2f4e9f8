"""The books of one run: what was read, what left, what became of it."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from rdimport.core.row import State
from rdimport.ledger.accounts import settle
from rdimport.ledger.naming import Names, Unrecognised, noted
from rdimport.ledger.records import Counters, Ending, Input, Outcome, RowResult, SendAttempt
from rdimport.ledger.sqlite.accounts import AccountBooks
from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.earlier_runs import WishBooks
from rdimport.ledger.sqlite.refusals import lock_lost
from rdimport.ledger.sqlite.run_reader import RunReader
from rdimport.ledger.sqlite.schema import post
from rdimport.ledger.sqlite.witness import Witness
from rdimport.ledger.sqlite.writes import Writes, count_write, eight_bytes
from rdimport.ledger.wishes import begun as wish_begun

if TYPE_CHECKING:
    from rdimport.ledger.port import Held


class SqliteRun(RunReader):
    """The books of one run."""

    is_lost = False
    """Who takes an account over, takes its lock: `apply` says so."""

    def __init__(
        self,
        ledger: LedgerFile,
        number: int,
        destination: int,
        name: str,
        held: Held | None = None,
    ) -> None:
        super().__init__(ledger, number, destination, name)
        self._names: Names | None = None
        self._writes = Writes(number, destination, ledger.digests)
        self._held = held
        self._witness: Witness | None = None

    def watched(self, account: str, since: datetime) -> None:
        """Let it be noticed if this ledger, or what this run writes, is not there later."""
        place, begun = self.ledger.path.parent, since.isoformat(timespec="seconds")
        witness = Witness(place, self.ledger.key, account, self.name, begun)
        self._witness = self.ledger.closing.enter_context(witness)
        sent = "posted daybook sending".split()
        if any(self.ledger.query(f"SELECT 1 FROM {table} LIMIT 1") for table in sent):  # noqa: S608
            self._witness.note(self.ledger.writes())

    def record_input(self, file: int, table: Input) -> None:
        """Note one table of the input."""
        with self.ledger.transaction() as db:
            db.execute(
                "INSERT INTO input VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.number,
                    file,
                    table.name,
                    json.dumps(table.columns, ensure_ascii=False),
                    table.encoding,
                    table.delimiter,
                    table.sheet,
                    table.header_row,
                    table.repair,
                    table.fingerprint,
                ),
            )

    def record_rows(
        self, rows: int, left_out: int, outcomes: Sequence[Outcome], already: int = 0
    ) -> None:
        """Note rows that were read, and the end of those that end without being sent; of those that
        were imported `already`, only how many. All at once: a run may be killed at any time.
        """
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE run SET row_count = row_count + ?, left_out = left_out + ? WHERE id = ?",
                (rows, left_out, self.number),
            )
            self._writes.record(db, outcomes)
            if already:
                self._writes.tally(db, State.ALREADY_IMPORTED, already)

    def count_filled(self, rows_by_field: Mapping[str, int]) -> None:
        """Note how many rows that are put away have a value in each field; 0 counts too."""
        with self.ledger.transaction() as db:
            db.executemany(
                "INSERT INTO filled VALUES (?, ?, ?)"
                " ON CONFLICT (run, field) DO UPDATE SET rows = rows + excluded.rows",
                ((self.number, field, rows) for field, rows in rows_by_field.items()),
            )

    def note_sources(self, identities: Sequence[bytes], sources: Sequence[int]) -> None:
        """Note by which hash of its cells each conversion can be recognised."""
        with self.ledger.transaction() as db:
            db.executemany(
                "UPDATE posted SET source = ? WHERE destination = ? AND identity = ?"
                " AND source IS NOT ?",
                (
                    (source, self.destination, identity, source)
                    for identity, source in zip(identities, map(eight_bytes, sources), strict=True)
                ),
            )

    def note_names(self, names: Names) -> None:
        """Note under which identity rows are sent, and which of them are known under it."""
        with self.ledger.transaction() as db:
            db.executemany(
                "INSERT INTO named VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (folded, run, exact, fields)"
                " DO UPDATE SET new = new + excluded.new, known = known + excluded.known",
                noted(self.ledger.key, self.number, names),
            )
        new, known = Counter(names.new), Counter(names.known)
        if self._names is not None:
            new, known = new + Counter(self._names.new), known + Counter(self._names.known)
        self._names = names._replace(new=new, known=known)

    def unrecognised(self) -> list[Unrecognised]:
        """The conversions of earlier runs that the new rows of this one may be."""
        if self._names is None:
            return []

        def fingerprints() -> list[str]:
            return [table.fingerprint for table in self.inputs().values()]

        return self.ledger.unrecognised(self.destination, self._names, self.number, fingerprints)

    def adopt(self, payloads: Mapping[bytes, bytes], *, last: bool) -> None:
        """Note the payload's hash by identity of conversions that an earlier release sent; of
        several the `last`, else the first.
        """
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
        """From now on those conversions are compared with these hashes."""
        if not self.ledger.query("SELECT 1 FROM temp.sqlite_schema WHERE name = 'adopted'"):
            return
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE posted SET payload = is_now FROM adopted WHERE destination = ?"
                " AND posted.identity = adopted.identity AND length(payload) > length(is_now)",
                (self.destination,),
            )
            db.execute("DROP TABLE adopted")

    def sources(self) -> pl.Series:
        """All hashes by which conversions that were accepted can be recognised: Int64, in order."""
        found = self.ledger.stream(
            "SELECT source FROM conversion"
            " WHERE destination = ? AND state = 'accepted' AND source IS NOT NULL",
            self.destination,
        )
        known = array("q")
        for (source,) in found:
            known.frombytes(source)
        return pl.Series(known, dtype=pl.Int64).sort()

    def count_suspects(self, cells_by_code: Mapping[str, int]) -> None:
        """Note how many cells of rows that can be sent look wrong, by code."""
        with self.ledger.transaction() as db:
            db.executemany(
                "INSERT INTO suspect VALUES (?, ?, ?)"
                " ON CONFLICT (run, code) DO UPDATE SET cells = cells + excluded.cells",
                ((self.number, code, cells) for code, cells in cells_by_code.items()),
            )

    def apply(
        self,
        begun: Sequence[SendAttempt],
        ended: Sequence[RowResult | SendAttempt],
        counters: Counters,
    ) -> Sequence[SendAttempt]:
        """Write down, durably and in one go, rows that are about to leave and rows that came to
        an end. Returns those of `begun` that may leave: all, as the account is ours. A
        `SendAttempt` among `ended` did not arrive, and is no longer on its way. Raises
        LedgerLostError, and no row may leave, when another run could send the same ones, or no
        later run would know of them.
        """
        writes = 0
        with self.ledger.transaction() as db:
            locked = self._held is None or self._held.is_held()
            if not locked:  # who took over has noted our open rows as uncertain, and so they stay
                begun, ended = (), self._writes.still_open(db, ended)
            self._writes.apply(db, begun, ended, counters)
            if begun and self._witness is not None:
                writes = count_write(db)
        if not locked:
            raise lock_lost(self.ledger.path)
        if begun:
            self.has_begun = True
            if self._witness is not None:
                self._witness.note(writes)
        return begun

    def finish(
        self,
        at: datetime,
        exit_code: int,
        stopped_because: str | None,
        resume_at: datetime | None = None,
        found: Ending | None = None,
    ) -> None:
        """Close the books. `resume_at` is when it makes sense to go on, where that is known; what
        else was `found` goes beside what the person said of the run.
        """
        with self.ledger.transaction() as db:
            post(db, "run", self.number)
            settle(AccountBooks(db), [self.number])
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

    def wish(self) -> frozenset[int]:
        """The numbers of the runs in which the wish to send again that this run has was begun and
        not brought to its end: what they have sent is not sent once more.
        """
        books = WishBooks(self.ledger, self.destination)
        return wish_begun(books, self.number, self.facts().record)
