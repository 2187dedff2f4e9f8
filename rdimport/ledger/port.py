"""The ledger port. Each kind of ledger implements these classes in its own package and passes the
suite `tests/test_ledger_contract.py`.

Every method raises LedgerError if the ledger cannot be used. Times are aware datetimes, an identity
is a keyed hash of 16 bytes, a state is a `core.row.State`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from rdimport.core.errors import LedgerError
from rdimport.core.row import State
from rdimport.ledger.accounts import KeyClaim
from rdimport.ledger.attempts import Attempt, Latest
from rdimport.ledger.content import Content
from rdimport.ledger.corrections import Correction
from rdimport.ledger.figures import Example, LegalBases, Minute
from rdimport.ledger.holds import Held, HoldQuota
from rdimport.ledger.naming import Names, Unrecognised
from rdimport.ledger.parts import Accounts, CorrectionBooks, EvidenceBooks, PeopleBooks
from rdimport.ledger.records import (
    Counters,
    Ending,
    Found,
    Input,
    Lost,
    Outcome,
    RowResult,
    RunFacts,
    RunRecord,
    SendAttempt,
)

if TYPE_CHECKING:
    import polars as pl


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

    def hold(self, account: str) -> AbstractContextManager[Held]:
        """Hold an account exclusively: its runs take turns. Raises LedgerBusyError naming the
        holder.
        """

    def hold_of_quota(self, name: str, account: str, destination: str) -> HoldQuota | None:
        """The function that holds the quota of a key, known by `name`, for a run of an account to a
        destination; it raises LedgerBusyError naming the holder. None if the runs of a machine
        share it otherwise.
        """

    def is_held(self, account: str) -> bool:
        """Whether a run of this account is active."""

    def nobody_at_work(self) -> AbstractContextManager[bool]:
        """Prevent runs from beginning; yields whether that was possible."""

    def put_away(self) -> list[Path]:
        """Folders of ledgers that were moved aside and may contain personal data."""

    def forget_copies(self, before: datetime) -> int:
        """Delete upgrade backups that contain personal data; returns their number."""

    def take(self, content: Content) -> None:
        """Make a ledger with the contents of another one. Raises UsageError if the location is not
        empty.
        """

    def accept(self) -> str:
        """Continue with a ledger that lacks rows that were sent; returns what was set aside."""

    def begin_anew(self) -> str:
        """Move a ledger aside and start with an empty one; returns its new place."""


class Ledger(Protocol):
    """An open ledger. Not thread-safe."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def rest(self) -> None:
        """Nothing is asked for a while, such as while a run waits for its quota: what others need
        is given back. The ledger stays open.
        """

    @property
    def place(self) -> str:
        """Its location, for messages."""

    @property
    def key(self) -> bytes:
        """The key of all hashes, 32 bytes."""

    @property
    def accounts(self) -> Accounts:
        """The accounts and their keys."""

    @property
    def evidence(self) -> EvidenceBooks:
        """Uncertain conversions, and evidence about them."""

    @property
    def corrections(self) -> CorrectionBooks:
        """Failed rows, and those that a person corrected."""

    @property
    def people(self) -> PeopleBooks:
        """Personal data, and its removal."""

    def digests(self, texts: Sequence[str], size: int = 16) -> list[bytes]:
        """Keyed hashes: addresses cannot be recovered from them without the key."""

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

    def run(self, name: str | None = None) -> Run:
        """The run of that name, or the latest one. Raises UsageError if there is none."""

    def knows_run(self, name: str) -> bool:
        """Whether there is a run of that name."""

    def lost_lately(self, destination: str) -> Lost | None:
        """The run that was lost last, if it may come back and send rows that are uncertain now."""

    def latest(self, most: int) -> list[str]:
        """The names of the latest runs, newest first."""

    def unfinished(self) -> list[tuple[str, str]]:
        """Name and account of each run without an end: active or killed."""

    def destination(self, identity: str) -> int | None:
        """The number of a destination; None if nothing was ever sent there."""

    def is_new(self, destination: int) -> bool:
        """Whether nothing was ever sent there."""

    def knows_of_0_1(self, destination: int) -> bool:
        """Whether release 0.1.0, whose cleaners differ, sent rows there."""

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """What is known about the given conversions, in the schema `KNOWN`; unsent ones are
        omitted.
        """

    def unrecognised(
        self,
        destination: int,
        names: Names,
        before: int | None,
        fingerprints: Callable[[], Sequence[str]],
    ) -> list[Unrecognised]:
        """The conversions of runs `before` this one that its new rows may be, but would not match.

        `fingerprints` are those of the run's files.
        """

    def note_attempt(self, attempt: Attempt) -> None:
        """Record a run that ended before it began."""

    def latest_of_jobs(self, since: datetime | None = None, job: str | None = None) -> list[Latest]:
        """The latest run or attempt of each account and job, newest first. With `since`, only those
        with activity since then; with `job`, only those of a job of that name.
        """

    def latest_by(self, part: Callable[[datetime], date]) -> dict[date, list[Latest]]:
        """The same for each period, such as a night, in which runs or attempts began."""

    def looked_through(self) -> Found:
        """Check the ledger; returns what it contains and what is wrong. A run may be active.

        Raises LedgerDamagedError if it cannot even be read.
        """

    def content(self) -> AbstractContextManager[Content]:
        """A snapshot of its contents, for a copy of another kind. No run may be active."""

    def damaged(self, what: str) -> LedgerError:
        """The error for a damaged ledger, with a remedy."""


class RowLog(Protocol):
    """What the planner asks of its record of rows: a run of the ledger, or a check's counts."""

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


class Run(RowLog, Protocol):
    """The records of one run."""

    @property
    def ledger(self) -> Ledger:
        """The ledger that contains it."""

    @property
    def name(self) -> str:
        """Its name, as shown to users."""

    @property
    def number(self) -> int:
        """Its number in the ledger."""

    @property
    def destination(self) -> int:
        """The number of its destination."""

    @property
    def has_begun(self) -> bool:
        """Whether this process has sent a row."""

    @property
    def is_lost(self) -> bool:
        """Whether another process has taken over the account. Then no further row may be sent."""

    def may_send(self) -> bool:
        """Whether rows that were claimed may still leave: False once this process has slept for
        longer than its turn at the account lasts, until it is known that nobody took it. Asked
        before each row, so it must be cheap.
        """

    def unrecognised(self) -> list[Unrecognised]:
        """The conversions of earlier runs that the new rows of this one may be."""

    def sources(self, below: int = 256) -> pl.Series:
        """The source hashes of accepted conversions: Int64, sorted. Of those whose identity begins
        with a byte `below`, which is a fair sample, as identities are hashes.
        """

    def note_sources(self, identities: Sequence[bytes], sources: Sequence[int]) -> None:
        """Record the source hash of each conversion's cells."""

    def unfinished_resend(self) -> frozenset[int]:
        """The numbers of the runs that began the same `--resend` and did not finish it: what they
        have sent is not sent again.
        """

    # sending

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

    # reports

    def snapshot(self) -> AbstractContextManager[None]:
        """A consistent snapshot, so that all files describe the same moment."""

    def has_sent(self) -> bool:
        """Whether a request of this run may have been sent."""

    def read_to_end(self, facts: RunFacts) -> bool:
        """Whether all of the input was read. `facts` is the result of `facts`."""

    def counts(self) -> dict[State, int]:
        """Rows in each state; rows without a result are pending, rows in flight uncertain."""

    def facts(self) -> RunFacts:
        """Everything about the run except its rows: its settings, its end, its counters."""

    def later(self) -> str | None:
        """The latest run of the same list and account, if it is another one that could begin."""

    def inputs(self) -> dict[int, Input]:
        """The tables of the input by their number."""

    def problems(self) -> dict[str, int]:
        """Number of the run's rows with each code, the most frequent first."""

    def suspects(self) -> dict[str, int]:
        """Number of suspect cells in sendable rows by code, the most frequent first."""

    def proofs(self) -> dict[str, int]:
        """Number of rows proved later, by kind of proof."""

    def corrected(self) -> dict[str, int]:
        """Number of rows that count as imported because a person corrected them in a failure
        report, by the run that sent them.
        """

    def failures(self) -> Iterator[Outcome]:
        """The rows of the failure report, in the order of the input."""

    def sent_without(self) -> Iterator[Outcome]:
        """Rows accepted without an invalid cell, in the order of the input; see their warnings."""

    def without_cells(self) -> dict[int, list[int]]:
        """Rows, by file, that were in flight when the run was killed: their cells are not
        stored.
        """

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""

    def examples(self, of_each: int) -> dict[str, list[Example]]:
        """The first rows with a problem of each code, the most frequent code first."""

    def minutes(self) -> list[Minute]:
        """The counts of each minute of sending, including those without activity."""

    def warned(self) -> bool:
        """Whether a failed row has suspect cells that are not the reason for its failure."""

    def filled(self) -> dict[str, int]:
        """Number of sendable rows with a value in each field, the fewest first."""

    def invalid_by_column(self) -> dict[tuple[str, str], int]:
        """Number of rows invalid in each field, with its source column."""

    def legal_bases(self) -> LegalBases | None:
        """Number of sendable rows by legal basis; None if not counted."""
