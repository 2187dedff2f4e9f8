"""The stored form of accounts, evidence, corrections and personal data, in every kind of ledger."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, LiteralString, TypeVar

from rdimport.ledger import accounts as rules
from rdimport.ledger.accounts import Account, KeyClaim, Owner, renamed, spelt
from rdimport.ledger.corrections import Corrected, FailedRow
from rdimport.ledger.evidence import Complete, Doubt, started_ms
from rdimport.ledger.hashes import digests_of
from rdimport.ledger.records import problems_of
from rdimport.ledger.sql import Ask
from rdimport.ledger.stored_run import Asked

L = TypeVar("L", bound=Asked)

_OWNER: Final = """
SELECT k.destination, d.account, k.run FROM rdimport.account_key k
JOIN rdimport.destination d ON d.id = k.destination
WHERE k.endpoint = %(endpoint)s AND k.hash = %(key)s
"""
_BIND: Final = """
INSERT INTO rdimport.account_key VALUES (%(endpoint)s, %(key)s, %(destination)s, %(run)s, %(at)s)
ON CONFLICT (endpoint, hash) DO UPDATE SET run = excluded.run
"""
_CALL: Final = """
UPDATE rdimport.destination SET account = %(account)s, identity = %(identity)s WHERE id = %(number)s
"""
_IDENTITY_FIELDS: Final = """
SELECT DISTINCT n.fields FROM rdimport.named n JOIN rdimport.run r ON r.id = n.run
WHERE n.exact = %(exact)s AND r.destination = %(destination)s
"""
_NOTE_COMPLETE: Final = """
INSERT INTO rdimport.complete
VALUES (%(destination)s, %(since)s, %(until)s, %(identifier)s, %(source)s)
ON CONFLICT (destination, since, until, identifier) DO UPDATE SET source = excluded.source
"""
_COMPLETE: Final = """
SELECT identifier, since, until FROM rdimport.complete WHERE destination = %(destination)s
"""


class StoredAccountBooks:
    """Base of the classes that implement `accounts.AccountBooks`; see there. `ask` asks within the
    caller's transaction.
    """

    sent: ClassVar[LiteralString]
    """Whether a row of the destination has arrived or may have."""
    of_run: ClassVar[LiteralString]
    """Whether a row of the run was accepted or may have arrived."""
    emptied: ClassVar[LiteralString]
    """Deletes the conversions of a destination."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def whose(self, destination: int) -> tuple[str, str]:
        """Endpoint and account of a destination."""
        sql = "SELECT endpoint, account FROM rdimport.destination WHERE id = %(it)s"
        ((endpoint, account),) = self._ask(sql, {"it": destination})
        return endpoint, account

    def everybody(self) -> list[tuple[int, str, str]]:
        """Number, endpoint and account of all destinations with an endpoint."""
        sql = "SELECT id, endpoint, account FROM rdimport.destination"
        found = self._ask(sql + " WHERE endpoint <> '' ORDER BY id", {})
        return [(number, endpoint, account) for number, endpoint, account in found]

    def owner(self, endpoint: str, key: bytes) -> Owner | None:
        """The owner of a key."""
        found = self._ask(_OWNER, {"endpoint": endpoint, "key": key})
        return Owner(*found[0]) if found else None

    def has_keys(self, destination: int) -> bool:
        """Whether an account has keys."""
        sql = "SELECT 1 FROM rdimport.account_key WHERE destination = %(it)s LIMIT 1"
        return bool(self._ask(sql, {"it": destination}))

    def has_sent(self, destination: int) -> bool:
        """Whether a row of the destination has arrived or may have."""
        return bool(self._ask(self.sent, {"destination": destination})[0][0])

    def arrived(self, destination: int, run: int) -> bool:
        """Whether a row of a run was accepted or may have arrived."""
        return bool(self._ask(self.of_run, {"destination": destination, "run": run})[0][0])

    def claims(self, destination: int) -> list[int]:
        """The runs of a destination that claim a key."""
        sql = "SELECT run FROM rdimport.account_key WHERE destination = %(it)s"
        return [run for (run,) in self._ask(sql + " AND run IS NOT NULL", {"it": destination})]

    def claimed_by(self, run: int) -> int | None:
        """The destination of the key claimed by a run; None without a claim."""
        sql = "SELECT destination FROM rdimport.account_key WHERE run = %(run)s"
        found = self._ask(sql, {"run": run})
        return found[0][0] if found else None

    def bind(self, endpoint: str, key: bytes, destination: int, run: int | None, at: str) -> None:
        """Bind a key to an account; with `run`, as its claim."""
        values = {"endpoint": endpoint, "key": key, "destination": destination, "run": run}
        self._ask(_BIND, {**values, "at": at})

    def let_go(self, run: int) -> None:
        """Release the key claimed by a run."""
        self._ask("DELETE FROM rdimport.account_key WHERE run = %(run)s", {"run": run})

    def bind_for_good(self, run: int) -> None:
        """Turn the claim of a run into a binding."""
        self._ask("UPDATE rdimport.account_key SET run = NULL WHERE run = %(run)s", {"run": run})

    def take(self, other: int, number: int) -> None:
        """Replace a destination without conversions by another one."""
        move = "UPDATE rdimport.run SET destination = %(it)s"
        self._ask(self.emptied, {"destination": other})
        self._ask(move + " WHERE destination = %(other)s", {"it": number, "other": other})
        self._ask("DELETE FROM rdimport.destination WHERE id = %(other)s", {"other": other})

    def call(self, number: int, identity: str, account: str) -> None:
        """Rename a destination, also in the records of its runs."""
        self._ask(_CALL, {"number": number, "identity": identity, "account": account})
        runs = "SELECT id, facts FROM rdimport.run WHERE destination = %(it)s"
        change = "UPDATE rdimport.run SET facts = %(facts)s WHERE id = %(run)s"
        for run, facts in self._ask(runs, {"it": number}):
            self._ask(change, {"facts": renamed(facts, account), "run": run})


class StoredAccounts(ABC, Generic[L]):
    """Base of the classes that implement `parts.Accounts`; see there."""

    books: ClassVar[type[StoredAccountBooks]]
    listed: ClassVar[LiteralString]
    """The fields of each `Account`, by endpoint and account."""
    alone: ClassVar[LiteralString] = ""
    """Lets one transaction at a time give keys to accounts; empty where all are alone."""

    def __init__(self, ledger: L) -> None:
        self._ledger = ledger

    def all(self) -> list[Account]:
        """All accounts with conversions or a key, without sandboxes."""
        return [Account(*values) for values in self._ledger.ask(self.listed, {})]

    def see_claim(self, identity: str, base_url: str, account: str, key_claim: KeyClaim) -> None:
        """Raise UsageError as a run of this account would that begins now with this key."""
        endpoint = spelt(identity, base_url, account)
        if endpoint:
            number = self._ledger.destination(identity) or 0  # it has none yet
            rules.see_claim(self.books(self._ledger.ask), number, endpoint, account, key_claim)

    def add_key(self, endpoint: str, account: str, key: bytes, at: datetime) -> str:
        """Bind another key to an account; returns the account's name. Raises UsageError."""
        with self._changing() as books:
            return rules.add_key(
                books, self._ledger.place, endpoint=endpoint, account=account, key=key, at=at
            )

    def rename(self, old: str, new: str) -> int:
        """Rename an account at all endpoints; returns their number. Raises UsageError."""
        with self._changing() as books:
            return rules.rename(books, self._ledger.place, old, new)

    @contextmanager
    def _changing(self) -> Iterator[StoredAccountBooks]:
        with self._ledger.writing() as ask:
            if self.alone:
                ask(self.alone, {})
            yield self.books(ask)


class StoredEvidence(ABC, Generic[L]):
    """Base of the classes that implement `parts.EvidenceBooks`; see there."""

    def __init__(self, ledger: L) -> None:
        self._ledger = ledger

    @abstractmethod
    def _doubts(self, destination: int, identities: Collection[bytes]) -> list[tuple[Any, ...]]:
        """The fields of each `Doubt`, and the start of its run."""

    def identity_fields(self, destination: int, identifier: str) -> set[tuple[str, ...]]:
        """The identity fields used by runs for conversions with that identifier."""
        exact, _folded = digests_of(self._ledger.key, identifier)
        found = self._ledger.ask(_IDENTITY_FIELDS, {"exact": exact, "destination": destination})
        return {tuple(json.loads(fields)) if fields else ("email",) for (fields,) in found}

    def doubts(self, destination: int, identities: Collection[bytes]) -> list[Doubt]:
        """Those of the given conversions that are uncertain. Earlier releases stored no times of
        requests; the start of their run is used instead.
        """
        return [
            Doubt(identity, run, name, file, row, started_ms(start) if left_at is None else left_at)
            for identity, run, name, file, row, left_at, start in self._doubts(
                destination, identities
            )
        ]

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


class StoredCorrections(ABC, Generic[L]):
    """Base of the classes that implement `parts.CorrectionBooks`; see there."""

    corrected: ClassVar[LiteralString]
    """The fields of each `Corrected` of a destination."""

    def __init__(self, ledger: L) -> None:
        self._ledger = ledger

    @abstractmethod
    def _failed(self, file: str, rows: Sequence[int], run: str | None) -> list[tuple[Any, ...]]:
        """Number, headings, cells and problems of each row."""

    def failed(self, file: str, rows: Sequence[int], run: str | None) -> list[FailedRow]:
        """Rows with these numbers that failed when a file was imported, in one `run` or ever."""
        return [
            FailedRow(
                row,
                dict(zip(json.loads(columns), json.loads(cells), strict=False)),
                problems_of(problems),
            )
            for row, columns, cells, problems in self._failed(file, rows, run)
        ]

    def accepted(self, destination: int) -> list[Corrected]:
        """The failed rows whose corrections were accepted."""
        found = self._ledger.ask(self.corrected, {"destination": destination})
        return [Corrected(*values) for values in found]


class StoredPeople(ABC, Generic[L]):
    """Base of the classes that implement `parts.PeopleBooks`; see there."""

    def __init__(self, ledger: L) -> None:
        self._ledger = ledger

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
        # not by SQLite, to whom a name that is not in UTF-8 is damage
        named = dict.fromkeys(json.loads(facts).get("report_dir") for (facts,) in found)
        return [Path(folder) for folder in named if folder]
