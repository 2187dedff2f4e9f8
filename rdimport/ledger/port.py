"""The ledger port. Each kind of ledger completes these classes in its own package and passes the
suite `tests/test_ledger_contract.py`.

Every method raises LedgerError if the ledger cannot be used. Times are aware datetimes, an identity
is a keyed hash of 16 bytes, a state is a `core.row.State`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from rdimport.ledger.accounts import KeyClaim
from rdimport.ledger.content import Content
from rdimport.ledger.evidence import ClockRange
from rdimport.ledger.holds import Held, HoldQuota
from rdimport.ledger.naming import Names
from rdimport.ledger.records import (
    Correction,
    Counters,
    Ending,
    Found,
    Input,
    Lost,
    Outcome,
    RowResult,
    RunRecord,
    SendAttempt,
)
from rdimport.ledger.stored_ledger import StoredLedger
from rdimport.ledger.stored_run import StoredRun

if TYPE_CHECKING:
    import polars as pl


class Elsewhere(NamedTuple):
    """A ledger in another directory: its identifier, the run that last sent rows with it, when
    (ISO), and whether rows were sent to a destination, which it says also without its key.
    """

    ledger: str
    run: str
    until: str
    store: Store
    has_sent: Callable[[str], bool]


class Store(Protocol):
    """The location of a ledger, open or not. Its `str` contains no password."""

    @property
    def location_options(self) -> tuple[str, ...]:
        """The options by which a command finds this ledger; without a password."""

    def is_there(self) -> bool:
        """Whether a ledger exists. Raises LedgerLostError if it has disappeared."""

    def open(self, *, trusting: bool = False) -> Ledger:
        """Open the ledger for writing, and create it if that is usual for its kind.

        Raises LedgerLostError if it lacks rows that were sent, unless `trusting`.
        """

    def if_there(self) -> Ledger | None:
        """Open the ledger for reading; None if nothing was ever sent. Nothing is written."""

    def bring_up(self) -> None:
        """Upgrade the ledger of an earlier release, before accounts are held."""

    def hold(self, account: str, *, at_once: bool = False) -> AbstractContextManager[Held]:
        """Hold an account exclusively. Raises LedgerBusyError naming its holder; with `at_once`,
        without waiting for what may hold it only for a moment.
        """

    def hold_of_quota(self, name: str, account: str, destination: str) -> HoldQuota | None:
        """The function that holds the quota of a key, known by `name`, for a run of an account to a
        destination; it raises LedgerBusyError naming the holder. None if the runs of a machine
        share it by other means.
        """

    def is_held(self, account: str) -> bool:
        """Whether a run of this account is active."""

    def elsewhere(self) -> list[Elsewhere]:
        """The ledgers in other directories with which this user has sent rows."""

    def nobody_at_work(self) -> AbstractContextManager[bool]:
        """Prevent runs from beginning; yields whether that was possible."""

    def put_away(self) -> list[Path]:
        """Folders of ledgers that were moved aside and may contain personal data."""

    def forget_copies(self, before: datetime) -> int:
        """Delete upgrade backups that contain personal data; returns their number."""

    def take(self, content: Content) -> None:
        """Make a ledger with the contents of another one. Raises UsageError if there is one."""

    def accept(self) -> str:
        """Continue with a ledger that lacks rows that were sent; returns what was set aside."""

    def begin_anew(self) -> str:
        """Move a ledger aside and start with an empty one; returns its new place."""


class Ledger(StoredLedger):
    """An open ledger. Not thread-safe."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...

    @abstractmethod
    def rest(self) -> None:
        """Release what others need, before a long wait as for a quota. The ledger stays open."""

    @abstractmethod
    def start_run(
        self,
        name: str,
        destination: str,
        started_at: datetime,
        record: RunRecord,
        key_claim: KeyClaim | None = None,
        *,
        held: Held | None = None,
    ) -> Run:
        """Begin a run. Rows that an earlier one left in flight become uncertain.

        The caller must hold the account: `held` is the result of `Store.hold`. Raises UsageError if
        the key in the run's `key_claim` does not belong to the account.
        """

    @abstractmethod
    def run(self, name: str | None = None) -> Run:
        """The run of that name, or the latest one. Raises UsageError if there is none."""

    def refuse_behind(self, account: str | None = None) -> None:
        """Raise LedgerLostError if rows of the account, or of any, were sent from a copy of this
        ledger in another place, and this one does not know them.
        """

    @abstractmethod
    def lost_lately(self, destination: str) -> Lost | None:
        """The run that was lost last, if it may come back and send rows that are uncertain now."""

    @abstractmethod
    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """What is known about the given conversions, as in `KNOWN`; unsent ones are omitted."""

    @abstractmethod
    def looked_through(self) -> Found:
        """Check the ledger; returns what it contains and what is wrong. A run may be active.

        Raises LedgerDamagedError if it cannot even be read.
        """

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Let all queries see the same moment."""

    @abstractmethod
    def content(self) -> AbstractContextManager[Content]:
        """A snapshot of its contents, for a copy of another kind. No run may be active."""


class RowLog(Protocol):
    """Records rows for the planner: a run of the ledger, or the counters of a check."""

    def record_input(self, file: int, table: Input) -> None:
        """Record one table of the input."""

    def record_rows(
        self, rows: int, left_out: int, outcomes: Sequence[Outcome], already: int = 0
    ) -> None:
        """Record rows that were read, with the results of those that end without being sent. Of
        rows imported `already`, only the number is recorded. Atomic, as a run may be killed at any
        time.
        """

    def count_filled(self, rows_by_field: Mapping[str, int]) -> None:
        """Record how many spooled rows have a value in each field, zeros included."""

    def count_suspects(self, cells_by_code: Mapping[str, int]) -> None:
        """Record how many cells of sendable rows look wrong, by code."""

    def note_names(self, names: Names) -> None:
        """Record under which conversion_identifier rows are sent, and how many are known under
        it.
        """

    def note_corrections(self, corrections: Sequence[Correction]) -> None:
        """Record which failed rows of earlier runs are corrected by rows of a failure report."""

    def adopt(self, payloads: Mapping[bytes, bytes], *, last: bool) -> None:
        """Record payload hashes by identity for conversions that an older release sent. If a
        conversion has several rows, the `last` or the first one counts.
        """

    def keep_adopted(self) -> None:
        """Compare those conversions with these hashes from now on."""


class Run(StoredRun, RowLog):
    """The records of one run."""

    ledger: Ledger

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether another process has taken over the account. Then no further row may be sent."""

    @abstractmethod
    def may_send(self) -> bool:
        """Whether claimed rows may still be sent: False after this process has slept for longer
        than its lease lasts, until it is known that no other process took the lease. Called before
        each row, so it must be cheap.
        """

    @abstractmethod
    def sources(self, below: int = 256) -> pl.Series:
        """The source hashes of accepted conversions: Int64, sorted. Only of those whose identity
        begins with a byte smaller than `below`: a fair sample, as identities are hashes.
        """

    @abstractmethod
    def note_sources(self, identities: Sequence[bytes], sources: Sequence[int]) -> None:
        """Record the source hash of each conversion's cells."""

    @abstractmethod
    def apply(
        self,
        begun: Sequence[SendAttempt],
        ended: Sequence[RowResult | SendAttempt],
        counters: Counters,
    ) -> Sequence[SendAttempt]:
        """Record, durably and atomically, rows about to be sent and results of rows.

        Returns those of `begun` that this run has claimed; only they may be sent. The ledger itself
        records what became of the others. A `SendAttempt` among `ended` did not arrive and is no
        longer in flight. Raises LedgerLostError, after which no row may be sent, if another run
        could send the same rows or no later run would know of them.
        """

    @abstractmethod
    def note_clock(self, clock: ClockRange) -> None:
        """Record the difference between the endpoint's clock and this machine's, for later
        comparisons with the times of requests, at the latest with the next `apply`. Called by the
        thread that calls that.
        """

    @abstractmethod
    def finish(
        self,
        at: datetime,
        exit_code: int,
        stopped_because: str | None,
        resume_at: datetime | None = None,
        found: Ending | None = None,
    ) -> None:
        """Record the end of the run. `resume_at` is the time from which continuing makes sense, if
        known; `found` is stored with the user's settings.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """A consistent snapshot, so that all files describe the same moment."""
        return self.ledger.snapshot()
