"""Parts of a ledger besides its runs: accounts, evidence, corrections, personal data. Each kind of
ledger adds its own part.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, LiteralString

from rdimport.core.names import fold
from rdimport.core.people import People
from rdimport.core.row import Problem
from rdimport.destination import address
from rdimport.ledger import accounts as rules
from rdimport.ledger.accounts import Account, AccountBooks, KeyClaim, spelt
from rdimport.ledger.evidence import Accepted, ClockRange, Complete, Doubt, started_ms
from rdimport.ledger.hashes import digests_of
from rdimport.ledger.records import Corrected, Correction, Erased, FailedRow, problems_of, text_of
from rdimport.ledger.sql import NOTHING_FAILED, TALLY, Ask, Asked

_IDENTITY_FIELDS: Final = """
SELECT DISTINCT n.fields FROM rdimport.named n JOIN rdimport.run r ON r.id = n.run
WHERE n.exact = %(exact)s AND r.destination = %(destination)s
"""
_NOTE_COMPLETE: Final = """
INSERT INTO rdimport.complete
VALUES (%(destination)s, %(since)s, %(until)s, %(identifier)s, %(source)s)
ON CONFLICT (destination, since, until, identifier) DO UPDATE SET source = excluded.source
"""
_MOVED: Final = """
UPDATE rdimport.outcome SET state = 'accepted', problems = %(text)s, warnings = '[]'
WHERE state = 'uncertain' AND run = %(run)s AND file = %(file)s AND row = %(row)s RETURNING run
"""
"""The row that was sent."""

_MOVED_LATER: Final = """
UPDATE rdimport.outcome SET state = 'accepted', problems = %(text)s, warnings = '[]'
WHERE state = 'uncertain' AND identity = %(identity)s AND run IN
    (SELECT id FROM rdimport.run WHERE destination = %(destination)s AND id > %(run)s) RETURNING run
"""
"""The rows of later runs that listed it as uncertain."""

_PURGED: Final = """
SELECT r.id FROM rdimport.run r JOIN rdimport.tally t ON t.run = r.id WHERE r.id = %(run)s
    AND r.forgotten_at IS NOT NULL AND t.state = 'uncertain' AND t.rows > 0
"""
"""The run that sent it, if its rows were purged: they are still counted."""

_PROVED_RUNS: Final = """
SELECT r.name FROM rdimport.run r JOIN rdimport.tally t ON t.run = r.id
WHERE r.destination = %(destination)s AND t.state = 'accepted' AND t.rows > 0
"""
"""Rows that their own response proved are counted by the minute."""

_CLOCKS: Final = """
SELECT id, facts::json ->> 'clock' FROM rdimport.run
WHERE destination = %(destination)s AND facts::json ->> 'clock' IS NOT NULL
"""
_RUN_TIMES: Final = """
SELECT id, started_at, finished_at FROM rdimport.run WHERE destination = %(destination)s
"""
OLD_RUNS: Final[LiteralString] = """
SELECT r.id FROM rdimport.run r WHERE r.forgotten_at IS NULL
    AND (coalesce(r.finished_at, r.started_at) < %(before)s
    OR coalesce(r.finished_at, r.started_at) > %(now)s AND EXISTS (SELECT 1 FROM rdimport.run later
        WHERE later.id > r.id AND coalesce(later.finished_at, later.started_at) < %(before)s))
"""
"""Runs before a time. A run dated in the future by a wrong clock is as old as a later run."""

_COMPLETE: Final = """
SELECT identifier, since, until FROM rdimport.complete WHERE destination = %(destination)s
"""


class _Part:
    def __init__(self, ledger: Asked) -> None:
        self._ledger = ledger


class Accounts(_Part):
    """The accounts and their keys."""

    books: ClassVar[type[AccountBooks]]
    listed: ClassVar[LiteralString]
    """The fields of each `Account`, by endpoint and account."""
    alone: ClassVar[LiteralString] = ""
    """Lets one transaction at a time bind keys; empty where writers are exclusive."""

    def all(self) -> list[Account]:
        """All accounts with conversions or a key, without sandboxes."""
        return [Account(*values) for values in self._ledger.ask(self.listed, {})]

    def see_claim(self, identity: str, base_url: str, account: str, key_claim: KeyClaim) -> None:
        """Raise the UsageError that a run of this account with this key would raise now."""
        endpoint = spelt(identity, base_url, account)
        if endpoint:
            number = self._ledger.destination(identity) or 0  # it has none yet
            rules.see_claim(self.books(self._ledger.ask), number, endpoint, account, key_claim)

    def sent_with(self, identity: str, base_url: str, account: str, key: bytes) -> str | None:
        """The account of this key at an account's endpoint, if rows were sent to it."""
        endpoint = spelt(identity, base_url, account)
        books = self.books(self._ledger.ask)
        owner = books.owner(endpoint, key) if endpoint else None
        return owner.account if owner and books.has_sent(owner.destination) else None

    def add_key(self, endpoint: str, account: str, key: bytes, at: datetime) -> str:
        """Bind another key, given by `hash_of`; returns the account's name.

        Raises UsageError for an unknown account, or a key of another one.
        """
        with self._changing() as books:
            known = [
                (number, name) for number, where, name in books.everybody() if where == endpoint
            ]
            same = [(number, name) for number, name in known if fold(name) == fold(account)]
            if not same:
                names = [name for _number, name in known]
                raise rules.unknown(self._ledger.place, account, names)
            ((destination, name),) = same
            owner = books.owner(endpoint, key)
            if owner is not None and owner.destination != destination:
                raise rules.of_another(account, owner.account, endpoint)
            books.bind(endpoint, key, destination, None, at.isoformat())
        return name

    def rename(self, old: str, new: str) -> int:
        """Rename an account at all endpoints; returns the number of endpoints.

        The caller must hold both names. Raises UsageError.
        """
        with self._changing() as books:
            known = books.everybody()
            numbers = {where: n for n, where, name in known if fold(name) == fold(old)}
            existing = {where: n for n, where, name in known if fold(name) == fold(new)}
            if not numbers:
                names = [name for _number, _where, name in known]
                raise rules.unknown(self._ledger.place, old, names)
            for where, number in numbers.items():
                other = existing.get(where, number)
                if other != number:
                    if books.has_sent(other) or books.has_keys(other):
                        raise rules.taken(new, where)
                    books.take(other, number)
                books.call(number, address.identity(where, new), new)
        return len(numbers)

    @contextmanager
    def _changing(self) -> Iterator[AccountBooks]:
        with self._ledger.writing() as ask:
            if self.alone:
                ask(self.alone, {})
            yield self.books(ask)


class EvidenceBooks(_Part, ABC):
    """Uncertain conversions, and evidence about them."""

    proved: ClassVar[LiteralString]
    """Records that a conversion arrived; returns a line if it was uncertain until then."""

    @abstractmethod
    def _recover(self, destination: int) -> None:
        """Mark rows that killed runs left in flight as uncertain."""

    @abstractmethod
    def runs_of(self, destination: int, identities: Collection[bytes]) -> dict[bytes, int]:
        """The run that sent each of the given conversions, unless unknown or refused."""

    @abstractmethod
    def _doubts(self, destination: int, identities: Collection[bytes]) -> list[tuple[Any, ...]]:
        """The fields of each `Doubt`, and the start of its run."""

    @contextmanager
    def _proving(self, destination: int, identities: Sequence[bytes]) -> Iterator[Ask]:
        """A transaction that changes these conversions."""
        with self._ledger.writing() as ask:
            yield ask

    def _text(self, proof: Problem) -> str:
        """The stored form of a proof."""
        return text_of((proof,))

    def destination_at_rest(self, identity: str) -> int | None:
        """The number of a destination, after rows of killed runs became uncertain; None if nothing
        was ever sent there. The caller must hold its account.
        """
        number = self._ledger.destination(identity)
        if number is not None:
            self._recover(number)
        return number

    def accept(self, destination: int, proved: Sequence[tuple[Doubt, Problem]]) -> Accepted:
        """Record that uncertain conversions arrived, each with its proof, also for the rows of
        later runs that did not send them again; atomic and durable. A run without any other failure
        then counts as successful (exit code 0).
        """
        done, runs, names = 0, set[int](), set[str]()
        with self._proving(destination, [doubt.identity for doubt, _proof in proved]) as ask:
            for doubt, proof in proved:
                values = {**doubt._asdict(), "destination": destination, "text": self._text(proof)}
                if ask(self.proved, values):
                    done += 1
                    runs |= {doubt.run, *_moved(ask, values)}
            for run in runs:
                ask(NOTHING_FAILED, {"run": run})
                ((name,),) = ask("SELECT name FROM rdimport.run WHERE id = %(run)s", {"run": run})
                names.add(name)
        return Accepted(done, frozenset(names))

    def proved_runs(self, destination: int) -> frozenset[str]:
        """The names of the runs with rows whose arrival was proved later."""
        found = self._ledger.ask(_PROVED_RUNS, {"destination": destination})
        return frozenset(name for (name,) in found)

    def identity_fields(self, destination: int, identifier: str) -> set[tuple[str, ...]]:
        """The identity fields used by runs for conversions with that identifier."""
        exact, _folded = digests_of(self._ledger.key, identifier)
        found = self._ledger.ask(_IDENTITY_FIELDS, {"exact": exact, "destination": destination})
        return {tuple(json.loads(fields)) if fields else ("email",) for (fields,) in found}

    def doubts(self, destination: int, identities: Collection[bytes]) -> list[Doubt]:
        """Those of the given conversions that are uncertain. Earlier releases stored no times of
        requests; the start of their run is used instead. If an earlier run sent the row first, its
        clock may have been any of those known.
        """
        off = {run: round(clock.most * 1000) for run, clock in self.clocks(destination).items()}
        most = max(off.values(), default=0)
        found = []
        for *sent, left_at, start in self._doubts(destination, identities):
            identity, run, name, file, row = sent
            began = started_ms(start)
            left = began if left_at is None else left_at
            left += off.get(run, 0) if left >= began else max(most, 0)
            found.append(Doubt(identity, run, name, file, row, left))
        return found

    def clocks(self, destination: int) -> dict[int, ClockRange]:
        """The difference between the clocks for each run in which there was one."""
        found = self._ledger.ask(_CLOCKS, {"destination": destination})
        return {run: ClockRange(*json.loads(clock)) for run, clock in found}

    def run_times(self, destination: int) -> dict[int, tuple[int, int | None]]:
        """When each run began and ended by its machine's clock, in milliseconds; a killed run has
        no end.
        """
        found = self._ledger.ask(_RUN_TIMES, {"destination": destination})
        return {
            run: (started_ms(start), started_ms(end) if end else None) for run, start, end in found
        }

    def note_complete(self, destination: int, period: Complete, source: str) -> None:
        """Record that a list is complete."""
        values = {"destination": destination, "since": period.since, "until": period.until}
        with self._ledger.writing() as ask:
            for identifier in period.identifiers:
                ask(_NOTE_COMPLETE, {**values, "identifier": identifier, "source": source})

    def complete(self, destination: int) -> dict[bytes, list[tuple[int, int]]]:
        """For each identifier's hash, the periods in which everything that arrived is known."""
        found: dict[bytes, list[tuple[int, int]]] = {}
        values = {"destination": destination}
        for identifier, since, until in self._ledger.ask(_COMPLETE, values):
            found.setdefault(identifier, []).append((since, until))
        return found

    def filled_in(self, run: int) -> dict[str, int]:
        """Number of rows of a run with each field."""
        sql = "SELECT field, rows FROM rdimport.filled WHERE run = %(run)s"
        found = self._ledger.ask(sql + " AND rows > 0", {"run": run})
        return {field: rows for field, rows in found if ":" not in field}


def _moved(ask: Ask, values: Mapping[str, object]) -> list[int]:
    """Count the rows of a proved conversion as accepted; returns the numbers of their runs."""
    sent = ask(_MOVED, values) or ask(_PURGED, values)
    runs = [run for (run,) in (*sent, *ask(_MOVED_LATER, values))]
    for run in runs:
        for state, rows in (("uncertain", -1), ("accepted", 1)):
            ask(TALLY, {"run": run, "state": state, "rows": rows})
    return runs


class CorrectionBooks(_Part, ABC):
    """Failed rows, and those that a person corrected in a failure report."""

    corrected: ClassVar[LiteralString]
    """The fields of each `Corrected` of a destination."""

    @abstractmethod
    def note(self, destination: int, corrections: Sequence[Correction]) -> None:
        """Record corrections; the latest one of a row counts. Whether one was accepted is recorded
        with its conversion.
        """

    @abstractmethod
    def _failed(self, file: str, rows: Sequence[int], run: str | None) -> list[tuple[Any, ...]]:
        """Number, headings, cells and problems of each row."""

    def failed(self, file: str, rows: Sequence[int], run: str | None) -> list[FailedRow]:
        """Rows with these numbers that failed when a file was imported, in one `run` or ever.
        `file` is as in a failure report.
        """
        return [
            FailedRow(
                row,
                dict(zip(json.loads(columns), json.loads(cells), strict=False)),
                problems_of(problems),
            )
            for row, columns, cells, problems in self._failed(file, rows, run)
        ]

    def accepted(self, destination: int) -> list[Corrected]:
        """The failed rows whose corrections were accepted, each with the run that sent it."""
        found = self._ledger.ask(self.corrected, {"destination": destination})
        return [Corrected(*values) for values in found]


class PeopleBooks(_Part, ABC):
    """Personal data in the ledger, and its removal. The keyed hashes are kept."""

    @abstractmethod
    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """Remove cells and values of runs before that time, except active ones; returns the number
        of runs.
        """

    @abstractmethod
    def erase(self, people: People, *, also_hash: bool) -> Erased:
        """Remove people from the ledger and the files next to it; with `also_hash`, their keyed
        hashes too.

        No run may be active or begin during this call.
        """

    @abstractmethod
    def shrink(self) -> None:
        """Free the space of removed data. No run may be active."""

    @abstractmethod
    def empty_log(self) -> bool:
        """Remove deleted data from the disk; False if another process prevents it."""

    def remembered(self) -> frozenset[str]:
        """Names of the runs with personal data."""
        found = self._ledger.ask("SELECT name FROM rdimport.run WHERE forgotten_at IS NULL", {})
        return frozenset(name for (name,) in found)

    def forgotten(self) -> list[str]:
        """Names of the runs whose personal data was removed."""
        sql = "SELECT name FROM rdimport.run WHERE forgotten_at IS NOT NULL"
        return [
            self._ledger.see_name(name) for (name,) in self._ledger.ask(sql + " ORDER BY id", {})
        ]

    def report_dirs(self) -> list[Path]:
        """The report folders of all runs."""
        found = self._ledger.ask("SELECT facts FROM rdimport.run ORDER BY id", {})
        # not in SQL: SQLite treats a name that is not UTF-8 as damage
        named = dict.fromkeys(json.loads(facts).get("report_dir") for (facts,) in found)
        return [Path(folder) for folder in named if folder]
