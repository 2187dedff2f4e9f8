"""A row of a shared ledger is claimed once, whoever else wants it and whatever connection
breaks.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from support.cable import TO_CLIENT, TO_SERVER, Cable, cable
from support.claims import KEY, end_all, ended, hurried, new_ledger, row, states, worker
from support.postgres import Server, serving
from support.waiting import until

from rdimport.core.errors import Bug, LedgerError
from rdimport.core.row import State
from rdimport.ledger.postgres import schema, writes
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.store import PostgresStore
from rdimport.ledger.postgres.trouble import NotReplicatedError
from rdimport.ledger.postgres.watchdog import cut_short
from rdimport.ledger.records import Counters, RunRecord


@pytest.fixture
def url(postgres: Server) -> str:
    return new_ledger(postgres)


@pytest.fixture(autouse=True)
def _nobody_left() -> Iterator[None]:
    yield
    end_all()


def test_of_four_that_want_the_same_rows_again_at_once_one_gets_each(url: str) -> None:
    first = worker(url)
    rows = range(640)
    assert first.claim(rows) == list(rows)
    first.end(rows[:320], State.UNCERTAIN)
    first.end(rows[320:], None)
    workers = [worker(url, first.lease) for _ in range(4)]
    together = threading.Barrier(4)

    def work(number: int) -> list[int]:
        together.wait()
        mine: list[int] = []
        for start in range(0, 640, 64):
            version = 1 << 4 | schema.UNCERTAIN if start < 320 else 0
            mine += workers[number].claim(range(start, start + 64), version)
        return mine

    with ThreadPoolExecutor(4) as pool:
        claimed = Counter(n for mine in pool.map(work, range(4)) for n in mine)
    assert not any(one.writes.is_lost for one in workers), "this machine slept for half a minute"
    assert claimed == dict.fromkeys(rows, 1)


def test_a_row_that_changed_since_the_plan_looked_is_not_sent(url: str) -> None:
    first = worker(url)
    first.claim([1, 2, 3])
    second = worker(url)  # takes over: all three are uncertain, and to be sent again
    first.end([1])
    first.end([2], State.REFUSED)
    assert second.claim([1, 2, 3], 1 << 4 | schema.UNCERTAIN) == [3]
    counted = dict(
        second.session.query("SELECT state, rows FROM rdimport.tally WHERE run = %s", (second.run,))
    )
    assert counted == {"already_imported": 1, "refused": 1}


def test_a_claim_that_was_committed_after_the_take_over_is_in_doubt_for_the_next(url: str) -> None:
    first = worker(url)
    second = worker(url)
    with second.session.transaction() as db:  # as if its snapshot were older than the take-over
        db.execute("UPDATE rdimport.lease SET epoch = epoch - 1")
    assert first.claim([1]) == [1]
    with second.session.transaction() as db:
        db.execute("UPDATE rdimport.lease SET epoch = epoch + 1")
    assert second.claim([1, 2]) == [2]
    assert states(url) == {1: schema.UNCERTAIN, 2: schema.ON_ITS_WAY}
    first.end([1])
    assert states(url)[1] == schema.ACCEPTED


def test_a_run_that_was_taken_over_claims_nothing_and_its_late_answers_settle_doubt(
    url: str,
) -> None:
    first = worker(url)
    first.claim(range(4))
    second = worker(url)
    assert states(url) == dict.fromkeys(range(4), schema.UNCERTAIN)
    ends = [ended(row(0)), ended(row(1), State.REFUSED), row(2), ended(row(3), State.UNCERTAIN)]
    assert first.writes.apply([row(9)], ends, Counters(4)) == []
    assert first.writes.is_lost
    assert not second.writes.is_lost
    now = {0: schema.ACCEPTED, 1: schema.REFUSED, 2: schema.FREE, 3: schema.UNCERTAIN}
    assert states(url) == now
    counted = dict(
        first.session.query("SELECT state, rows FROM rdimport.tally WHERE run = %s", (first.run,))
    )
    assert counted == {"accepted": 1, "refused": 1, "uncertain": 1}
    assert second.claim([2]) == [2]


def test_another_run_of_the_same_lease_leaves_alone_what_is_in_flight(url: str) -> None:
    first = worker(url)
    first.claim([1])
    worker(url, first.lease)
    assert states(url) == {1: schema.ON_ITS_WAY}


def test_evidence_of_an_earlier_attempt_says_nothing_of_a_later_one(url: str) -> None:
    first = worker(url)
    first.claim([1, 2, 3])
    second = worker(url)
    assert second.claim([1, 2, 3], 1 << 4 | schema.UNCERTAIN) == [1, 2, 3]
    first.writes.apply([], [row(1), ended(row(2), State.REFUSED), ended(row(3))], Counters(3))
    assert set(states(url).values()) == {schema.ON_ITS_WAY}


def test_a_refusal_does_not_undo_that_a_conversion_arrived(url: str) -> None:
    one = worker(url)
    one.claim([1])
    one.end([1])
    assert one.claim([1], 1 << 4 | schema.ACCEPTED) == [1]
    one.end([1], State.REFUSED)
    found = one.session.query("SELECT state, refused IS NOT NULL, tried FROM rdimport.conversion")
    assert found == [(schema.ACCEPTED, True, one.run)]


def test_after_a_sleep_no_row_leaves_until_a_claim_shows_that_nobody_took_the_turn(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresStore(url, KEY.hex()).open() as ledger:
        run = ledger.start_run("r", "there", datetime.now(UTC), RunRecord(account="a"))
        assert run.apply([row(1)], [], Counters()) == [row(1)]
        assert run.may_send()
        monkeypatch.setattr(writes, "SECONDS", 0.0)  # as if it had slept for as long as a lease
        assert not run.may_send()
        monkeypatch.undo()
        assert run.apply([row(2)], [row(1)], Counters()) == [row(2)]
        assert run.may_send()
        other = ledger.start_run("s", "there", datetime.now(UTC), RunRecord(account="a"))
        assert run.apply([row(3)], [], Counters()) == []
        assert not run.may_send()
        assert other.apply([row(3)], [], Counters()) == [row(3)]


def test_a_row_that_was_never_begun_cannot_end(url: str) -> None:
    with pytest.raises(Bug, match="never begun"):
        worker(url).end([1])
    assert states(url) == {}


@pytest.mark.parametrize("way", [TO_CLIENT, TO_SERVER])
def test_a_lost_answer_or_a_lost_claim_leaves_each_row_sent_once(
    postgres: Server, url: str, way: str
) -> None:
    """The connection breaks after the claim was committed, or before it has reached the server."""
    with cable(postgres.port) as line:
        one = worker(url.replace(str(postgres.port), str(line.port)))
        assert one.claim([1, 2]) == [1, 2]
        _break_at(line, way)
        done = one.writes.apply([row(3), row(4)], [ended(row(1)), row(2)], Counters(2))
        assert [mine.row for mine in done] == [3, 4]
        one.end([3, 4])
        found = one.session.query("SELECT sum(accepted) FROM rdimport.minute")
    assert found == [(3,)]
    now = {1: schema.ACCEPTED, 2: schema.FREE, 3: schema.ACCEPTED, 4: schema.ACCEPTED}
    assert states(url) == now


def _break_at(line: Cable, way: str) -> None:
    """Discard the next bytes in this direction, and reset the connection."""

    def seen(goes: str, _data: bytes) -> None:
        if goes == way:
            line.watch(lambda _way, _data: None)
            line.cut(way)
            threading.Timer(0.05, restore).start()

    def restore() -> None:
        line.reset()
        line.mend()

    line.watch(seen)


def test_a_write_that_comes_late_from_a_broken_connection_claims_and_counts_nothing(
    postgres: Server, url: str
) -> None:
    with cable(postgres.port) as line, cable(postgres.port) as other:
        one = worker(url.replace(str(postgres.port), str(line.port)))
        one.claim([1])
        line.hold(TO_SERVER)
        one.session.address = parsed(url.replace(str(postgres.port), str(other.port)))
        db = one.session.connection
        with ThreadPoolExecutor(1) as pool:
            write = [row(2)], [ended(row(1))], Counters(1)
            writing = pool.submit(one.writes.apply, *write)
            until(lambda: line.waiting)
            cut_short(db)
            assert writing.result() == [row(2)]
        line.mend()
        mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        until(lambda: one.session.query(mine + " AND application_name LIKE 'rdimport%%'") == [(1,)])
        found = one.session.query(
            "SELECT sum(m.accepted), max(w.writes) FROM rdimport.minute m, rdimport.written w"
        )
        one.end([2])
    assert found == [(1, 2)]


def test_an_unresponsive_server_is_not_waited_for_without_end(
    postgres: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cable(postgres.port) as line:
        one = worker(url.replace(str(postgres.port), str(line.port)))
        hurried(monkeypatch, 0.5)
        line.hold(TO_CLIENT)
        with pytest.raises(LedgerError, match="cannot be reached"):
            one.claim([1])


def test_what_was_claimed_is_there_after_the_server_was_killed_and_the_run_continues() -> None:
    with serving() as server:
        url = new_ledger(server)
        one = worker(url)
        claimed: list[int] = []
        with ThreadPoolExecutor(1) as pool:

            def work() -> None:
                for start in range(0, 800, 20):
                    mine = one.claim(range(start, start + 20))
                    claimed.extend(mine)
                    one.end(mine[:10])

            working = pool.submit(work)
            until(lambda: len(claimed) > 100)
            server.kill()
            server.start()
            working.result()
        assert claimed == list(range(800))
        found = Counter(states(url).values())
    assert found == {schema.ACCEPTED: 400, schema.ON_ITS_WAY: 400}


def test_a_commit_that_a_standby_did_not_confirm_lets_no_row_leave() -> None:
    with serving() as server:
        url = new_ledger(server)
        one = worker(url)
        server.reload(synchronous_standby_names="nobody")
        with ThreadPoolExecutor(1) as pool:
            claiming = pool.submit(one.claim, [1])
            cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = %s"
            until(lambda: server.ask(cancel, "SyncRep"))
            with pytest.raises(NotReplicatedError, match="After a failover the change may be lost"):
                claiming.result()
        assert states(url) == {1: schema.ON_ITS_WAY}  # there, but not to be relied on
        server.reload(synchronous_standby_names="")


def test_whatever_the_server_says_commits_wait_for_the_disk() -> None:
    with serving(synchronous_commit="off", default_transaction_read_only="on") as server:
        server.do("ALTER SYSTEM SET default_transaction_read_only = off", "SELECT pg_reload_conf()")
        url = new_ledger(server)
        one = worker(url)
        assert one.session.query("SHOW synchronous_commit") == [("on",)]
