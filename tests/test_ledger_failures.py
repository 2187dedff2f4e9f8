"""How a shared ledger fails, and what an operator sees: a test for each line of the table in
docs/ledger.md.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.cable import TO_CLIENT, TO_SERVER, cable
from support.claims import KEY, end_all, hurried, new_ledger, states, worker
from support.command import Workspace
from support.elsewhen import Elsewhen
from support.lists import MAPPING, people
from support.postgres import Server, serving
from support.tables import each_line_has_its_test
from support.waiting import until

from rdimport import api
from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.core.events import Event, SendingStarted
from rdimport.destination.rdstation import RDStation
from rdimport.ledger import store_of
from rdimport.sandbox.embedded import RunningSandbox

TESTS = {
    "a run is killed": "shared: a_run_that_was_killed_is_gone_on_with_at_once_on_the_same_machine",
    "a machine sleeps": "shared: a_run_that_is_frozen_and_taken_over_sends_nobody_twice",
    "somebody asks for `--resend": "shared: a_run_that_is_frozen_and_taken_over_sends_nobody_twice",
    "the connection to the database breaks": (
        "claims: a_lost_answer_or_a_lost_claim_leaves_each_row_sent_once"
    ),
    "the same, for longer": "failures: an_unresponsive_database_ends_the_run",
    "a commit's response is lost": "claims: a_lost_answer_or_a_lost_claim_leaves_each_row_sent",
    "the database does not respond": "failures: an_unresponsive_database_ends_the_run",
    "a commit is cancelled": "claims: a_commit_that_a_standby_did_not_confirm_lets_no_row_leave",
    "the database's server is killed": (
        "claims: what_was_claimed_is_there_after_the_server_was_killed_and_the_run_continues"
    ),
    "failover to a synchronous standby": (
        "failover: a_run_continues_on_a_synchronous_standby_and_nothing_acknowledged_is_lost"
    ),
    "the same, with no run in progress": (
        "failover: after_a_failover_no_run_continues_unless_one_finds_its_last_record"
    ),
    "the database is restored": "failover: a_copy_of_the_tables_is_not_taken_for_them",
    "failover to an asynchronous standby": (
        "failover: all_accounts_stop_once_a_run_finds_that_its_own_note_is_gone"
    ),
    "the server's disk is set back": "set_back: what_was_sent_since_a_snapshot_is_not_sent_again",
    "the database or its tables": "set_back: a_database_that_is_made_anew_is_no_new_ledger_until",
    "the old server is still there": "failures: the_old_server_acknowledges_nothing_beside_the_new",
    "`synchronous_commit = off`": "claims: whatever_the_server_says_commits_wait_for_the_disk",
    "the database's user": "failures: a_user_without_the_right_is_told_so_and_sends_nothing",
    "the database has no connection": "failures: without_a_connection_left_nothing_is_sent",
    "the disk of the database": "failures: while_the_disk_of_the_database_is_full_nothing_is_sent",
    "the database is read-only": (
        "settings: where_nothing_may_be_written_what_only_reads_works_and_the_rest_says_so"
    ),
    "`fsync = off`": "failover: a_ledger_is_not_made_where_nothing_waits_for_the_disk",
    "two schedulers": "shared: two_machines_with_the_same_list_at_the_same_time_send_each_row_once",
    "clocks that differ": "failures: a_machine_whose_clock_is_days_ahead_or_behind_takes_turns",
    "a machine with another key": "failover: a_ledger_is_not_used_with_another_key",
}
"""The file and name of the test, by the start of a line."""


def test_each_line_of_the_table_has_its_test() -> None:
    each_line_has_its_test("ledger.md", "what fails", TESTS)


@pytest.fixture(autouse=True)
def _nobody_left() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox, postgres: Server) -> Workspace:
    url = postgres.new_database()
    variables = {"RDIMPORT_LEDGER": url, "RDIMPORT_LEDGER_KEY": KEY.hex()}
    workspace = Workspace(tmp_path, box.api_key, box.base_url, environment=variables)
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", people(40))
    assert workspace.here("fleet", "init").code == 0
    return workspace


_DISK_FULL = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_space BEFORE INSERT ON rdimport.run FOR EACH ROW EXECUTE FUNCTION no_space()
"""
RUN = ("run", "list.csv", "-m", "m.yaml", "--json", "--concurrency", "4", "--quota", "none")


@pytest.mark.waits
def test_an_unresponsive_database_ends_the_run_and_nobody_is_sent_twice(
    workspace: Workspace,
    box: RunningSandbox,
    postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = workspace.environment["RDIMPORT_LEDGER"]
    name = url.rpartition("/")[2].replace("%20", " ")

    def cut_once_rows_arrive() -> None:
        until(lambda: box.counts()["accepted"] > 3)
        hurried(monkeypatch, 1.0)
        begun = writes()  # one of them may be in flight, and waited for with the usual timeout
        until(lambda: writes() > begun + 1)
        line.cut(TO_SERVER, TO_CLIENT)

    def writes() -> int:
        return int(postgres.ask("SELECT sum(writes) FROM rdimport.written", database=name))

    with cable(postgres.port) as line:
        workspace.environment["RDIMPORT_LEDGER"] = url.replace(str(postgres.port), str(line.port))
        cutting = threading.Thread(target=cut_once_rows_arrive)
        cutting.start()
        done = workspace.here(*RUN, "--quota", "20/s")
        cutting.join()
        line.mend()
        line.reset()
    assert done.code == 3
    assert "cannot be reached" in done.err
    monkeypatch.undo()
    postgres.do("UPDATE rdimport.lease SET until = '-infinity'", database=name)
    workspace.environment["RDIMPORT_LEDGER"] = url
    rest = workspace.here(*RUN).summary
    assert rest["accepted"] + rest["already_imported"] + rest["uncertain"] == 40
    assert set(Counter(one["email"] for one in box.conversions()).values()) == {1}


@pytest.fixture
def guest(workspace: Workspace, postgres: Server) -> Iterator[str]:
    """Another database user, as whom the workspace connects."""
    name = "guest"
    postgres.do(f"CREATE ROLE {name} LOGIN")
    url = workspace.environment["RDIMPORT_LEDGER"]
    workspace.environment["RDIMPORT_LEDGER"] = url.replace("postgres@", f"{name}@")
    yield name
    postgres.do(f"DROP ROLE {name}")


@pytest.mark.usefixtures("guest")
def test_a_user_without_the_right_is_told_so_and_sends_nothing(
    workspace: Workspace, box: RunningSandbox
) -> None:
    done = workspace.here(*RUN)
    said = " ".join(done.err.split())
    assert (done.code, "was denied: permission denied" in said, box.requests) == (2, True, 0)
    assert "this permission, and for that to use the schemas" in said


def test_without_a_connection_left_nothing_is_sent(
    workspace: Workspace, box: RunningSandbox, postgres: Server, guest: str
) -> None:
    postgres.do(f"ALTER ROLE {guest} CONNECTION LIMIT 0")
    done = workspace.here(*RUN)
    assert (done.code, "cannot be reached" in done.err, box.requests) == (3, True, 0)
    assert "too many connections" in done.err


def test_while_the_disk_of_the_database_is_full_nothing_is_sent(
    workspace: Workspace, box: RunningSandbox, postgres: Server
) -> None:
    name = workspace.environment["RDIMPORT_LEDGER"].rpartition("/")[2].replace("%20", " ")
    postgres.do(_DISK_FULL, database=name)
    done = workspace.here(*RUN)
    assert (done.code, "cannot be used: could not extend file" in done.err) == (3, True)
    assert box.requests == 0
    postgres.do("DROP FUNCTION no_space CASCADE", database=name)
    done = workspace.here(*RUN)
    assert (done.code, done.summary["accepted"], box.requests) == (0, 40, 40)


def test_the_old_server_acknowledges_nothing_beside_the_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving() as first:
        second = first.standby("second")
        try:
            first.reload(synchronous_standby_names="second")
            synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            until(lambda: first.ask(synchronous))
            url = new_ledger(first)
            one = worker(url)
            assert one.claim([1]) == [1]
            second.promote()
            hurried(monkeypatch, 1.0)
            with pytest.raises(LedgerError, match="cannot be reached"):
                one.claim([2])
            new = url.replace(str(first.port), str(second.port))
            assert set(states(new)) == {1}
        finally:
            second.kill()


@pytest.mark.parametrize("days", [2, -2])
def test_a_machine_whose_clock_is_days_ahead_or_behind_takes_turns(
    workspace: Workspace, box: RunningSandbox, postgres: Server, days: int
) -> None:
    url = workspace.environment["RDIMPORT_LEDGER"]
    store = store_of(url, KEY.hex())
    lasts = "SELECT max(extract(epoch FROM until - clock_timestamp())) FROM rdimport.lease"
    seen: list[float] = []

    def on_event(event: Event) -> None:
        if isinstance(event, SendingStarted):
            seen.append(
                float(postgres.ask(lasts, database=url.rpartition("/")[2].replace("%20", " ")))
            )
            with pytest.raises(LedgerBusyError), store.hold("default"):
                pass

    done = api.run(
        [workspace.home / "list.csv"],
        workspace.home / "m.yaml",
        to=RDStation(box.api_key, base_url=box.base_url),
        ledger=url,
        ledger_key=KEY.hex(),
        state_dir=workspace.state,
        report_dir=workspace.reports,
        quota=None,
        share_quota=False,
        clock=Elsewhen(timedelta(days=days)),
        on_event=on_event,
    )
    assert done.summary.as_json()["accepted"] == 40
    assert all(0 < seconds <= 30 for seconds in seen)
    assert len(seen) == 1
    assert workspace.here(*RUN).summary["already_imported"] == 40
