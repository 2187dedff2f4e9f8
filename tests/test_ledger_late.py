"""An answer that comes after another run has taken over the account: everything reported of its row
is corrected, in every run that listed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import LiteralString

import pytest
from support.claims import KEY, Worker, end_all, ended, new_ledger, row, states, worker
from support.postgres import Server
from support.waiting import TIMEOUT, until

from rdimport.core.errors import ExitCode
from rdimport.core.row import Problem, State
from rdimport.ledger.postgres import schema
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.store import PostgresStore
from rdimport.ledger.records import Counters, Outcome, RowResult, RunRecord, SendAttempt

LATE = [ended(row(0)), ended(row(1), State.REFUSED), row(2), ended(row(3), State.UNCERTAIN)]


@pytest.fixture
def url(postgres: Server) -> str:
    return new_ledger(postgres)


@pytest.fixture(autouse=True)
def _nobody_left() -> Iterator[None]:
    yield
    end_all()


def listing(numbers: Iterable[int]) -> list[Outcome]:
    """Rows that a plan found uncertain."""
    why = (Problem("uncertain.interrupted"),)
    return [
        Outcome(0, n, State.UNCERTAIN, why, ("cell",), identity=row(n).identity) for n in numbers
    ]


def noted(one: Worker, numbers: Iterable[int], code: int | None = None) -> None:
    """Let a run list rows as uncertain, and perhaps end."""
    with one.session.transaction() as db:
        one.writes.record(db, listing(numbers))
        db.execute("UPDATE rdimport.run SET exit_code = %s WHERE id = %s", (code, one.run))


def reported(one: Worker) -> tuple[dict[int, str], dict[str, int], int | None]:
    """What the ledger says of a run: its listed rows, counts and exit code."""
    listed = "SELECT row, state FROM rdimport.outcome WHERE run = %s"
    code = "SELECT exit_code FROM rdimport.run WHERE id = %s"
    counts = {state: rows for state, rows in one.counted().items() if rows}
    ((end,),) = one.session.query(code, (one.run,))
    return dict(one.session.query(listed, (one.run,))), counts, end


def taken_over(url: str, *, claim_is_late: bool) -> tuple[Worker, Worker]:
    """A run that has claimed rows, perhaps after the take-over had looked for claims, and the next
    run. Epochs are renumbered as if the claim had begun before.
    """
    first = worker(url)
    if not claim_is_late:
        first.claim(range(4))
        return first, worker(url)
    second = worker(url)
    for change in (-1, 1):
        with second.session.transaction() as db:
            db.execute("UPDATE rdimport.lease SET epoch = epoch + %s", (change,))
        if not first.writes.done:
            assert first.claim(range(4)) == list(range(4))
    return first, second


@pytest.mark.parametrize("claim_is_late", [False, True])
@pytest.mark.parametrize("answer_is_first", [False, True])
def test_a_late_answer_is_true_of_the_runs_that_listed_its_row_as_uncertain(
    url: str, *, claim_is_late: bool, answer_is_first: bool
) -> None:
    first, second = taken_over(url, claim_is_late=claim_is_late)
    third = worker(url, second.lease)
    if answer_is_first:  # between the plans' reads and what they record
        first.writes.apply([], LATE, Counters(4))
    noted(second, range(4), 1)
    noted(third, range(4))
    if not answer_is_first:
        first.writes.apply([], LATE, Counters(4))
    for later in (second, third):
        listed, counts, code = reported(later)
        assert listed == {1: "refused", 3: "uncertain"}
        assert counts == {"already_imported": 1, "refused": 1, "uncertain": 1}
        if later is third:
            assert code is None, "it has not ended"
        elif not answer_is_first:
            assert code == ExitCode.STOPPED, "a row is to be sent after all"


def test_a_run_whose_only_doubts_late_answers_settle_has_worked(url: str) -> None:
    first = worker(url)
    first.claim([1, 2])
    second = worker(url)
    noted(second, [1, 2], 1)
    first.end([1])
    assert reported(second) == ({2: "uncertain"}, {"uncertain": 1, "already_imported": 1}, 1)
    first.end([2])
    assert reported(second) == ({}, {"already_imported": 2}, 0)


def test_a_late_answer_says_nothing_of_doubts_that_were_there_before(url: str) -> None:
    first = worker(url)
    first.claim([1, 2])
    first.end([1, 2], State.UNCERTAIN)
    second = worker(url)
    noted(second, [1, 2], 1)
    third = worker(url)
    assert third.claim([1, 2], 1 << 4 | schema.UNCERTAIN) == [1, 2]
    fourth = worker(url)
    noted(fourth, [1, 2], 1)
    third.writes.apply([], [ended(row(1)), row(2)], Counters(2))
    assert reported(second)[0] == {1: "uncertain", 2: "uncertain"}
    assert reported(fourth)[0] == {2: "uncertain"}, "the first request may still have arrived"


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [
        (ended(row(1)), ExitCode.DONE, {State.ALREADY_IMPORTED: 1}),
        (ended(row(1), State.REFUSED), ExitCode.FAILED_ROWS, {State.REFUSED: 1}),
        (row(1), ExitCode.STOPPED, {State.PENDING: 1}),
        (None, ExitCode.FAILED_ROWS, {State.UNCERTAIN: 1}),
    ],
    ids=["accepted", "refused", "did not arrive", "none"],
)
def test_a_run_ends_as_its_rows_do_whatever_was_said_of_them_while_it_was_at_work(
    url: str,
    answer: RowResult | SendAttempt | None,
    code: ExitCode,
    left: dict[State, int],
) -> None:
    now, store = datetime.now(UTC), PostgresStore(url, KEY.hex())
    with store.open() as ours, store.open() as theirs:
        first = ours.start_run("20261128-120000-aaaa", "there", now, RunRecord(account="a"))
        first.record_rows(1, 0, ())
        assert first.apply([row(1)], [], Counters(1))
        second = theirs.start_run("20261128-120001-aaaa", "there", now, RunRecord(account="a"))
        second.record_rows(1, 0, listing([1]))
        if answer is not None:
            first.apply([], [answer], Counters(1))
        second.finish(now, ExitCode.FAILED_ROWS, None)
        assert second.facts().exit_code == code
        assert {state: rows for state, rows in second.counts().items() if rows} == left
        first.finish(now, ExitCode.STOPPED, None)
        assert theirs.looked_through().wrong == []


WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@contextmanager
def held(server: Server, url: str, statement: LiteralString) -> Iterator[Callable[[int], None]]:
    """Lock rows within the block; yield a function that waits until a number of sessions wait for a
    lock.
    """
    database = url.rpartition("/")[2].replace("%20", " ")
    with server.connect(database) as db, db.transaction():
        db.execute(statement)
        yield lambda number: until(lambda: server.ask(WAITING, database=database) >= number)


def with_account(url: str) -> Worker:
    """A run that has claimed rows, of an account known to the ledger."""
    with Session(parsed(url)) as session:
        session.change(
            "INSERT INTO rdimport.destination (identity, endpoint, account) VALUES ('a', '', 'a')"
        )
    first = worker(url)
    first.claim(range(4))
    return first


def test_a_plan_does_not_wait_for_a_late_answer_that_waits_for_it(
    url: str, postgres: Server
) -> None:
    """Both count rows of the run that plans: as uncertain, and as imported."""
    first = with_account(url)
    second = worker(url)

    def plan(numbers: Iterable[int]) -> None:
        with second.session.transaction() as db:
            second.writes.record(db, listing(numbers))
            second.writes.tally(db, State.ALREADY_IMPORTED, 1)

    plan(range(4))
    held_count = "UPDATE rdimport.tally SET rows = rows WHERE state = 'already_imported'"
    with ThreadPoolExecutor() as pool:
        with held(postgres, url, held_count) as waits:
            late = pool.submit(first.writes.apply, [], LATE, Counters(4))
            waits(1)
            planned = pool.submit(plan, [9])
            waits(2)
        late.result(TIMEOUT)
        planned.result(TIMEOUT)
    assert second.counted() == {"already_imported": 3, "refused": 1, "uncertain": 2}


def test_a_takeover_does_not_wait_for_late_answers_that_wait_for_it(
    url: str, postgres: Server
) -> None:
    first = with_account(url)
    backwards = [ended(row(n), State.UNCERTAIN) for n in (3, 2, 1, 0)]
    last = "SELECT FROM rdimport.conversion WHERE row = 1 FOR UPDATE"
    with ThreadPoolExecutor() as pool:
        with held(postgres, url, last) as waits:
            late = pool.submit(first.writes.apply, [], backwards, Counters(4))
            waits(1)
            taken = pool.submit(worker, url)
            waits(2)
        late.result(TIMEOUT)
        second = taken.result(TIMEOUT)
    assert states(url) == dict.fromkeys(range(4), schema.UNCERTAIN)
    assert second.claim(range(4)) == []
    assert first.counted() == {"uncertain": 4}


def purged(url: str) -> int:
    """Purge all runs, as if none were active."""
    now = datetime.now(UTC)
    with PostgresStore(url, KEY.hex()).open() as ledger:
        return ledger.people.forget(now, now)


COUNTS = "UPDATE rdimport.tally SET rows = rows"
RUNS = "SELECT FROM rdimport.run FOR UPDATE"


@pytest.mark.parametrize(
    ("first", "what_is_held"), [("answer", COUNTS), ("answer", RUNS), ("purge", RUNS)]
)
def test_a_purge_does_not_wait_for_a_late_answer_that_waits_for_it(
    first: str, what_is_held: LiteralString, url: str, postgres: Server
) -> None:
    """Both change conversions, their listings, and the runs that listed them."""
    old = with_account(url)
    second = worker(url)
    noted(second, range(4), ExitCode.FAILED_ROWS)
    with second.session.transaction() as db:
        second.writes.tally(db, State.ALREADY_IMPORTED, 1)
    work: dict[str, Callable[[], object]] = {
        "answer": lambda: old.writes.apply([], LATE, Counters(4)),
        "purge": lambda: purged(url),
    }
    with ThreadPoolExecutor() as pool:
        with held(postgres, url, what_is_held) as waits:
            one = pool.submit(work.pop(first))
            waits(1)
            ((_name, then),) = work.items()
            other = pool.submit(then)
            waits(2)
        one.result(TIMEOUT)
        other.result(TIMEOUT)
    assert set(second.session.query("SELECT forgotten_at <> '' FROM rdimport.run")) == {(True,)}
    ends = (schema.ACCEPTED, schema.REFUSED, schema.FREE, schema.UNCERTAIN)
    assert states(url) == dict(enumerate(ends))


MANY = """
INSERT INTO rdimport.conversion (identity, destination, state, attempt, epoch, payload, run, file,
    row, source, left_at)
SELECT sha256(n::text::bytea), c.destination, 1, 1, c.epoch, c.payload, c.run, 0, 9, 0, c.left_at
FROM rdimport.conversion c, generate_series(1, 20000) n WHERE c.row = 1
"""
"""So many that PostgreSQL looks up a few of them one by one, in the given order."""


def test_runs_that_note_the_cells_of_the_same_rows_do_not_wait_for_each_other(
    url: str, postgres: Server
) -> None:
    now, store = datetime.now(UTC), PostgresStore(url, KEY.hex())
    known = [row(n).identity for n in range(4)]
    with store.open() as ours, store.open() as theirs, ThreadPoolExecutor() as pool:
        first = ours.start_run("20261128-120000-aaaa", "there", now, RunRecord(account="a"))
        first.apply([row(n) for n in range(4)], [], Counters(4))
        first.apply([], [ended(row(n)) for n in range(4)], Counters(4))
        second = theirs.start_run("20261128-120001-aaaa", "there", now, RunRecord(account="a"))
        with Session(parsed(url)) as session:
            session.change(MANY)
            session.change("ANALYZE rdimport.conversion")
        middle = "SELECT FROM rdimport.conversion WHERE row = 1 FOR UPDATE"
        with held(postgres, url, middle) as waits:
            backwards = pool.submit(first.note_sources, known[::-1], [5] * 4)
            waits(1)
            forwards = pool.submit(second.note_sources, known, [6] * 4)
            waits(2)
        backwards.result(TIMEOUT)
        forwards.result(TIMEOUT)
        assert second.sources().to_list().count(6) == 4
