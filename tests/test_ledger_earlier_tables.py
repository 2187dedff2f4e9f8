"""A shared ledger's tables from an earlier release: what was in flight is found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.claims import KEY, Worker, end_all, new_ledger, row, states, worker
from support.postgres import Server

from rdimport.core.row import State
from rdimport.ledger.postgres import schema
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.schema import ACCEPTED, ON_ITS_WAY, UNCERTAIN
from rdimport.ledger.postgres.session import Session

VERSION_6 = """
DROP VIEW rdimport.ends;
DROP VIEW rdimport.in_flight;
DROP INDEX rdimport.in_doubt;
ALTER TABLE rdimport.written DROP COLUMN flying;
CREATE INDEX in_doubt ON rdimport.conversion (destination, run) WHERE state IN (0, 2);
CREATE VIEW rdimport.ends AS SELECT run, file, row, state, cells, problems, warnings
    FROM rdimport.outcome UNION ALL SELECT run, file, row, 'uncertain', '[]',
    '[["uncertain.interrupted", "", "", "", ""]]', '[]' FROM rdimport.conversion WHERE state = 0;
UPDATE rdimport.setting SET value = '6' WHERE name = 'version'
"""


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    yield new_ledger(postgres)
    end_all()


def is_over(one: Worker) -> None:
    one.session.change("UPDATE rdimport.run SET finished_at = 'x' WHERE id = %s", (one.run,))


def brought_back(one: Worker) -> None:
    """The tables as the earlier release created them, with their content."""
    for statement in VERSION_6.split(";"):
        one.session.connection.execute(statement.encode())


def brought_up(url: str) -> None:
    with Session(parsed(url)) as session:
        assert not schema.make(session, KEY)


@pytest.mark.parametrize("over", [False, True])
def test_what_a_run_of_the_earlier_release_left_in_flight_is_in_doubt(
    url: str, *, over: bool
) -> None:
    one = worker(url)
    assert one.claim(range(1, 6)) == [1, 2, 3, 4, 5]
    one.end([1, 2])
    one.end([3], State.UNCERTAIN)
    if over:
        is_over(one)
    brought_back(one)
    brought_up(url)
    assert states(url) == {1: ACCEPTED, 2: ACCEPTED, 3: UNCERTAIN, 4: ON_ITS_WAY, 5: ON_ITS_WAY}
    two = worker(url)
    assert states(url) == {1: ACCEPTED, 2: ACCEPTED, 3: UNCERTAIN, 4: UNCERTAIN, 5: UNCERTAIN}
    assert two.claim(range(1, 7)) == [6]
    counted = dict(
        two.session.query(
            "SELECT row, count(*) FROM rdimport.ends WHERE run = %s GROUP BY row", (one.run,)
        )
    )
    assert counted == {3: 1, 4: 1, 5: 1}


def test_a_run_of_the_earlier_release_that_goes_on_meanwhile_leaves_nothing_unseen(
    url: str,
) -> None:
    one = worker(url)
    one.claim([1])
    brought_back(one)
    brought_up(url)
    one.session.change(
        "INSERT INTO rdimport.conversion (identity, destination, state, attempt, epoch, payload,"
        " run, file, row) SELECT %s, destination, 0, 1, epoch, payload, run, 0, 2"
        " FROM rdimport.conversion",
        (row(2).identity,),
    )
    worker(url)
    assert states(url) == {1: UNCERTAIN, 2: UNCERTAIN}
