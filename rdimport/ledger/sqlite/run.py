"""The books of one run: what was read, what left, what became of it."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from rdimport.core.errors import Bug, ExitCode
from rdimport.core.row import State
from rdimport.ledger.records import (
    Counters,
    Ending,
    Input,
    Outcome,
    RowResult,
    RunFacts,
    RunRecord,
    SendAttempt,
    problems_of,
)
from rdimport.ledger.sqlite.accounts import settle
from rdimport.ledger.sqlite.naming import Names, Unrecognised, note, unrecognised
from rdimport.ledger.sqlite.refusals import lock_lost, see_name
from rdimport.ledger.sqlite.schema import post
from rdimport.ledger.sqlite.wishes import begun
from rdimport.ledger.sqlite.witness import Witness
from rdimport.ledger.sqlite.writes import Writes, count_write, eight_bytes

if TYPE_CHECKING:
    from rdimport.ledger.sqlite.ledger import Ledger


class Run:
    """The books of one run."""

    def __init__(
        self,
        ledger: Ledger,
        number: int,
        destination: int,
        name: str,
        held: Callable[[], bool] | None = None,
    ) -> None:
        self.ledger = ledger
        self.name = see_name(ledger.path, name)
        self.number = number
        self.destination = destination
        self._names: Names | None = None
        self._writes = Writes(number, destination, ledger.digests)
        self._held = held
        self.has_begun = False
        """Has this process let a row leave?"""
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
            note(db, self.ledger.key, self.number, names)
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

        known = (self.ledger, self.destination, self._names, self.number)
        return unrecognised(*known, fingerprints)

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

    def suspects(self) -> dict[str, int]:
        """How many cells look wrong although they can be sent, the most frequent code first."""
        return dict(
            self.ledger.query(
                "SELECT code, cells FROM suspect WHERE run = ? ORDER BY cells DESC, code",
                self.number,
            )
        )

    def apply(
        self,
        begun: Sequence[SendAttempt],
        ended: Sequence[RowResult | SendAttempt],
        counters: Counters,
    ) -> None:
        """Write down, durably and in one go, rows that are about to leave and rows that came to
        an end. A `SendAttempt` among `ended` did not arrive, and is no longer on its way. Raises
        LedgerLostError, and no row may leave, when another run could send the same ones, or no
        later run would know of them.
        """
        writes = 0
        with self.ledger.transaction() as db:
            locked = self._held is None or self._held()
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
            settle(db, [self.number])
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
        return begun(self.ledger, self.destination, self.number, self.facts().record)

    def has_sent(self) -> bool:
        """May a request of this run have left?"""
        if self.has_begun:
            return True
        noted = self.ledger.query(
            "SELECT 1 FROM minute WHERE run = ? AND requests > 0 UNION ALL SELECT 1 FROM sending"
            " WHERE run = ? LIMIT 1",
            self.number,
            self.number,
        )
        return bool(noted)

    def read_to_end(self, facts: RunFacts) -> bool:
        """Was all of the input read? `facts` are those of `facts`. A run that did not close its
        books tells it by what it sent: nothing leaves before the last row is read.
        """
        if facts.read_to_end is not None:
            return facts.read_to_end
        return facts.exit_code in (ExitCode.DONE, ExitCode.FAILED_ROWS) or self.has_sent()

    def counts(self) -> dict[State, int]:
        """Rows in each state; what came to no end is pending, what is on its way uncertain."""
        tallies = self.ledger.query(
            "SELECT state, sum(rows) FROM (SELECT state, rows FROM tally WHERE run = ?"
            " UNION ALL SELECT 'accepted', accepted FROM minute WHERE run = ?"
            " UNION ALL SELECT 'uncertain', count(*) FROM sending WHERE run = ?) GROUP BY state",
            self.number,
            self.number,
            self.number,
        )
        found = dict(tallies)
        ((rows,),) = self.ledger.query("SELECT row_count FROM run WHERE id = ?", self.number)
        counts = {state: int(found.get(state, 0)) for state in State}
        counts[State.PENDING] = rows - sum(counts.values())
        if counts[State.PENDING] < 0:
            raise Bug(f"{self.ledger.path} counts more outcomes than rows")
        return counts

    def facts(self) -> RunFacts:
        """Everything about the run but its rows: what it is, how it ended, what was counted."""
        ((*known, text),) = self.ledger.query(
            "SELECT name, started_at, finished_at, exit_code, stopped_because, resume_at,"
            " forgotten_at, left_out, coalesce(sum(requests), 0), coalesce(sum(retries), 0),"
            " coalesce(sum(throttled), 0), coalesce(sum(seconds), 0.0), facts"
            " FROM run LEFT JOIN minute ON minute.run = run.id WHERE run.id = ?",
            self.number,
        )
        kept = json.loads(text)
        record = RunRecord.read(kept)
        said = (kept.get(name) or "" for name in ("trouble", "error"))
        ending = kept.get("read_to_end"), *said, kept.get("rules") or {}
        return RunFacts._make([*known, record, *ending])

    def later(self) -> str | None:
        """The latest run of the same list and account, where it is another and could begin."""
        found = self.ledger.query(
            "SELECT later.name FROM run later JOIN run this ON later.destination ="
            " this.destination AND later.facts ->> '$.given' = this.facts ->> '$.given'"
            " AND later.id > this.id WHERE this.id = ? AND later.exit_code IS NOT ?"
            " ORDER BY later.id DESC LIMIT 1",
            self.number,
            int(ExitCode.NOTHING_SENT),
        )
        return found[0][0] if found else None

    def problems(self) -> dict[str, int]:
        """How many of the run's rows have a problem of each code, the most frequent first."""
        return dict(
            self.ledger.query(
                "SELECT json_extract(p.value, '$[0]') AS code, count(DISTINCT o.file || ' ' ||"
                " o.row) AS rows FROM ends o, json_each(o.problems) p WHERE o.run = ?"
                " AND o.state <> 'accepted'"
                " GROUP BY code ORDER BY rows DESC, code",
                self.number,
            )
        )

    def failures(self) -> Iterator[Outcome]:
        """The rows that the failure report lists, in the order of the input."""
        yield from self._listed("'invalid', 'refused', 'uncertain'")

    def sent_without(self) -> Iterator[Outcome]:
        """The rows that were accepted without a cell that was not valid, in the order of the input;
        their warnings tell which.
        """
        yield from self._listed("'accepted'")

    def _listed(self, states: str) -> Iterator[Outcome]:
        for file, row, state, cells, problems, warnings in self.ledger.stream(
            "SELECT file, row, state, cells, problems, warnings FROM ends WHERE run = ?"  # noqa: S608
            f" AND state IN ({states}) ORDER BY file, row",
            self.number,
        ):
            yield Outcome(
                file,
                row,
                State(state),
                problems_of(problems),
                tuple(json.loads(cells)),
                warnings=problems_of(warnings),
            )

    def without_cells(self) -> dict[int, list[int]]:
        """Rows by file that were on their way when the run was cut off: nobody kept their cells."""
        found: dict[int, list[int]] = {}
        for file, row in self.ledger.query(
            "SELECT file, row FROM ends WHERE run = ? AND state = 'uncertain' AND cells = '[]'"
            " ORDER BY file, row",
            self.number,
        ):
            found.setdefault(file, []).append(row)
        return found

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""
        return self.ledger.query(
            "SELECT file, row FROM conversion WHERE destination = ? AND run = ?"
            " AND state = 'accepted' ORDER BY file, row LIMIT ?",
            self.destination,
            self.number,
            most,
        )

    def inputs(self) -> dict[int, Input]:
        """The tables of the input by their number."""
        return {
            file: Input(name, tuple(json.loads(columns)), *shape)
            for file, name, columns, *shape in self.ledger.query(
                "SELECT file, name, columns, encoding, delimiter, sheet, header_row, repair,"
                " fingerprint FROM input WHERE run = ? ORDER BY file",
                self.number,
            )
        }
