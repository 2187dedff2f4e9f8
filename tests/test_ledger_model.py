"""Each kind of ledger against a plain model, whatever is done to it and wherever it is
interrupted.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.examples import costly
from support.ledgers import Place, SqlitePlace
from support.postgres import Server
from support.shared_ledgers import PostgresPlace

from rdimport.core.row import Problem, State
from rdimport.ledger import (
    Counters,
    Outcome,
    RowResult,
    Run,
    RunRecord,
    SendAttempt,
)

PEOPLE = 8
ENDS = st.sampled_from([State.ACCEPTED, State.REFUSED, State.UNCERTAIN, None])
"""How a sent row can end; None: it did not arrive, and may be sent again."""

DOUBT = Problem("uncertain.interrupted")
TROUBLE = Problem("rd.invalid", "name", "Nome", "x", "Não serve.")


@dataclass
class Book:
    """What a run should report. The `row` of person n is n + 2."""

    number: int
    ends: dict[int, State] = field(default_factory=dict)
    why: dict[int, Problem] = field(default_factory=dict)
    flying: set[int] = field(default_factory=set)
    forgotten: bool = False

    def counts(self) -> Counter[State]:
        found = Counter(self.ends.values())
        found[State.UNCERTAIN] += len(self.flying)
        found[State.PENDING] = PEOPLE - found.total()
        return found

    def failures(self) -> list[tuple[int, State, tuple[Problem, ...]]]:
        failed = {n: (s, (self.why[n],)) for n, s in self.ends.items() if n in self.why}
        failed |= dict.fromkeys(self.flying, (State.UNCERTAIN, (DOUBT,)))
        return [(n + 2, *failed[n]) for n in sorted(failed)]


class LedgerMachine(RuleBasedStateMachine):
    """One destination, a few people, runs in turn; each may be interrupted at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.place = self.new_place()
        self.ledger = self.place.store.open()
        self.held = ExitStack()
        self.run: Run | None = None
        self.books: list[Book] = []
        self.world: dict[int, tuple[State, Problem | None]] = {}

    def new_place(self) -> Place:
        raise NotImplementedError

    def teardown(self) -> None:
        with self.held, self.ledger:
            pass

    @property
    def book(self) -> Book:
        return self.books[-1]

    def identities(self) -> list[bytes]:
        return self.ledger.digests([f"person {n}" for n in range(PEOPLE)])

    def outgoing(self, person: int) -> SendAttempt:
        return SendAttempt(self.identities()[person], 0, person + 2, f'{{"n":{person}}}')

    @precondition(lambda self: self.run is None)
    @rule(resend=st.sets(st.sampled_from([State.ACCEPTED, State.REFUSED, State.UNCERTAIN])))
    def start(self, resend: set[State]) -> None:
        """Begin a run: what an earlier one left in flight is in doubt, and known as such. What is
        to be sent again has no result yet.
        """
        for old in self.books:
            for person in old.flying:
                self.world[person] = (State.UNCERTAIN, DOUBT)
                old.ends[person], old.why[person] = State.UNCERTAIN, DOUBT
            old.flying.clear()
        name = f"run-{len(self.books)}"
        held = self.held.enter_context(self.place.store.hold("a"))
        record = RunRecord(account="a")
        self.run = self.ledger.start_run(name, "there", datetime.now(UTC), record, held=held)
        self.books.append(Book(len(self.books)))
        outcomes = []
        for person, (state, why) in self.world.items():
            if state in resend:
                continue
            if state is State.ACCEPTED:
                self.book.ends[person] = State.ALREADY_IMPORTED
            elif why is not None:
                self.book.ends[person], self.book.why[person] = state, why
                outcomes.append(Outcome(0, person + 2, state, (why,), ("x",)))
        self.run.record_rows(PEOPLE, 0, outcomes, len(self.book.ends) - len(outcomes))

    @precondition(lambda self: self.run is not None)
    @rule(people=st.sets(st.integers(0, PEOPLE - 1)), ends=st.lists(ENDS, max_size=PEOPLE))
    def write(self, people: set[int], ends: list[State | None]) -> None:
        """One write of the journal: some rows end while others begin."""
        assert self.run is not None
        ending = list(zip(sorted(self.book.flying), ends, strict=False))
        begun = people - set(self.book.ends) - self.book.flying
        told = [self._end(person, state) for person, state in ending]
        leaving = [self.as_known(n) for n in sorted(begun)]
        assert list(self.run.apply(leaving, told, Counters(len(begun)))) == leaving
        self.book.flying |= begun

    def as_known(self, person: int) -> SendAttempt:
        """The row as a plan made now has it."""
        assert self.run is not None
        outgoing = self.outgoing(person)
        identities = pl.Series([outgoing.identity], dtype=pl.Binary)
        known = self.ledger.known(self.run.destination, identities)
        return outgoing._replace(version=known["version"][0] if known.height else 0)

    def _end(self, person: int, state: State | None) -> RowResult | SendAttempt:
        self.book.flying.discard(person)
        outgoing = self.outgoing(person)
        if state is None:
            return outgoing
        why = () if state is State.ACCEPTED else (TROUBLE,)
        self.book.ends[person] = state
        self.book.why |= dict.fromkeys([person], TROUBLE) if why else {}
        was = self.world.get(person)
        if state is State.REFUSED and was is not None and was[0] is not State.REFUSED:
            state_now = was[0]  # a refusal does not undo an arrival, certain or possible
        else:
            state_now = state
        self.world[person] = (state_now, why[0] if why else None)
        return RowResult(outgoing, Outcome(0, person + 2, state, why, ("x",)), f"uuid {person}")

    @precondition(lambda self: self.run is not None and not self.book.flying)
    @rule()
    def finish(self) -> None:
        """End a run in order."""
        assert self.run is not None
        self.run.finish(datetime.now(UTC), 0, None)
        self.held.close()
        self.run = None

    @precondition(lambda self: self.run is None and not all(b.forgotten for b in self.books))
    @rule()
    def forget(self) -> None:
        """Forget all runs: their counts and whom they sent stay known."""
        self.ledger.people.forget(datetime.now(UTC) + timedelta(days=1), datetime.now(UTC))
        assert self.ledger.people.empty_log()
        for book in self.books:
            if not book.forgotten:
                book.why.clear()
            book.forgotten = True
        assert not self.place.holds(TROUBLE.detail.encode())

    @rule()
    def crash(self) -> None:
        """Crash: only what was passed to the system is left, in whatever files."""
        self.place.crash()
        with self.ledger:
            self.held.close()
        self.ledger = self.place.store.open()
        self.run = None

    @invariant()
    def each_run_says_what_became_of_each_of_its_rows(self) -> None:
        for book in self.books:
            run = self.ledger.run(f"run-{book.number}")
            counts = run.counts()
            assert Counter(counts) == book.counts()
            assert sum(counts.values()) == PEOPLE
            failures = [(end.row, end.state, end.problems) for end in run.failures()]
            assert failures == book.failures()
            codes = Counter(why.code for _, _, found in failures for why in found)
            assert run.problems() == codes

    @invariant()
    def what_is_known_is_what_happened(self) -> None:
        where = self.ledger.destination("there")
        identities = self.identities()
        known = {} if where is None else self._known(where, identities)
        expected = {identities[n]: str(state) for n, (state, _) in self.world.items()}
        flying = {n for book in self.books for n in book.flying}
        assert known == expected | {identities[n]: "uncertain" for n in flying}

    def _known(self, where: int, identities: list[bytes]) -> dict[bytes, str]:
        found = self.ledger.known(where, pl.Series(identities, dtype=pl.Binary))
        return dict(found.select("identity", "state").iter_rows())


class SqliteMachine(LedgerMachine):
    def new_place(self) -> Place:
        self.home = Path(tempfile.mkdtemp())
        return SqlitePlace(self.home)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.home)


class PostgresMachine(LedgerMachine):
    server: ClassVar[Server]

    def new_place(self) -> Place:
        return PostgresPlace(self.server)


TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = settings(max_examples=costly(30), stateful_step_count=25, deadline=None)


@pytest.mark.usefixtures("served")
class TestPostgres(PostgresMachine.TestCase):
    settings = settings(max_examples=costly(12), stateful_step_count=15, deadline=None)

    @pytest.fixture
    def served(self, postgres: Server) -> None:
        PostgresMachine.server = postgres
