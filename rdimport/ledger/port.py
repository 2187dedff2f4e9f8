"""What the other rooms ask of a ledger, wherever it is kept: each kind of ledger is a folder here
with these classes, and passes the suite `tests/test_ledger_contract.py`.

Every method raises LedgerError where the ledger cannot be used. A moment is a datetime with its
zone, an identity 16 bytes of a keyed hash, a state one of `core.row.State`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from rdimport.core.errors import LedgerError
from rdimport.core.row import State
from rdimport.ledger.accounts import Wish
from rdimport.ledger.attempts import Attempt, Latest
from rdimport.ledger.content import Content
from rdimport.ledger.figures import Example, LegalBases, Minute
from rdimport.ledger.naming import Names, Unrecognised
from rdimport.ledger.parts import Accounts, EvidenceBooks, PeopleBooks
from rdimport.ledger.records import (
    Counters,
    Ending,
    Found,
    Input,
    Outcome,
    RowResult,
    RunFacts,
    RunRecord,
    SendAttempt,
)

if TYPE_CHECKING:
    import polars as pl


class Held(Protocol):
    """An account that this process has for itself."""

    def is_held(self) -> bool:
        """Is it still ours?"""


class Store(Protocol):
    """Where a ledger is kept, open or not. Its text is fit for messages: it has no password."""

    @property
    def reach(self) -> tuple[str, ...]:
        """The options by which a command finds this ledger; without a password."""

    def is_there(self) -> bool:
        """Whether there is a ledger. Raises LedgerLostError where there was one."""

    def open(self, *, trusting: bool = False) -> Ledger:
        """The ledger to write to; made where that is the custom of its kind. Raises
        LedgerLostError where it does not know all that was sent, unless `trusting`.
        """

    def if_there(self) -> Ledger | None:
        """The ledger to look into, None where nothing was ever sent. Nothing is written."""

    def bring_up(self) -> None:
        """Bring a ledger of an earlier release to this one's tables, before accounts are held."""

    def hold(self, account: str) -> AbstractContextManager[Held]:
        """Have an account for this process alone: its runs take turns. Raises LedgerBusyError that
        names who has it.
        """

    def is_held(self, account: str) -> bool:
        """Is anybody at work on this account?"""

    def nobody_at_work(self) -> AbstractContextManager[bool]:
        """Let no run begin; tells whether that was possible."""

    def put_away(self) -> list[Path]:
        """Folders of ledgers that were moved aside, and may know people."""

    def forget_copies(self, before: datetime) -> int:
        """Delete copies that were made for an upgrade and know people; returns how many."""

    def take(self, content: Content) -> None:
        """Make a ledger that knows all that another one knows. Raises UsageError for a place that
        is not empty.
        """

    def accept(self) -> str:
        """Go on with a ledger that does not know all that was sent; says what was set aside."""

    def begin_anew(self) -> str:
        """Move a ledger aside, so that nothing is known; says where it is now."""


class Ledger(Protocol):
    """An open ledger. Not for two threads at the same time."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    @property
    def key(self) -> bytes:
        """32 bytes that all hashes are keyed with."""

    @property
    def accounts(self) -> Accounts:
        """Which account goes with which keys."""

    @property
    def evidence(self) -> EvidenceBooks:
        """What is in doubt, and what proves that it arrived."""

    @property
    def people(self) -> PeopleBooks:
        """What the ledger knows of people, and how it forgets them."""

    def digests(self, texts: Sequence[str], size: int = 16) -> list[bytes]:
        """Keyed hashes: nobody without the key can find out whose they are."""

    def start_run(
        self,
        name: str,
        destination: str,
        started_at: datetime,
        record: RunRecord,
        wish: Wish | None = None,
        *,
        held: Held | None = None,
    ) -> Run:
        """Begin a run. Rows that an earlier one left on their way become uncertain. Only who has
        the account may call this: `held` is what `Store.hold` gave. Raises UsageError where the
        key that the run has a `wish` to send with is not the account's.
        """

    def run(self, name: str | None = None) -> Run:
        """The run of that name, or the latest one. Raises UsageError when there is none."""

    def knows_run(self, name: str) -> bool:
        """Is there a run of that name?"""

    def latest(self, most: int) -> list[str]:
        """The names of the latest runs, the newest first."""

    def unfinished(self) -> list[tuple[str, str]]:
        """Name and account of each run that has no end: at work, or killed."""

    def destination(self, identity: str) -> int | None:
        """The number of a destination, None when nothing was ever sent there."""

    def is_new(self, destination: int) -> bool:
        """Whether nothing was ever sent there."""

    def knows_of_0_1(self, destination: int) -> bool:
        """Whether release 0.1.0 sent something there, cleaned in its way."""

    def known(self, destination: int, identities: pl.Series) -> pl.DataFrame:
        """What is known of some conversions, in the schema `KNOWN`; without those never sent."""

    def unrecognised(
        self,
        destination: int,
        names: Names,
        before: int | None,
        fingerprints: Callable[[], Sequence[str]],
    ) -> list[Unrecognised]:
        """The conversions of runs `before` this one that its new rows may be without being
        recognised. `fingerprints` are those of the run's files.
        """

    def note_attempt(self, attempt: Attempt) -> None:
        """Note a run that ended before it began."""

    def latest_of_jobs(self, since: datetime | None = None) -> list[Latest]:
        """The latest run or attempt of each account and job, the newest first; those that nothing
        happened to `since` that moment are left out.
        """

    def latest_by(self, part: Callable[[datetime], date]) -> dict[date, list[Latest]]:
        """The same of each part of time, such as a night, that runs or attempts began in."""

    def looked_through(self) -> Found:
        """What the ledger holds, and what is wrong with it. A run may be at work. Raises
        LedgerDamagedError where it cannot even be read.
        """

    def content(self) -> AbstractContextManager[Content]:
        """All that the ledger knows at one moment, for a copy of another kind. Call it only where
        no run is at work.
        """

    def damaged(self, what: str) -> LedgerError:
        """The error for a ledger that cannot be trusted, with what to do about it."""


class Run(Protocol):
    """The books of one run."""

    @property
    def ledger(self) -> Ledger:
        """The ledger that they are in."""

    @property
    def name(self) -> str:
        """By which people know it."""

    @property
    def number(self) -> int:
        """By which the ledger knows it."""

    @property
    def destination(self) -> int:
        """The number of where it sends to."""

    @property
    def has_begun(self) -> bool:
        """Has this process let a row leave?"""

    @property
    def is_lost(self) -> bool:
        """Has another process taken the account over? Then no further row may leave."""

    # what is read, before the first row leaves: `plan.planner.RowLog`

    def record_input(self, file: int, table: Input) -> None:
        """Note one table of the input."""

    def record_rows(
        self, rows: int, left_out: int, outcomes: Sequence[Outcome], already: int = 0
    ) -> None:
        """Note rows that were read, and the end of those that end without being sent; of those that
        were imported `already`, only how many. All at once: a run may be killed at any time.
        """

    def count_filled(self, rows_by_field: Mapping[str, int]) -> None:
        """Note how many rows that are put away have a value in each field; 0 counts too."""

    def count_suspects(self, cells_by_code: Mapping[str, int]) -> None:
        """Note how many cells of rows that can be sent look wrong, by code."""

    def note_names(self, names: Names) -> None:
        """Note under which identity rows are sent, and which of them are known under it."""

    def unrecognised(self) -> list[Unrecognised]:
        """The conversions of earlier runs that the new rows of this one may be."""

    def adopt(self, payloads: Mapping[bytes, bytes], *, last: bool) -> None:
        """Note the payload's hash by identity of conversions that an earlier release sent; of
        several the `last`, else the first.
        """

    def keep_adopted(self) -> None:
        """From now on those conversions are compared with these hashes."""

    def sources(self) -> pl.Series:
        """All hashes by which conversions that were accepted can be recognised: Int64, in order."""

    def note_sources(self, identities: Sequence[bytes], sources: Sequence[int]) -> None:
        """Note by which hash of its cells each conversion can be recognised."""

    def wish(self) -> frozenset[int]:
        """The numbers of the runs in which the wish to send again that this run has was begun and
        not brought to its end: what they have sent is not sent once more.
        """

    # what is sent

    def apply(
        self,
        begun: Sequence[SendAttempt],
        ended: Sequence[RowResult | SendAttempt],
        counters: Counters,
    ) -> Sequence[SendAttempt]:
        """Write down, durably and in one go, rows that are about to leave and rows that came to an
        end. Returns those of `begun` that this run has claimed: only they may leave. What became
        of the others the ledger notes itself. A `SendAttempt` among `ended` did not arrive, and is
        no longer on its way. Raises LedgerLostError, and no row may leave, when another run could
        send the same ones, or no later run would know of them.
        """

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

    # what the reports ask

    def snapshot(self) -> AbstractContextManager[None]:
        """The ledger as it is now, whoever goes on writing to it: all files tell of one moment."""

    def has_sent(self) -> bool:
        """May a request of this run have left?"""

    def read_to_end(self, facts: RunFacts) -> bool:
        """Was all of the input read? `facts` are those of `facts`."""

    def counts(self) -> dict[State, int]:
        """Rows in each state; what came to no end is pending, what is on its way uncertain."""

    def facts(self) -> RunFacts:
        """Everything about the run but its rows: what it is, how it ended, what was counted."""

    def later(self) -> str | None:
        """The latest run of the same list and account, where it is another and could begin."""

    def inputs(self) -> dict[int, Input]:
        """The tables of the input by their number."""

    def problems(self) -> dict[str, int]:
        """How many of the run's rows have a problem of each code, the most frequent first."""

    def suspects(self) -> dict[str, int]:
        """How many cells look wrong although they can be sent, the most frequent code first."""

    def proofs(self) -> dict[str, int]:
        """How many rows were proved later, by the kind of the proof."""

    def failures(self) -> Iterator[Outcome]:
        """The rows that the failure report lists, in the order of the input."""

    def sent_without(self) -> Iterator[Outcome]:
        """The rows that were accepted without a cell that was not valid, in the order of the input;
        their warnings tell which.
        """

    def without_cells(self) -> dict[int, list[int]]:
        """Rows by file that were on their way when the run was cut off: nobody kept their cells."""

    def accepted(self, most: int) -> list[tuple[int, int]]:
        """File and row of the first rows that this run delivered, in the order of the input."""

    def examples(self, of_each: int) -> dict[str, list[Example]]:
        """The first rows with a problem of each code, the most frequent code first."""

    def minutes(self) -> list[Minute]:
        """What happened in each minute of the sending, also in those in which nothing did."""

    def warned(self) -> bool:
        """Has a row that failed cells that look wrong, but are not why it failed?"""

    def filled(self) -> dict[str, int]:
        """How many of the rows that can be sent have a value in each field, the fewest first."""

    def invalid_by_column(self) -> dict[tuple[str, str], int]:
        """How many rows are invalid in each field, with the column that it is filled from."""

    def legal_bases(self) -> LegalBases | None:
        """Of the rows that can be sent, how many have a legal basis; None where nobody counted."""
