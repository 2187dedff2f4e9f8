"""The ledger when the disk is full, read-only, damaged or from the future: nothing is sent then."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from support.ledgers import sqlite_ledger
from support.lists import MAPPING, people
from support.posix import only_posix, small_files
from support.waiting import TIMEOUT, until
from test_cost_of_a_request import serving

from rdimport.api import check
from rdimport.api import run as run_of_api
from rdimport.core.errors import Bug, LedgerBusyError, LedgerError, UsageError
from rdimport.core.events import Event, RowFinished
from rdimport.core.row import Problem, State
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.ledger import (
    Counters,
    Outcome,
    RowResult,
    Run,
    RunRecord,
    SendAttempt,
    store_of,
)
from rdimport.ledger.group_commit import Journal
from rdimport.ledger.sqlite.ledger import SqliteLedger
from rdimport.mapping import Mapping
from rdimport.plan.spool import Spool
from rdimport.sandbox.embedded import RunningSandbox


def begun(ledger: SqliteLedger, name: str = "r", destination: str = "there") -> Run:
    run = ledger.start_run(name, destination, datetime.now(UTC), RunRecord(account="a"))
    run.record_rows(1_000, 0, ())
    return run


def row(number: int) -> SendAttempt:
    return SendAttempt(number.to_bytes(16, "big"), 0, number, f'{{"n":{number}}}')


def accepted(outgoing: SendAttempt) -> RowResult:
    return RowResult(outgoing, Outcome(0, outgoing.row, State.ACCEPTED), "uuid")


def never() -> None:
    raise AssertionError("a write has failed")


def on_its_way(state_dir: Path) -> set[int]:
    """What another process would find in flight."""
    with sqlite3.connect(state_dir / "ledger.sqlite3") as other:
        found = {number for (number,) in other.execute("SELECT row FROM sending")}
    other.close()
    return found


def test_no_identity_and_no_payload_is_in_the_file_in_clear(tmp_path: Path) -> None:
    with sqlite_ledger(tmp_path) as ledger:
        identity = ledger.digests(["ana@exemplo.com.br"])[0]
        run = begun(ledger)
        outgoing = SendAttempt(identity, 0, 2, '{"email":"ana@exemplo.com.br"}')
        run.apply([outgoing], [], Counters())
        run.apply([], [accepted(outgoing)], Counters())
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ana@exemplo" not in content


def test_two_ledgers_know_the_same_person_by_different_hashes(tmp_path: Path) -> None:
    with sqlite_ledger(tmp_path / "a") as one, sqlite_ledger(tmp_path / "b") as other:
        assert one.digests(["ana@exemplo.com.br"]) != other.digests(["ana@exemplo.com.br"])
    with sqlite_ledger(tmp_path / "a") as again:
        assert len(set(again.digests(["x", "x"]))) == 1


def test_a_row_that_was_never_begun_cannot_end_and_nothing_of_that_write_stays(
    tmp_path: Path,
) -> None:
    with sqlite_ledger(tmp_path) as ledger:
        run = begun(ledger)
        with pytest.raises(Bug, match="never begun"):
            run.apply([row(1)], [accepted(row(2))], Counters())
        assert on_its_way(tmp_path) == set()
        assert run.counts()[State.PENDING] == 1_000


def test_what_one_destination_has_on_its_way_is_no_doubt_for_another(tmp_path: Path) -> None:
    with sqlite_ledger(tmp_path) as ledger:
        here = begun(ledger, "one", "here")
        here.apply([row(1)], [], Counters())
        begun(ledger, "two", "there")
        assert on_its_way(tmp_path) == {1}
        begun(ledger, "three", "here")
        assert on_its_way(tmp_path) == set()
        assert here.counts()[State.UNCERTAIN] == 1


def test_the_daybook_is_posted_before_it_grows_long_and_each_row_counts_once(
    tmp_path: Path,
) -> None:
    rows, batch = 20_500, 500
    with sqlite_ledger(tmp_path) as ledger:
        run = ledger.start_run("r", "there", datetime.now(UTC), RunRecord(account="a"))
        run.record_rows(rows, 0, ())
        for first in range(0, rows, batch):
            some = [row(number) for number in range(first, first + batch)]
            run.apply(some, [], Counters())
            run.apply([], [accepted(one) for one in some], Counters())
        ((left,),) = ledger.query("SELECT count(*) FROM daybook")
        assert left == 500
        assert run.counts()[State.ACCEPTED] == rows
    with sqlite_ledger(
        tmp_path
    ) as ledger:  # the process was killed; another one reads, then starts
        identities = pl.Series([row(0).identity, row(rows - 1).identity], dtype=pl.Binary)
        assert ledger.known(run.destination, identities)["state"].to_list() == ["accepted"] * 2
        begun(ledger, "next")
        assert ledger.known(run.destination, identities)["state"].to_list() == ["accepted"] * 2
        assert ledger.query("SELECT count(*) FROM daybook") == [(0,)]
        assert ledger.run("r").counts()[State.ACCEPTED] == rows


def test_a_conversion_that_is_sent_once_more_stands_in_the_ledger_once(tmp_path: Path) -> None:
    with sqlite_ledger(tmp_path) as ledger:
        for name in ("one", "two"):
            run = begun(ledger, name)
            run.apply([row(1)], [], Counters())
            run.apply([], [accepted(row(1))], Counters())
            found = ledger.query("SELECT run, state FROM conversion")
            assert found == [(run.number, "accepted")]


@pytest.mark.parametrize("open_at_once", [1, 5])
def test_no_more_rows_are_ever_noted_as_on_their_way_than_may_be_open(
    open_at_once: int, tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text(people(200), encoding="utf-8")
    noted = []

    def look(event: Event) -> None:
        if isinstance(event, RowFinished):
            noted.append(len(on_its_way(tmp_path)))

    with serving() as base_url:
        done = run_of_api(
            [str(tmp_path / "list.csv")],
            Mapping.parse(MAPPING),
            to=RDStation("k", base_url=base_url),
            quota=None,
            concurrency=open_at_once,
            state_dir=tmp_path,
            report_dir=tmp_path / "reports",
            on_event=look,
        )
    assert done.counts["accepted"] == 200
    assert 1 <= max(noted) <= open_at_once


def test_a_run_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with sqlite_ledger(tmp_path) as ledger, pytest.raises(UsageError, match="no run nowhere"):
        ledger.run("nowhere")


@pytest.mark.parametrize(
    ("version", "message"), [(99, "later release"), (1, "before the first release")]
)
def test_a_ledger_of_another_release_is_left_alone(
    tmp_path: Path, version: int, message: str
) -> None:
    with sqlite_ledger(tmp_path) as ledger:
        begun(ledger)
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    before = (tmp_path / "ledger.sqlite3").read_bytes()
    for look in (sqlite_ledger, lambda place: store_of(place).if_there()):
        with pytest.raises(LedgerError, match=message) as caught:
            look(tmp_path)
        assert "--state-dir" in caught.value.remedy
        assert "disk space" not in caught.value.remedy
    assert (tmp_path / "ledger.sqlite3").read_bytes() == before


def test_to_open_a_ledger_writes_nothing_and_waits_for_nobody(tmp_path: Path) -> None:
    with sqlite_ledger(tmp_path) as ledger, ledger.transaction():
        before = content(tmp_path)
        with sqlite_ledger(tmp_path) as another:
            assert another.unfinished() == []
        assert content(tmp_path) == before


def test_a_full_disk_is_named_and_leaves_what_was_written_whole(tmp_path: Path) -> None:
    with sqlite_ledger(tmp_path) as ledger:
        run = begun(ledger)
        run.apply([row(1)], [], Counters())
        ((pages,),) = ledger.query("PRAGMA page_count")
        ledger.query(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(LedgerError, match="full"):
            run.apply([row(n) for n in range(2, 900)], [], Counters())
        assert on_its_way(tmp_path) == {1}
        run.apply([], [accepted(row(1))], Counters())  # a small note still fits
        assert run.counts()[State.ACCEPTED] == 1


def test_the_lock_is_of_one_account_and_free_again_when_its_holder_is_done(tmp_path: Path) -> None:
    with store_of(tmp_path).hold("a"):
        with pytest.raises(LedgerBusyError) as caught, store_of(tmp_path).hold("a"):
            pass
        assert caught.value.exit_code == 75
        with store_of(tmp_path).hold("b"):
            pass
    with store_of(tmp_path).hold("a"):
        pass


@pytest.mark.parametrize("spoilt", [False, True])
def test_a_run_that_meets_a_purge_is_told_to_come_later_though_the_ledger_cannot_be_written(
    tmp_path: Path, *, spoilt: bool
) -> None:
    with sqlite_ledger(tmp_path):
        pass
    with store_of(tmp_path).hold("a"):
        pass
    with (
        store_of(tmp_path).nobody_at_work() as free,
        closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as purge,
    ):
        assert free
        purge.execute("BEGIN EXCLUSIVE")
        before = content(tmp_path)
        if spoilt:
            (tmp_path / "ledger.sqlite3").write_bytes(b"no database")
            before = content(tmp_path)
        start = time.monotonic()
        with pytest.raises(LedgerBusyError, match="or by a purge"), store_of(tmp_path).hold("a"):
            pass
        assert time.monotonic() - start < 25, "it waited the 30 s that a write may wait"
        assert content(tmp_path) == before


def test_a_run_of_an_account_that_a_purge_has_never_seen_is_told_to_come_later_too(
    tmp_path: Path,
) -> None:
    with sqlite_ledger(tmp_path) as purge, sqlite_ledger(tmp_path) as ledger:
        ledger.query("PRAGMA busy_timeout = 1")
        with purge.transaction(), pytest.raises(LedgerBusyError, match="another process"):
            begun(ledger)
        assert begun(ledger).number == 1
        ledger.query("PRAGMA query_only = ON")
        with pytest.raises(LedgerError, match="readonly") as caught:
            begun(ledger, "next")
        assert caught.value.exit_code == 2


def test_the_journal_lets_a_row_leave_only_when_another_process_could_read_of_it(
    tmp_path: Path,
) -> None:
    async def scenario(run: Run) -> None:
        journal = Journal(run, Counters, never)
        journal.start()
        await journal.begin([row(1), row(2)])
        assert on_its_way(tmp_path) == {1, 2}
        journal.end(accepted(row(1)))
        journal.end(row(2))
        await journal.close()
        assert on_its_way(tmp_path) == set()

    with sqlite_ledger(tmp_path) as ledger:
        run = begun(ledger)
        asyncio.run(scenario(run))
        assert (run.counts()[State.ACCEPTED], run.counts()[State.PENDING]) == (1, 999)


def test_notes_that_come_together_are_written_together(tmp_path: Path) -> None:
    async def scenario(run: Run) -> int:
        writes = 0

        def counters() -> Counters:
            nonlocal writes
            writes += 1
            return Counters()

        journal = Journal(run, counters, never)
        journal.start()
        await asyncio.gather(*(journal.begin([row(n)]) for n in range(500)))
        for n in range(500):
            journal.end(accepted(row(n)))
        await journal.close()
        return writes

    with sqlite_ledger(tmp_path) as ledger:
        run = begun(ledger)
        assert asyncio.run(scenario(run)) <= 4
        assert run.counts()[State.ACCEPTED] == 500


def test_results_of_rows_that_come_one_by_one_are_written_at_once_and_none_is_lost(
    tmp_path: Path,
) -> None:
    async def scenario(run: Run) -> None:
        journal = Journal(run, Counters, never)
        journal.start()
        for n in range(0, 100, 2):
            await journal.begin([row(n), row(n + 1)])
            journal.end(accepted(row(n)), alone=True)
            journal.end(accepted(row(n + 1)), alone=n % 3 == 0)  # while the first is being written
            if n % 5 == 0:  # the write has ended, and nobody was notified
                await asyncio.to_thread(until, lambda: not on_its_way(tmp_path))
        await journal.close()

    with sqlite_ledger(tmp_path) as ledger:
        run = begun(ledger)
        asyncio.run(asyncio.wait_for(scenario(run), TIMEOUT))
        assert run.counts()[State.ACCEPTED] == 100
        assert on_its_way(tmp_path) == set()


def test_the_last_result_that_comes_alone_is_written_before_the_journal_closes(
    tmp_path: Path,
) -> None:
    async def scenario(run: Run) -> None:
        journal = Journal(run, Counters, never)
        journal.start()
        await journal.begin([row(1)])
        journal.end(accepted(row(1)), alone=True)
        await journal.close()

    with sqlite_ledger(tmp_path) as ledger:
        asyncio.run(scenario(begun(ledger)))
        assert on_its_way(tmp_path) == set()


def test_a_cancellation_while_a_row_is_noted_is_raised_once_it_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(run: Run) -> None:
        begins, goes_on, apply = threading.Event(), threading.Event(), run.apply

        def held(*write: Any) -> Sequence[SendAttempt]:
            begins.set()
            goes_on.wait(TIMEOUT)
            return apply(*write)

        monkeypatch.setattr(run, "apply", held)
        journal = Journal(run, Counters, never)
        journal.start()
        noted = journal.begin([row(1)])
        waiting = asyncio.ensure_future(asyncio.wait_for(noted, None))
        await asyncio.sleep(0)  # it waits now: the next line may return at once
        await asyncio.to_thread(begins.wait, TIMEOUT)
        waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert noted.result() == [row(1)]
        assert on_its_way(tmp_path) == {1}
        journal.end(row(1))
        await journal.close()

    with sqlite_ledger(tmp_path) as ledger:
        asyncio.run(scenario(begun(ledger)))
        assert on_its_way(tmp_path) == set()


def test_after_a_write_has_failed_the_journal_lets_no_row_leave(tmp_path: Path) -> None:
    async def scenario(ledger: SqliteLedger, run: Run) -> None:
        failures: list[bool] = []
        journal = Journal(run, Counters, lambda: failures.append(True))
        journal.start()
        await journal.begin([row(1)])
        ledger.query("PRAGMA query_only = ON")
        with pytest.raises(LedgerError):
            await journal.begin([row(2)])
        ledger.query("PRAGMA query_only = OFF")
        assert failures == [True]
        with pytest.raises(LedgerError):
            await journal.begin([row(3)])
        with pytest.raises(LedgerError):
            await journal.close()
        assert on_its_way(tmp_path) == {1}

    with sqlite_ledger(tmp_path) as ledger:
        asyncio.run(scenario(ledger, begun(ledger)))


@pytest.mark.parametrize("size", [0, 1_000, 40_000, 90_000])
def test_a_run_on_a_full_disk_ends_with_one_message_and_sends_nothing_unrecorded(
    size: int, tmp_path: Path, box: RunningSandbox
) -> None:
    (tmp_path / "list.csv").write_text(people(400), encoding="utf-8")
    (tmp_path / "list.yaml").write_text(MAPPING, encoding="utf-8")
    words = ["run", "list.csv", "-m", "list.yaml", "--quota", "none", "--state-dir", "state"]
    to = {"RDIMPORT_API_KEY": box.api_key, "RDIMPORT_BASE_URL": box.base_url}
    own = {"XDG_DATA_HOME": str(tmp_path / "data")}
    with small_files(size):  # inherited
        done = subprocess.run(
            [sys.executable, "-B", "-m", "rdimport", *words],  # a cut .pyc would outlive this test
            cwd=tmp_path,
            env=to | own,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert "state" in done.stderr
    sent = box.counts()["accepted"]
    if done.returncode == 2:
        assert sent == 0
    else:
        with sqlite_ledger(tmp_path / "state") as ledger:
            counts = ledger.run().counts()
        assert counts[State.ACCEPTED] + counts[State.UNCERTAIN] >= sent > 0


def test_rows_are_read_back_as_they_were_whether_stored_plain_or_compressed(tmp_path: Path) -> None:
    frames = [pl.DataFrame({"row": range(40_000), "cell": f"{n}" * 1_000}) for n in range(3)]
    with Spool(tmp_path) as spool:
        for rows in frames:
            spool.put(rows)
        assert all(map(pl.DataFrame.equals, spool.frames(), frames))
        spool.change(lambda rows: rows.head(7))
        assert all(f.equals(rows.head(7)) for f, rows in zip(spool.frames(), frames, strict=True))


def test_rows_that_find_no_room_on_the_disk_end_the_plan(tmp_path: Path) -> None:
    rows = pl.DataFrame({"row": range(10_000)})
    with Spool(tmp_path) as spool:
        spool.put(rows)
        spool.written()
        with small_files(1_000):
            spool.put(rows)  # written by a thread
            for look in (spool.written, lambda: spool.put(rows), lambda: spool.frame(0)):
                with pytest.raises(LedgerError, match="Nothing was sent"):
                    look()


@contextmanager
def somebody_without_rights(*paths: Path) -> Iterator[None]:
    """Root may write everywhere, so act as another user."""
    if os.geteuid() != 0:
        yield
        return
    for path in paths:
        os.chown(path, 65_534, 65_534)
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def content(state_dir: Path) -> dict[str, bytes]:
    """All files, without the marks of readers."""
    files = {path.name: path.read_bytes() for path in state_dir.iterdir()}
    return {name: found for name, found in files.items() if not name.endswith("-shm")}


@pytest.mark.parametrize("killed", [False, True])
def test_a_read_only_state_directory_can_be_looked_into(folder: Path, *, killed: bool) -> None:
    only_posix("a folder cannot be made read-only")
    state = folder / "state"
    (folder / "list.csv").write_text(people(3), encoding="utf-8")
    to = RDStation(base_url="https://api.exemplo.com.br")
    mapping = Mapping.parse(MAPPING)
    open_still = sqlite_ledger(state)
    run = open_still.start_run("r", to.identity, datetime.now(UTC), RunRecord(account="default"))
    plan = check([str(folder / "list.csv")], mapping, to=to, state_dir=state).plan
    with plan.spool:
        sent = next(plan.pending_rows()).outgoing
    run.apply([sent], [], Counters())
    run.apply([], [accepted(sent)], Counters())
    if not killed:
        open_still.__exit__()
    before = content(state)
    for path in state.iterdir():
        path.chmod(0o400)
    state.chmod(0o500)
    with somebody_without_rights(state, *state.iterdir()):
        done = check([str(folder / "list.csv")], mapping, to=to, state_dir=state)
    done.plan.spool.__exit__()
    state.chmod(0o700)
    assert done.counts[State.ALREADY_IMPORTED] == 1
    assert content(state) == before
    open_still.__exit__()


def test_what_the_endpoint_said_of_a_row_is_forgotten_also_where_its_run_was_before(
    tmp_path: Path,
) -> None:
    """The row was accepted in a run that is already forgotten, and refused in a later one."""
    now = datetime.now(UTC)
    why = (Problem("rd.invalid", "name", "Nome", "Ana Maria", "Não serve."),)
    with sqlite_ledger(tmp_path) as ledger:
        for number, end in enumerate(
            (accepted(row(2)), RowResult(row(2), Outcome(0, 2, State.REFUSED, why, ("Ana Maria",))))
        ):
            run = begun(ledger, f"r{number}")
            run.apply([row(2)], [], Counters())
            run.apply([], [end], Counters())
            run.finish(now, 0, None)
            ledger.people.forget(now + timedelta(days=number + 1), now + timedelta(days=number))
        assert ledger.known(run.destination, pl.Series([row(2).identity]))["state"].to_list() == [
            "accepted"
        ]
    assert b"Ana Maria" not in (tmp_path / "ledger.sqlite3").read_bytes()


def test_two_processes_that_open_a_new_ledger_at_once_wait_for_each_other(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(sqlite_ledger, tmp_path)
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.2)
        other.execute("ROLLBACK")
        with opening.result(TIMEOUT) as ledger:
            assert ledger.at_work("a") is None
    other.close()
