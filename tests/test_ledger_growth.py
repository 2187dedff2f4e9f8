"""A write of a shared ledger costs the same however many conversions there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.claims import HERE, end_all, ended, new_ledger, row, worker
from support.postgres import Server, release

from rdimport.core.row import State
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.parts import recover
from rdimport.ledger.postgres.schema import UNCERTAIN
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.records import Counters

ROWS, GROUP, SHARE = 50_000, 250, 1_000


@pytest.fixture(autouse=True)
def _nobody_left() -> Iterator[None]:
    yield
    end_all()


def pages(session: Session) -> int:
    """How many pages of tables and indexes all sessions have read; those of other sessions up to
    their last report.
    """
    session.query("SELECT pg_stat_force_next_flush()")
    found = session.query(
        "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(found[0][0])


@pytest.fixture
def _without_vacuum(postgres: Server) -> Iterator[None]:
    """Autovacuum reads pages too, the more the longer the writes take."""
    if release() < 15:
        pytest.skip("before release 15, a session's counts are reported late")
    postgres.reload(autovacuum="off")
    yield
    postgres.reload(autovacuum="on")


@pytest.mark.usefixtures("_without_vacuum")
def test_the_last_rows_of_50_000_cost_at_most_half_more_than_the_first(postgres: Server) -> None:
    """Plans are made once, while the table is empty; a plan that scans the table would show.
    Counted in pages, which other load on the machine does not change.
    """
    url = new_ledger(postgres)
    begun = pages(worker(url).session)
    one = worker(url)  # takes over while there is nothing
    before = pages(one.session)
    first, costs = before - begun, []
    for start in range(0, ROWS, GROUP):
        rows = [row(number * 7919 % ROWS) for number in range(start, start + GROUP)]
        one.writes.apply(rows, [], Counters())
        refused, doubted, returned, *accepted = rows  # one of each, as each has its statement
        ends = [ended(refused, State.REFUSED), ended(doubted, State.UNCERTAIN), returned]
        one.writes.apply([], [*ends, *map(ended, accepted)], Counters())
        if (start + GROUP) % SHARE == 0:
            after = pages(one.session)
            costs.append(after - before)
            before = after
    assert len(costs) == ROWS // SHARE
    assert min(costs[-3:]) <= 1.5 * min(costs[1:4]), costs
    one.writes.apply([row(ROWS), row(ROWS + 1)], [], Counters())
    before = pages(one.session)
    two = worker(url)  # takes over, with two rows in flight
    assert pages(two.session) - before < first + 500
    taken = "SELECT state FROM rdimport.conversion WHERE row >= %s"
    assert one.session.query(taken, (ROWS,)) == [(UNCERTAIN,), (UNCERTAIN,)]


_RUNS_OF_OTHERS = """
WITH made AS (INSERT INTO rdimport.run (name, destination, process, started_at, facts, epoch)
    SELECT format('other %s', n), 2 + n % 1000, 1, '', repeat('x', 1000), 0
    FROM generate_series({0}, {1}) n RETURNING id)
INSERT INTO rdimport.written SELECT id, 1, clock_timestamp(), '' FROM made
"""


@pytest.mark.usefixtures("_without_vacuum")
def test_a_takeover_costs_the_same_after_60_000_runs_of_others(postgres: Server) -> None:
    """The planner knows nothing of them yet: many begin between two updates of its statistics."""
    url = new_ledger(postgres)
    one, costs = worker(url), []
    with Session(parsed(url)) as session:
        for first, last in ((1, 1), (2, 100), (101, 60_000)):
            with session.transaction() as db:
                db.execute(_RUNS_OF_OTHERS.format(first, last).encode())
            one.claim([first])
            pages(one.session)  # reads of other sessions count once they report them
            before = pages(session)
            with session.transaction() as db:
                recover(db, HERE, one.lease.epoch + 1)
            costs.append(pages(session) - before)
        assert session.query("SELECT state FROM rdimport.conversion") == [(UNCERTAIN,)] * 3
    assert costs[2] < 500, costs
