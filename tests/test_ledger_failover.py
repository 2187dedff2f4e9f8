"""A shared ledger whose database has changed: a standby took over, or a backup was restored. What
was acknowledged must be there, or nobody sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.claims import KEY, Worker, end_all, hurried, ledger_at, new_ledger, states, worker
from support.postgres import Server, serving
from support.waiting import until

from rdimport.core.errors import LedgerError, LedgerLostError
from rdimport.ledger import fleet_of
from rdimport.ledger.postgres import schema
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.durability import refuse_weak
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.store import PostgresStore
from rdimport.ledger.postgres.trouble import CutOffError


@pytest.fixture(autouse=True)
def _nobody_left() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A server and its standby, asynchronous at first."""
    with serving() as first:
        second = first.standby("second")
        until(
            lambda: first.ask("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        )
        try:
            yield first, second
        finally:
            second.kill()


def both(first: Server, second: Server, url: str) -> str:
    """The address of a ledger on one of two servers."""
    return url.replace(f"127.0.0.1:{first.port}", f"127.0.0.1:{first.port},127.0.0.1:{second.port}")


def synchronous(first: Server) -> None:
    first.reload(synchronous_standby_names="second")
    until(lambda: first.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"))


def at_work(one: Worker, claimed: list[int], ended: list[int]) -> None:
    """Send rows until the database is gone for good."""
    for start in range(0, 100_000, 4):
        mine = one.claim(range(start, start + 4))
        claimed.extend(mine)
        one.end(mine[:2])
        ended.extend(mine[:2])
        if start > 4 * 400:
            return


def test_a_run_continues_on_a_synchronous_standby_and_nothing_acknowledged_is_lost(
    pair: tuple[Server, Server],
) -> None:
    first, second = pair
    synchronous(first)
    url = both(first, second, new_ledger(first))
    one = worker(url)
    claimed: list[int] = []
    ended: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(at_work, one, claimed, ended)
        until(lambda: len(claimed) > 40)
        first.kill()
        before = len(claimed)
        second.promote()
        working.result()
    assert len(claimed) > before
    assert len(claimed) == len(set(claimed))
    known = states(url)
    assert set(claimed) == set(known)
    assert {n for n, state in known.items() if state == schema.ACCEPTED} == set(ended)
    assert worker(url).claim([1_000_000]) == [1_000_000]  # later workers need no permission


def test_a_standby_can_be_read_from_and_a_run_waits_for_its_promotion(
    pair: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    synchronous(first)
    url = new_ledger(first)
    one = worker(both(first, second, url))
    one.claim([1])
    first.kill()
    until(lambda: second.ask("SELECT pg_last_wal_replay_lsn() = pg_last_wal_receive_lsn()"))
    alone = url.replace(str(first.port), str(second.port))
    with pytest.raises(LedgerError, match="is read-only: it is a standby"):
        PostgresStore(alone, KEY.hex()).open()
    for address in (alone, both(first, second, url), both(second, first, alone)):
        assert run_seen(address).startswith("run-")
    with monkeypatch.context() as patch:
        hurried(patch, 2.0)
        with pytest.raises(CutOffError, match="read-only"):
            one.claim([2])
    second.promote()
    assert one.claim([2]) == [2]


def run_seen(url: str) -> str:
    store = PostgresStore(url, KEY.hex())
    with fleet_of(url) as fleet:
        assert fleet.workers() == []
    ledger = store.if_there()
    assert ledger is not None
    with ledger:
        return "".join(ledger.latest(1))


def test_after_a_failover_no_run_continues_unless_one_finds_its_last_record(
    pair: tuple[Server, Server],
) -> None:
    first, second = pair
    synchronous(first)
    url = both(first, second, new_ledger(first))
    worker(url).claim([1])
    end_all()
    first.kill()
    second.promote()
    with pytest.raises(LedgerLostError, match="another server has taken its place"):
        worker(url)
    with Session(parsed(url)) as session:
        schema.trust(session)
    assert worker(url).claim([2]) == [2]


def test_all_accounts_stop_once_a_run_finds_that_its_own_note_is_gone(
    pair: tuple[Server, Server],
) -> None:
    """The standby is asynchronous, and the network between them is cut."""
    first, second = pair
    synchronous(first)
    url = both(first, second, new_ledger(first))
    one = worker(url)
    one.claim([1])
    first.reload(synchronous_standby_names="")
    first.pause_standbys()
    assert one.claim([2]) == [2]
    first.kill()
    second.promote()
    with pytest.raises(LedgerLostError, match="has lost what run run-"):
        one.claim([3])
    for _ in range(2):
        with pytest.raises(LedgerLostError, match="has lost what run run-"):
            worker(url)


def test_a_ledger_is_made_only_where_a_failover_forgets_nothing(
    pair: tuple[Server, Server],
) -> None:
    first, _second = pair
    url = first.new_database()
    with pytest.raises(LedgerError, match="`synchronous_standby_names` is empty"):
        ledger_at(url)
    first.reload(synchronous_standby_names="another")
    with Session(parsed(url)) as session, pytest.raises(LedgerError, match="are asynchronous"):
        refuse_weak(session)
    synchronous(first)
    ledger_at(url)


def test_a_copy_of_the_tables_is_not_taken_for_them(postgres: Server) -> None:
    """A backup is restored from a dump, or next to the original database: server and timeline may
    be the same.
    """
    url = new_ledger(postgres)
    name = url.rpartition("/")[2].replace("%20", " ")
    worker(url).claim([1])
    end_all()
    postgres.do(f'CREATE DATABASE "{name} copy" TEMPLATE "{name}"')
    other = postgres.url(f"{name} copy")
    for _ in range(2):
        with pytest.raises(LedgerLostError, match="is a copy, restored from a backup"):
            PostgresStore(other, KEY.hex()).open()
    PostgresStore(other, KEY.hex()).accept()
    with PostgresStore(other, KEY.hex()).open(), PostgresStore(url, KEY.hex()).open():
        pass


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_ledger_is_not_made_where_nothing_waits_for_the_disk(setting: str) -> None:
    with (
        serving(**{setting: "off"}) as server,
        pytest.raises(LedgerError, match=f"{setting} = off"),
    ):
        ledger_at(server.new_database())


def test_a_ledger_is_not_used_with_another_key(postgres: Server) -> None:
    url = new_ledger(postgres)
    with Session(parsed(url)) as session:
        schema.see(session, KEY)
        with pytest.raises(LedgerError, match="is not the key of the ledger"):
            schema.see(session, bytes(32))
