"""Parts of the ledger port besides runs: accounts, evidence, people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rdimport.core.people import People
from rdimport.core.row import Problem
from rdimport.ledger.accounts import Account, KeyClaim
from rdimport.ledger.corrections import Corrected, Correction, FailedRow
from rdimport.ledger.evidence import Accepted, Complete, Doubt
from rdimport.ledger.records import Erased


class Accounts(Protocol):
    """The accounts and their keys."""

    def all(self) -> list[Account]:
        """All accounts with conversions or a key, without sandboxes."""

    def see_claim(self, identity: str, base_url: str, account: str, key_claim: KeyClaim) -> None:
        """Raise UsageError as a run of this account would that begins now with this key."""

    def add_key(self, endpoint: str, account: str, key: bytes, at: datetime) -> str:
        """Bind another key, given by `hash_of`; returns the account's name.

        Raises UsageError for an unknown account, or a key of another one.
        """

    def rename(self, old: str, new: str) -> int:
        """Rename an account at all endpoints; returns the number of endpoints.

        The caller must hold both names. Raises UsageError.
        """


class EvidenceBooks(Protocol):
    """Uncertain conversions, and evidence about them."""

    def destination_at_rest(self, identity: str) -> int | None:
        """The number of a destination, after rows of killed runs became uncertain; None if nothing
        was ever sent there. The caller must hold its account.
        """

    def identity_fields(self, destination: int, identifier: str) -> set[tuple[str, ...]]:
        """The identity fields used by runs for conversions with that identifier."""

    def doubts(self, destination: int, identities: Collection[bytes]) -> list[Doubt]:
        """Those of the given conversions that are uncertain."""

    def accept(self, destination: int, proved: Sequence[tuple[Doubt, Problem]]) -> Accepted:
        """Record that uncertain conversions arrived, each with its proof, also for the rows of
        later runs that did not send them again; atomic and durable. A run without any other
        failure has worked (exit code 0) from then on.
        """

    def note_complete(self, destination: int, period: Complete, source: str) -> None:
        """Record that a list is complete."""

    def complete(self, destination: int) -> dict[bytes, list[tuple[int, int]]]:
        """For each identifier's hash, the periods in which everything that arrived is known."""

    def filled_in(self, run: int) -> dict[str, int]:
        """Number of rows of a run with each field."""

    def runs_of(self, destination: int, identities: Collection[bytes]) -> dict[bytes, int]:
        """The run that sent each of the given conversions, unless unknown or refused."""


class CorrectionBooks(Protocol):
    """Failed rows, and those that a person corrected in a failure report."""

    def failed(self, file: str, rows: Sequence[int], run: str | None) -> list[FailedRow]:
        """Rows with these numbers that failed when a file was imported, in one `run` or ever.
        `file` is as in a failure report.
        """

    def note(self, destination: int, corrections: Sequence[Correction]) -> None:
        """Record corrections; the latest one of a row counts. They say nothing of whether they were
        accepted: the conversion does.
        """

    def accepted(self, destination: int) -> list[Corrected]:
        """The failed rows whose corrections were accepted, each with the run that sent it."""


class PeopleBooks(Protocol):
    """Personal data in the ledger, and its removal. The keyed hashes are kept."""

    def remembered(self) -> frozenset[str]:
        """Names of the runs with personal data."""

    def forgotten(self) -> list[str]:
        """Names of the runs whose personal data was removed."""

    def report_dirs(self) -> list[Path]:
        """The report folders of all runs."""

    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """Remove cells and values of runs before that time, except active ones; returns the number
        of runs.
        """

    def erase(self, people: People, *, also_hash: bool) -> Erased:
        """Remove people from the ledger and the files next to it; with `also`, their keyed hashes
        too.

        No run may be active or begin during this call.
        """

    def shrink(self) -> None:
        """Free the space of removed data. No run may be active."""

    def empty_log(self) -> bool:
        """Remove deleted data from the disk; False if another process prevents it."""
