"""What the other rooms ask of a ledger besides its runs: accounts, evidence, people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rdimport.core.people import People
from rdimport.core.row import Problem
from rdimport.ledger.accounts import Account
from rdimport.ledger.evidence import Complete, Doubt
from rdimport.ledger.records import Erased


class Accounts(Protocol):
    """Which keys go with which account."""

    def all(self) -> list[Account]:
        """All accounts that something was sent for, or that have a key; no sandboxes."""

    def add_key(self, endpoint: str, account: str, key: bytes, at: datetime) -> str:
        """Bind one more key, as `hash_of` gives it; returns the account's name. Raises UsageError
        for an account that is not known, or a key of another one.
        """

    def rename(self, old: str, new: str) -> int:
        """Give an account another name at all endpoints; returns at how many. Only who holds both
        names may call this. Raises UsageError.
        """


class EvidenceBooks(Protocol):
    """Doubt that becomes knowledge."""

    def destination_at_rest(self, identity: str) -> int | None:
        """The number of a destination whose killed runs have come to their end, None where nothing
        was ever sent there. Only who holds its account may call this.
        """

    def identity_fields(self, destination: int, identifier: str) -> set[tuple[str, ...]]:
        """The identity fields by which runs have told conversions of that name apart."""

    def doubts(self, destination: int, identities: Collection[bytes]) -> list[Doubt]:
        """Those of some conversions that are uncertain."""

    def accept(self, destination: int, proved: Sequence[tuple[Doubt, Problem]]) -> int:
        """Note that uncertain conversions arrived, each with its proof; returns how many were still
        uncertain. All at once, and durable.
        """

    def note_complete(self, destination: int, told: Complete, source: str) -> None:
        """Note what a source says of its completeness."""

    def complete(self, destination: int) -> dict[bytes, list[tuple[int, int]]]:
        """From when to when it is known of an identifier's hash what did not arrive."""

    def filled_in(self, run: int) -> dict[str, int]:
        """In how many rows of a run each field was filled."""

    def runs_of(self, destination: int, identities: Collection[bytes]) -> dict[bytes, int]:
        """The run that sent each of some conversions, as far as they are known and not refused."""


class PeopleBooks(Protocol):
    """What is known of people, and how it is forgotten. The keyed hashes stay."""

    def remembered(self) -> frozenset[str]:
        """The names of the runs that know something of people."""

    def forgotten(self) -> list[str]:
        """The names of the runs that know nothing of people any more."""

    def report_dirs(self) -> list[Path]:
        """The folders in which runs put their reports."""

    def forget(self, before: datetime, now: datetime, at_work: Sequence[str] = ()) -> int:
        """Forget cells and values of runs before that moment, but for those at work; returns of
        how many.
        """

    def erase(self, people: People, *, also_hash: bool) -> Erased:
        """Take people out of the ledger and of what lies beside it, `also` their keyed hashes.
        Call it only where no run is at work, nor can begin.
        """

    def shrink(self) -> None:
        """Give the room of what was forgotten back. Call it only where no run is at work."""

    def empty_log(self) -> bool:
        """Let what was forgotten leave the disk; False when somebody is in the way."""
