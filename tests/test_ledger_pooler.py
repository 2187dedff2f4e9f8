"""A shared ledger behind PgBouncer in transaction mode: settings and claims still hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import test_ledger_claims as claims
from support.claims import KEY, end_all, hurried, ledger_at, worker
from support.command import Workspace
from support.pooler import PGBOUNCER, pooled
from support.postgres import Server, serving

from rdimport.core.errors import LedgerError
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.session import Session

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(synchronous_commit="off") as one:
        yield one


@pytest.fixture(scope="module")
def port(server: Server) -> Iterator[int]:
    with pooled(server) as found:
        yield found


@pytest.fixture
def url(server: Server, port: int) -> Iterator[str]:
    yield ledger_at(server.new_database().replace(f":{server.port}/", f":{port}/"))
    end_all()


def test_each_transaction_waits_for_the_disk_whatever_the_server_says(url: str) -> None:
    one = worker(url)
    assert one.claim([1, 2]) == [1, 2]
    assert one.session.pooled
    with one.session.transaction() as db:
        assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
    assert one.session.query("SHOW synchronous_commit") == [("off",)]  # between transactions
    one.end([1, 2])


def test_what_takes_long_is_waited_for_and_silence_is_not(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the number of a server process, the name of this one tells which is at work."""
    with Session(parsed(url)) as session:
        assert session.query("SELECT 1") == [(1,)]
        hurried(monkeypatch, 0.5)
        assert session.ask("SELECT pg_sleep(2)") == [("",)]
        with pytest.raises(LedgerError, match="did not respond in time"):
            session.query("SELECT pg_sleep(120)")


def test_the_queue_says_that_a_pooler_is_not_enough_for_it(
    server: Server, port: int, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path, environment={"RDIMPORT_LEDGER_KEY": KEY.hex()})
    url = server.new_database().replace(f":{server.port}/", f":{port}/")
    done = workspace.here("fleet", "init", "--ledger", url)
    assert done.code == 2
    assert "needs the database server itself" in done.err
    assert "is only enough for `run`" in done.err


@pytest.mark.parametrize(
    "proved",
    [
        claims.test_of_four_that_want_the_same_rows_again_at_once_one_gets_each,
        claims.test_a_row_that_changed_since_the_plan_looked_is_not_sent,
        claims.test_a_claim_that_was_committed_after_the_take_over_is_in_doubt_for_the_next,
        claims.test_a_run_that_was_taken_over_claims_nothing_and_its_late_answers_settle_doubt,
        claims.test_evidence_of_an_earlier_attempt_says_nothing_of_a_later_one,
        claims.test_a_refusal_does_not_undo_that_a_conversion_arrived,
    ],
    ids=lambda proved: proved.__name__,
)
def test_claims_hold(url: str, proved: object) -> None:
    proved(url)  # type: ignore[operator]
