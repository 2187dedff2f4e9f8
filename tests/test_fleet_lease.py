"""The quota's lease: one holder among all machines, which passes its pace on to the next."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path

import pytest
from support.cable import cable
from support.claims import KEY
from support.clients import Machine
from support.endpoint import SetClock
from support.lists import MAPPING, people
from support.postgres import Server
from support.waiting import until

from rdimport.core.errors import LedgerBusyError
from rdimport.core.quota import Limits, Quota
from rdimport.delivery.pacing.leased import LeasedPacer
from rdimport.ledger import Store, fleet_of, store_of
from rdimport.sandbox import SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

QUOTA = Quota(120, 60.0)
_OURS = "datname = current_database() AND starts_with(application_name, 'rdimport')"
LAPSE = "UPDATE rdimport.lease SET until = '-infinity'"  # as if half a minute had passed


_CLAIMED = """
WITH d AS (INSERT INTO rdimport.destination (identity, endpoint, account)
    VALUES (%(account)s, '', %(account)s) RETURNING id),
r AS (INSERT INTO rdimport.run (name, destination, process, started_at, facts)
    SELECT %(account)s, id, 0, '', '{}' FROM d RETURNING id)
INSERT INTO rdimport.written SELECT id, 1, now() - make_interval(secs => %(ago)s) FROM r
"""


class Shared:
    """A ledger, and pacers of runs that hold the quota of one key in turn."""

    def __init__(self, server: Server) -> None:
        self.url = server.new_database()
        self._server = server
        self._database = self.url.rpartition("/")[2].replace("%20", " ")
        self.store: Store = store_of(self.url, KEY.hex())
        self.store.make()  # type: ignore[attr-defined]
        self.clock = SetClock()
        self.began = time.monotonic()
        self.stack = ExitStack()
        self.lost: list[str] = []

    def pacer(self, account: str = "acme", quota: Quota = QUOTA, key: str = "k") -> LeasedPacer:
        hold = self.store.hold_of_quota(key, account, account)
        assert hold is not None
        held = self.stack.enter_context(hold())
        pacer = LeasedPacer(quota, held, self.clock.monotonic, lambda: self.lost.append(account))
        until(lambda: self.kept() is not None)
        return pacer

    def about(self, seconds: float) -> object:
        """Approximately `seconds`: less the time that has passed in the database since."""
        half = (time.monotonic() - self.began) / 2
        return pytest.approx(seconds - half, abs=half + 0.1)

    def let_go(self) -> None:
        self.stack.close()

    def lapse(self) -> None:
        self._server.do(LAPSE, database=self._database)

    def end_sessions(self) -> int:
        return self._server.end_sessions(_OURS, self._database)

    def is_held(self) -> bool:
        held = "SELECT count(*) FROM rdimport.lease WHERE until > clock_timestamp()"
        return bool(self._server.ask(held, database=self._database))

    def claimed(self, account: str, ago: float) -> None:
        """A run of this account claimed its last row that long ago."""
        with closing(self._server.connect(self._database)) as db:
            db.execute(_CLAIMED, {"account": account, "ago": ago})

    def kept(self) -> bytes | None:
        found: bytes | None = self._server.ask(
            "SELECT substr(standing, 9) FROM rdimport.lease WHERE standing IS NOT NULL",
            database=self._database,
        )
        return found


@pytest.fixture
def shared(postgres: Server) -> Iterator[Shared]:
    one = Shared(postgres)
    with one.stack:
        yield one


def test_the_next_holder_continues_at_the_same_pace_in_the_same_window(shared: Shared) -> None:
    first, now = shared.pacer(), shared.clock.monotonic
    for second in range(1, 31):  # other clients make two thirds of the requests
        shared.clock.move(1.0)
        if first.wait(now()) > 0:
            continue
        first.acquire(now())
        first.learn(now(), Limits(120, 120 - 3 * second, 60.0 - second), 0, counted=True)
    assert first.interval > 1.5 * QUOTA.interval
    shared.let_go()
    successor = shared.pacer()
    was = {name: shared.about(value) for name, value in asdict(first.state).items()}
    assert asdict(successor.state) == was
    assert successor.interval == first.interval


def test_a_pause_counts_for_the_next_holder_however_the_first_one_ended(shared: Shared) -> None:
    first, now = shared.pacer(), shared.clock.monotonic
    before = shared.kept()
    first.on_quota_exceeded(now(), 40.0, blind=False)
    until(lambda: shared.kept() != before)
    shared.lapse()  # it is frozen, and releases nothing
    second = shared.pacer()
    assert second.held(now()) == shared.about(40)
    assert second.wait(now()) == shared.about(40)


@pytest.mark.parametrize(("used", "next_"), [(0, 5), (-20, 10)])
def test_a_slot_of_which_nothing_is_known_counts_as_used(
    shared: Shared, used: float, next_: float
) -> None:
    slow, now = Quota(6, 60.0), shared.clock.monotonic()
    shared.pacer(quota=slow).acquire(now + used)
    shared.let_go()
    assert shared.pacer(quota=slow).wait(now) == shared.about(next_)


@pytest.mark.parametrize(
    ("of", "ago", "next_"),
    [
        pytest.param("acme", 2.0, 8, id="used"),
        pytest.param("acme", 20.0, 0, id="not used"),
        pytest.param("lua", 20.0, 10, id="of another account"),
    ],
)
def test_a_slot_that_the_previous_holder_did_not_use_is_used(
    shared: Shared, of: str, ago: float, next_: float
) -> None:
    slow, now = Quota(6, 60.0), shared.clock.monotonic()
    shared.pacer(quota=slow).acquire(now - 20)
    shared.let_go()
    shared.claimed("acme", ago)
    shared.claimed("lua", ago)
    assert shared.pacer(of, quota=slow).wait(now) == shared.about(next_)


def test_two_accounts_with_one_key_never_send_at_the_same_time(shared: Shared) -> None:
    shared.pacer("acme")
    with pytest.raises(LedgerBusyError, match=r"quota of account “lua”.*is in use"):
        shared.pacer("lua")
    shared.pacer("lua", key="another")
    shared.let_go()
    shared.pacer("lua")


def test_a_holder_hears_that_the_quota_is_another_ones(shared: Shared) -> None:
    first = shared.pacer("acme")
    shared.lapse()
    shared.pacer("lua")
    first.hold(shared.clock.monotonic(), 5.0)  # writes it down, and notices
    until(lambda: shared.lost == ["acme"])


def test_each_of_many_holders_in_one_process_hears_that_the_quota_is_another_ones(
    shared: Shared,
) -> None:
    pacers: list[LeasedPacer] = []

    def taken_over(account: str) -> bool:
        shared.lapse()
        try:
            pacers.append(shared.pacer(account))
        except LedgerBusyError:  # renewed in between
            return False
        return True

    accounts = ["acme", "lua", "mar", "sol"]
    for account in accounts:
        until(lambda next_one=account: taken_over(next_one))
    for pacer in pacers:
        pacer.hold(shared.clock.monotonic(), 5.0)
    until(lambda: sorted(shared.lost) == accounts[:-1])


def test_one_account_that_is_locked_keeps_no_other_lease_from_being_renewed(
    shared: Shared, postgres: Server
) -> None:
    pacers = [shared.pacer(key=str(number)) for number in range(3)]
    until(lambda: shared.kept() is not None)
    shared.lapse()
    database = shared.url.rpartition("/")[2].replace("%20", " ")
    lasting = "SELECT count(*) FROM rdimport.lease WHERE until > clock_timestamp()"
    with closing(postgres.connect(database)) as frozen:
        frozen.execute("BEGIN")
        frozen.execute("SELECT 1 FROM rdimport.lease ORDER BY quota LIMIT 1 FOR UPDATE")
        for pacer in pacers:
            pacer.hold(shared.clock.monotonic(), 5.0)
        until(lambda: postgres.ask(lasting, database=database) == 2)
        assert not shared.lost
        frozen.execute("ROLLBACK")
    pacers[0].hold(shared.clock.monotonic(), 6.0)
    for pacer in pacers:
        pacer.hold(shared.clock.monotonic(), 7.0)
    until(lambda: postgres.ask(lasting, database=database) == 3)


@pytest.fixture
def narrow() -> Iterator[RunningSandbox]:
    """A sandbox with its own quota: less than that of two runs, and more than that of one, one of
    whose requests may have been delayed. For two to arrive with those of the next second, a busy
    machine would have to stop for a whole second.
    """
    options = SandboxOptions(plan="3/s", headers="none", lead_limit=0, custom_fields="any")
    with running(options) as box:
        yield box


@pytest.mark.waits
def test_after_a_takeover_no_request_is_one_too_many(
    narrow: RunningSandbox, postgres: Server, tmp_path: Path
) -> None:
    homes = [tmp_path / name for name in ("one", "two")]
    machines = []
    url = postgres.new_database()
    for home in homes:
        home.mkdir()
        machine = Machine(home, narrow.api_key, narrow.base_url)
        machine.ledger = url
        machine.write("m.yaml", MAPPING)
        machine.write("list.csv", people(18))
        machines.append(machine)
    one, two = machines
    assert one.here("fleet", "init").code == 0
    words = ("run", "list.csv", "-m", "m.yaml", "--json", "--quota", "2/s")
    first = one.start(*words)
    until(lambda: narrow.counts()["accepted"] > 6)
    first.kill()
    one.wait(first)
    second = two.here(*words)
    arrived = Counter(conversion["email"] for conversion in narrow.conversions())
    assert set(arrived.values()) == {1}
    assert second.summary["throttled"] == 0
    assert narrow.counts()["throttled"] == 0
    assert len(arrived) + second.summary["uncertain"] >= 18


def test_ledgers_at_rest_in_a_worker_share_a_connection_which_may_break(postgres: Server) -> None:
    shared = Shared(postgres)
    database = shared.url.rpartition("/")[2].replace("%20", " ")
    with ExitStack() as stack:
        stack.enter_context(fleet_of(shared.url))
        ledgers = []
        for _ in range(5):
            ledgers.append(stack.enter_context(shared.store.open()))
            ledgers[-1].rest()
        assert len(postgres.sessions(_OURS, database)) == 1
        assert postgres.end_sessions(_OURS, database) == 1
        assert not shared.store.is_held("acme")
        assert [ledger.latest(1) for ledger in ledgers] == [[]] * 5
    until(lambda: not postgres.sessions(_OURS, database))


def test_a_lease_is_released_although_its_connection_broke(shared: Shared) -> None:
    shared.pacer()
    assert shared.end_sessions()
    shared.let_go()
    assert not shared.is_held()


def test_a_process_takes_back_what_it_could_not_release_and_nothing_else(postgres: Server) -> None:
    shared = Shared(postgres)
    with cable(postgres.port) as line:
        far = store_of(shared.url.replace(f":{postgres.port}/", f":{line.port}/"), KEY.hex())
        with far.hold("acme"):
            line.unplug()
        with shared.store.hold("other"):
            line.mend()
            for busy, account in ((shared.store, "acme"), (far, "other")):
                with pytest.raises(LedgerBusyError), busy.hold(account):
                    pass
            assert not far.is_held("acme")
            with far.hold("acme"):
                assert far.is_held("acme")
                with pytest.raises(LedgerBusyError), far.hold("acme"):
                    pass
        with shared.store.hold("acme"):
            pass
