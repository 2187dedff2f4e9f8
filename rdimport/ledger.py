"""What became of every row: one SQLite file per state directory, the truth that reports read.

A row is in `sending` before its first byte may leave, and leaves it only together with its
outcome. Whatever is found there when a new run starts may have arrived: it becomes uncertain.
Rows are known by a keyed hash of their identity; the key lives in the file.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import polars as pl

from rdimport.errors import LedgerError, UsageError
from rdimport.row import Problem, State

FILE_NAME: Final = "ledger.sqlite3"

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE destination (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE);
CREATE TABLE run (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, destination INTEGER NOT NULL,
    process INTEGER NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, exit_code INTEGER,
    stopped_because TEXT, resume_at TEXT, facts TEXT NOT NULL, row_count INTEGER NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0, requests INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0, throttled INTEGER NOT NULL DEFAULT 0,
    sending_seconds REAL NOT NULL DEFAULT 0);
CREATE TABLE input (
    run INTEGER, file INTEGER, name TEXT NOT NULL, columns TEXT NOT NULL, encoding TEXT NOT NULL,
    delimiter TEXT NOT NULL, sheet TEXT NOT NULL, PRIMARY KEY (run, file)) WITHOUT ROWID;
CREATE TABLE tally (
    run INTEGER, state TEXT, rows INTEGER NOT NULL, PRIMARY KEY (run, state)) WITHOUT ROWID;
CREATE TABLE minute (
    run INTEGER, minute INTEGER, requests INTEGER NOT NULL, throttled INTEGER NOT NULL,
    accepted INTEGER NOT NULL, PRIMARY KEY (run, minute)) WITHOUT ROWID;
CREATE TABLE filled (
    run INTEGER, field TEXT, rows INTEGER NOT NULL, PRIMARY KEY (run, field)) WITHOUT ROWID;
CREATE TABLE conversion (
    destination INTEGER, identity BLOB, state TEXT NOT NULL, payload BLOB NOT NULL,
    run INTEGER NOT NULL, file INTEGER NOT NULL, row INTEGER NOT NULL, receipt TEXT NOT NULL,
    problems TEXT NOT NULL, PRIMARY KEY (destination, identity)) WITHOUT ROWID;
CREATE TABLE sending (
    destination INTEGER, identity BLOB, payload BLOB NOT NULL, run INTEGER NOT NULL,
    file INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (destination, identity)
    ) WITHOUT ROWID;
CREATE TABLE outcome (
    run INTEGER, file INTEGER, row INTEGER, state TEXT NOT NULL, cells TEXT NOT NULL,
    problems TEXT NOT NULL, instead_file INTEGER, instead_row INTEGER,
    PRIMARY KEY (run, file, row)) WITHOUT ROWID;
"""


_INTERRUPTED: Final = '[["uncertain.interrupted", "", "", "", ""]]'
_ENDS: Final = f"""
CREATE TEMP VIEW ends AS SELECT run, file, row, state, cells, problems FROM outcome
UNION ALL SELECT run, file, row, 'uncertain', '[]', '{_INTERRUPTED}' FROM sending
"""  # noqa: S608  a constant
"""What became of rows. Of a run that died some are still on their way: they may have arrived."""


class Outgoing(NamedTuple):
    """A row on its way: who it is, where it stands in the input, what it would send."""

    identity: bytes
    file: int
    row: int
    payload: str


class Parcel(NamedTuple):
    """A row to send, and its cells as they were for the report if it fails."""

    outgoing: Outgoing
    cells: tuple[str | None, ...]


class Outcome(NamedTuple):
    """What became of a row of this run, with its cells as they were where a report needs them.

    `instead` is the file and row that is sent instead of a duplicate.
    """

    file: int
    row: int
    state: State
    problems: tuple[Problem, ...] = ()
    cells: tuple[str | None, ...] = ()
    instead: tuple[int, int] | None = None


class Settled(NamedTuple):
    """An outgoing row and its end. `receipt` is the endpoint's own identifier."""

    outgoing: Outgoing
    outcome: Outcome
    receipt: str = ""


class Counters(NamedTuple):
    """What delivery counts beside the rows; `seconds` it has been sending."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    seconds: float = 0.0


class Input(NamedTuple):
    """One table of a run's input, as far as its report needs it."""

    name: str
    columns: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say into a LedgerError that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(
            f"The ledger {path} cannot be used: {error}.",
            "No row is sent that could not be recorded. Free disk space, correct the permissions "
            "or name another --state-dir, then run the same command again.",
        ) from error


class Ledger:
    """An open ledger. Not for two threads at the same time. Every method raises LedgerError."""

    KNOWN: Final = {
        "identity": pl.Binary,
        "state": pl.String,
        "payload": pl.Binary,
        "problems": pl.String,
    }
    """Schema of what is known of conversions: keyed hashes, the last state, what was wrong."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        self._key: bytes = connection.execute(
            "SELECT value FROM setting WHERE name = 'hash_key'"
        ).fetchone()[0]

    @classmethod
    def open(cls, state_dir: Path) -> Self:
        """Open the ledger of a state directory; both are made, for their owner only."""
        path = state_dir / FILE_NAME
        with _explained(path):
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # a row in `sending` must survive a power cut
            _migrate(path, db)
            db.execute(_ENDS)
            return cls(path, db)

    @classmethod
    def if_there(cls, state_dir: Path) -> Self | None:
        """The ledger of a state directory, None when nothing was ever sent from there."""
        return cls.open(state_dir) if (state_dir / FILE_NAME).exists() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, durable at its end."""
        with _explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a question."""
        with _explained(self.path):
            return self._db.execute(sql, values).fetchall()

    def stream(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a question, a few at a time."""
        with _explained(self.path):
            yield from self._db.execute(sql, values)

    @staticmethod
    def hashed(key: bytes, texts: Sequence[str], size: int) -> list[bytes]:
        """Keyed hashes of `size` bytes."""
        return [blake2b(text.encode(), key=key, digest_size=size).digest() for text in texts]

    def digests(self, texts: Sequence[str], size: int = 16) -> list[bytes]:
        """Keyed hashes: nobody without this file can find out whose they are."""
        return self.hashed(self._key, texts, size)

    def run(self, name: str | None = None) -> Run:
        """The run of that name, or the latest one. Raises UsageError when there is none."""
        found = self.query(
            "SELECT id, destination, name FROM run WHERE ?1 IS NULL OR name = ?1"
            " ORDER BY id DESC LIMIT 1",
            name,
        )
        if not found:
            raise UsageError(
                f"The ledger {self.path} knows no run {name}." if name else "There was no run yet.",
                "Type: rdimport status",
            )
        return Run(self, *found[0])

    def at_work(self, account: str) -> tuple[int, str] | None:
        """Process and start of the account's latest run that has not finished."""
        found = self.query(
            "SELECT process, started_at FROM run WHERE finished_at IS NULL AND exit_code IS NULL"
            " AND json_extract(facts, '$.account') = ? ORDER BY id DESC LIMIT 1",
            account,
        )
        return found[0] if found else None

    def start_run(
        self, name: str, destination: str, started_at: datetime, facts: dict[str, Any]
    ) -> Run:
        """Begin a run. Rows that an earlier one left in `sending` become uncertain.

        Only who holds the lock of the destination's account may call this.
        """
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO destination (identity) VALUES (?)", (destination,))
            (where,) = db.execute(
                "SELECT id FROM destination WHERE identity = ?", (destination,)
            ).fetchone()
            _recover(db, where)
            number = db.execute(
                "INSERT INTO run (name, destination, process, started_at, facts)"
                " VALUES (?, ?, ?, ?, ?)",
                (name, where, os.getpid(), started_at.isoformat(), json.dumps(facts)),
            ).lastrowid
        if number is None:
            raise LedgerError(f"The ledger {self.path} gave the run no number.")
        return Run(self, number, where, name)

    def forget(self, before: datetime) -> int:
        """Forget what runs that began before that moment knew of people; returns how many runs.

        Their cells and values go. The keyed hashes stay: without them rows would be sent twice.
        """
        told = "run IN (SELECT id FROM run WHERE started_at < ?)"
        moment = (before.isoformat(),)
        with self.transaction() as db:
            db.execute("PRAGMA secure_delete = ON")
            (runs,) = db.execute("SELECT count(*) FROM run WHERE started_at < ?", moment).fetchone()
            db.execute(f"DELETE FROM outcome WHERE {told}", moment)  # noqa: S608
            db.execute(f"DELETE FROM input WHERE {told}", moment)  # noqa: S608
            stripped = (
                "(SELECT json_group_array(json_array(p.value ->> 0, p.value ->> 1, '', '', ''))"
                " FROM json_each(problems) p)"
            )
            db.execute(
                f"UPDATE conversion SET problems = {stripped} WHERE problems <> '[]' AND {told}",  # noqa: S608
                moment,
            )
        with _explained(self.path):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(runs)

    def destination(self, identity: str) -> int | None:
        """The number of a destination, None when nothing was ever sent there."""
        found = self.query("SELECT id FROM destination WHERE identity = ?", identity)
        return found[0][0] if found else None

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """What is known of some conversions, in the schema `KNOWN`; without those never sent."""
        with _explained(self.path):
            db = self._db
            db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (identity BLOB)")
            db.execute("DELETE FROM wanted")
            db.execute("BEGIN")
            db.executemany("INSERT INTO wanted VALUES (?)", ((i,) for i in identities))
            found = db.execute(
                "SELECT DISTINCT c.identity, c.state, c.payload, c.problems FROM wanted w JOIN"
                " conversion c ON c.destination = ? AND c.identity = w.identity"
                " UNION ALL SELECT DISTINCT s.identity, 'uncertain', s.payload, '[]' FROM wanted w"
                " JOIN sending s ON s.destination = ? AND s.identity = w.identity",
                (destination, destination),
            ).fetchall()
            db.execute("COMMIT")
        frame = pl.DataFrame(found, schema=self.KNOWN, orient="row")
        return frame.unique("identity", keep="last", maintain_order=True)


class Run:
    """The books of one run."""

    def __init__(self, ledger: Ledger, number: int, destination: int, name: str) -> None:
        self.ledger = ledger
        self.name = name
        self.number = number
        self.destination = destination

    def record_input(self, file: int, table: Input) -> None:
        """Note one table of the input."""
        with self.ledger.transaction() as db:
            db.execute(
                "INSERT INTO input VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self.number,
                    file,
                    table.name,
                    json.dumps(table.columns, ensure_ascii=False),
                    table.encoding,
                    table.delimiter,
                    table.sheet,
                ),
            )

    def record_rows(self, rows: int, left_out: int, outcomes: Sequence[Outcome]) -> None:
        """Note rows that were read, and the end of those that end without being sent."""
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE run SET row_count = row_count + ?, left_out = left_out + ? WHERE id = ?",
                (rows, left_out, self.number),
            )
            self._record(db, outcomes)

    def count(self, state: State, rows: int) -> None:
        """Note rows of which nothing but their number is kept."""
        with self.ledger.transaction() as db:
            self._tally(db, state, rows)

    def count_filled(self, rows_by_field: Mapping[str, int]) -> None:
        """Note how many rows that can be sent have a value in each field; 0 counts too."""
        with self.ledger.transaction() as db:
            db.executemany(
                "INSERT INTO filled VALUES (?, ?, ?)"
                " ON CONFLICT (run, field) DO UPDATE SET rows = rows + excluded.rows",
                ((self.number, field, rows) for field, rows in rows_by_field.items()),
            )

    def apply(
        self, begun: Sequence[Outgoing], ended: Sequence[Settled | Outgoing], counters: Counters
    ) -> None:
        """Write down, durably and in one go, rows that are about to leave and rows that came to
        an end. An `Outgoing` among `ended` did not arrive, and is not on its way any more.
        """
        with self.ledger.transaction() as db:
            for end in ended:
                outgoing = end.outgoing if isinstance(end, Settled) else end
                gone = db.execute(
                    "DELETE FROM sending WHERE destination = ? AND identity = ? RETURNING payload",
                    (self.destination, outgoing.identity),
                ).fetchone()
                if gone is None:
                    raise LedgerError(f"Row {outgoing.row} ended, but was never begun.")
                if isinstance(end, Settled):
                    self._settle(db, end, gone[0])
            hashes = self.ledger.digests([row.payload for row in begun], 8)
            db.executemany(
                "INSERT INTO sending VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (self.destination, row.identity, digest, self.number, row.file, row.row)
                    for row, digest in zip(begun, hashes, strict=True)
                ),
            )
            self._note_minute(db, ended, counters)
            db.execute(
                "UPDATE run SET requests = ?, retries = ?, throttled = ?, sending_seconds = ?"
                " WHERE id = ?",
                (*counters, self.number),
            )

    def finish(
        self,
        at: datetime,
        exit_code: int,
        stopped_because: str | None,
        resume_at: datetime | None = None,
    ) -> None:
        """Close the books. `resume_at` is when it makes sense to go on, where that is known."""
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE run SET finished_at = ?, exit_code = ?, stopped_because = ?, resume_at = ?"
                " WHERE id = ?",
                (
                    at.isoformat(),
                    exit_code,
                    stopped_because,
                    resume_at.isoformat() if resume_at else None,
                    self.number,
                ),
            )

    def counts(self) -> dict[State, int]:
        """Rows in each state; what came to no end is pending, what is on its way uncertain."""
        tallies = self.ledger.query(
            "SELECT state, sum(rows) FROM (SELECT state, rows FROM tally WHERE run = ?1"
            " UNION ALL SELECT 'uncertain', count(*) FROM sending WHERE run = ?1) GROUP BY state",
            self.number,
        )
        found = dict(tallies)
        ((rows,),) = self.ledger.query("SELECT row_count FROM run WHERE id = ?", self.number)
        counts = {state: int(found.get(state, 0)) for state in State}
        counts[State.PENDING] = rows - sum(counts.values())
        if counts[State.PENDING] < 0:
            raise LedgerError(f"The ledger {self.ledger.path} counts more outcomes than rows.")
        return counts

    def facts(self) -> dict[str, Any]:
        """Everything about the run but its rows: the columns of table `run`, by name."""
        names = (
            "name started_at finished_at exit_code stopped_because resume_at left_out requests"
            " retries throttled sending_seconds facts"
        ).split()
        found = self.ledger.query(f"SELECT {', '.join(names)} FROM run WHERE id = ?", self.number)  # noqa: S608
        return dict(zip(names, found[0], strict=True))

    def problems(self) -> dict[str, int]:
        """How many of the run's rows have a problem of each code, the most frequent first."""
        return dict(
            self.ledger.query(
                "SELECT json_extract(p.value, '$[0]') AS code, count(DISTINCT o.file || ' ' ||"
                " o.row) AS rows FROM ends o, json_each(o.problems) p WHERE o.run = ?"
                " GROUP BY code ORDER BY rows DESC, code",
                self.number,
            )
        )

    def failures(self) -> Iterator[Outcome]:
        """The rows that the failure report lists, in the order of the input."""
        for file, row, state, cells, problems in self.ledger.stream(
            "SELECT file, row, state, cells, problems FROM ends WHERE run = ?"
            " AND state IN ('invalid', 'refused', 'uncertain') ORDER BY file, row",
            self.number,
        ):
            yield Outcome(file, row, State(state), problems_of(problems), tuple(json.loads(cells)))

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
                "SELECT file, name, columns, encoding, delimiter, sheet FROM input WHERE run = ?"
                " ORDER BY file",
                self.number,
            )
        }

    def _settle(self, db: sqlite3.Connection, end: Settled, payload: bytes) -> None:
        outgoing, outcome, receipt = end
        db.execute(
            "INSERT OR REPLACE INTO conversion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.destination,
                outgoing.identity,
                outcome.state,
                payload,
                self.number,
                outgoing.file,
                outgoing.row,
                receipt,
                _text_of(outcome.problems),
            ),
        )
        if outcome.state is State.ACCEPTED:
            self._tally(db, State.ACCEPTED, 1)
        else:
            self._record(db, (outcome,))

    def _record(self, db: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
        db.executemany(
            "INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    self.number,
                    end.file,
                    end.row,
                    end.state,
                    json.dumps(end.cells, ensure_ascii=False),
                    _text_of(end.problems),
                    *(end.instead or (None, None)),
                )
                for end in outcomes
            ),
        )
        for state in {end.state for end in outcomes}:
            self._tally(db, state, sum(end.state is state for end in outcomes))

    def _note_minute(
        self, db: sqlite3.Connection, ended: Sequence[Settled | Outgoing], counters: Counters
    ) -> None:
        """Add what is new since the last write to the minute of the sending, from 0."""
        accepted = sum(
            isinstance(end, Settled) and end.outcome.state is State.ACCEPTED for end in ended
        )
        db.execute(
            "INSERT INTO minute SELECT id, ?, ? - requests, ? - throttled, ? FROM run WHERE id = ?"
            " ON CONFLICT (run, minute) DO UPDATE SET requests = requests + excluded.requests,"
            " throttled = throttled + excluded.throttled, accepted = accepted + excluded.accepted",
            (
                int(counters.seconds // 60),
                counters.requests,
                counters.throttled,
                accepted,
                self.number,
            ),
        )

    def _tally(self, db: sqlite3.Connection, state: State, rows: int) -> None:
        db.execute(
            "INSERT INTO tally VALUES (?, ?, ?)"
            " ON CONFLICT (run, state) DO UPDATE SET rows = rows + excluded.rows",
            (self.number, state, rows),
        )


def problems_of(text: str) -> tuple[Problem, ...]:
    """Problems as the ledger keeps them."""
    return tuple(Problem(*values) for values in json.loads(text))


def _text_of(problems: Sequence[Problem]) -> str:
    return json.dumps(problems, ensure_ascii=False)


def _migrate(path: Path, db: sqlite3.Connection) -> None:
    """Bring the file to this release's schema. Raises LedgerError for one of a later release."""
    db.execute("BEGIN IMMEDIATE")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        db.execute("ROLLBACK")
        raise LedgerError(
            f"The ledger {path} was written by a later release of rdimport.",
            "Install that release, or name another --state-dir.",
        )
    if version < 1:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO setting VALUES ('hash_key', ?)", (secrets.token_bytes(32),))
    db.execute(f"PRAGMA user_version = {_VERSION}")
    db.execute("COMMIT")


def _recover(db: sqlite3.Connection, destination: int) -> None:
    """Rows that a killed run left on their way may have arrived: nobody may send them unasked."""
    db.execute(
        "INSERT OR REPLACE INTO conversion SELECT destination, identity, 'uncertain', payload,"
        " run, file, row, '', ? FROM sending WHERE destination = ?",
        (_INTERRUPTED, destination),
    )
    db.execute(
        "INSERT INTO tally SELECT run, 'uncertain', count(*) FROM sending WHERE destination = ?"
        " GROUP BY run ON CONFLICT (run, state) DO UPDATE SET rows = rows + excluded.rows",
        (destination,),
    )
    db.execute(
        "INSERT INTO outcome SELECT run, file, row, 'uncertain', '[]', ?, NULL, NULL FROM sending"
        " WHERE destination = ?",
        (_INTERRUPTED, destination),
    )
    db.execute("DELETE FROM sending WHERE destination = ?", (destination,))
    db.execute(
        "UPDATE run SET stopped_because = 'killed', exit_code = 3 WHERE destination = ?"
        " AND finished_at IS NULL AND stopped_because IS NULL",
        (destination,),
    )
