"""Runs as parts of other programs: in forks, with callbacks, several in one event loop."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from support.cable import TO_CLIENT, cable
from support.claims import KEY
from support.command import Workspace, without_coverage
from support.lists import MAPPING, people
from support.postgres import Server
from support.waiting import TIMEOUT, until

import rdimport
from rdimport.ledger import store_of
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

ROWS: Final = 12


@pytest.fixture
def given(tmp_path: Path, box: RunningSandbox) -> dict[str, Any]:
    """The arguments of a run."""
    (tmp_path / "list.csv").write_text(people(ROWS), encoding="utf-8")
    (tmp_path / "m.yaml").write_text(MAPPING, encoding="utf-8")
    return {
        "files": tmp_path / "list.csv",
        "mapping": tmp_path / "m.yaml",
        "to": rdimport.RDStation(box.api_key, base_url=box.base_url),
        "quota": None,
        "state_dir": tmp_path / "state",
        "report_dir": tmp_path / "reports",
    }


def test_a_run_that_names_no_ledger_uses_that_of_the_command(
    given: dict[str, Any], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workspace is in the same folder."""
    monkeypatch.setenv("RDIMPORT_STATE_DIR", str(workspace.state))
    assert workspace.here("run", "list.csv", "-m", "m.yaml", "--quota", "none").code == 0
    del given["state_dir"]
    assert rdimport.run(**given).counts[rdimport.State.ALREADY_IMPORTED] == ROWS
    monkeypatch.setenv("RDIMPORT_LEDGER", "mysql://localhost/leads")
    with pytest.raises(rdimport.UsageError, match="A shared ledger is in PostgreSQL"):
        rdimport.run(**given)


def test_a_default_folder_that_has_sent_is_not_left_for_the_one_of_the_environment(
    given: dict[str, Any],
    workspace: Workspace,
    box: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(workspace.home / "own"))
    monkeypatch.delenv("RDIMPORT_STATE_DIR", raising=False)
    del given["state_dir"]
    assert rdimport.run(**given).counts[rdimport.State.ACCEPTED] == ROWS
    monkeypatch.setenv("RDIMPORT_STATE_DIR", str(workspace.state))
    with pytest.raises(rdimport.UsageError, match="neither knows whom the other one has sent"):
        rdimport.run(**given)
    given["to"] = rdimport.RDStation(
        box.create_key("x", "another"), base_url=box.base_url, account="another"
    )
    assert rdimport.run(**given).counts[rdimport.State.ACCEPTED] == ROWS
    assert (workspace.state / "ledger.sqlite3").exists()


_IN_A_FORK: Final = """
import json, multiprocessing, sys
import polars as pl
import rdimport
from rdimport.core import forked

def check(patience):
    forked._PATIENCE = patience or forked._PATIENCE
    try:
        return str(rdimport.check("list.csv", "m.yaml").to_send)
    except rdimport.UsageError as error:
        return f"{error.exit_code}: {error}"

def asked(how, patience=0):
    with multiprocessing.get_context(how).Pool(1) as pool:
        return pool.apply(check, (patience,))

if __name__ == "__main__":
    before = asked("fork")
    pl.read_csv(b"a\\n1\\n")  # starts the threads of polars
    print(json.dumps([before, asked("fork", 0.5), asked("spawn"), check(0)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, processes do not fork by default")
def test_a_fork_that_lacks_the_threads_of_polars_is_told_so_in_place_of_hanging(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    (tmp_path / "forks.py").write_text(_IN_A_FORK, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "forks.py"],
        cwd=tmp_path,
        env=without_coverage(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after, anew, itself = json.loads(done.stdout)
    assert (before, anew, itself) == (str(ROWS),) * 3
    assert after.startswith("2: This process was forked from one that had used polars")
    assert "get_context('spawn')" in after


def test_a_callback_that_raises_stop_iteration_ends_the_run(given: dict[str, Any]) -> None:
    """As `next` does without a default; a future cannot hold it."""
    empty = iter(())
    with pytest.raises(RuntimeError, match="on_event raised StopIteration"):
        rdimport.run(**given, on_event=lambda _event: next(empty))
    done = rdimport.run(**given)
    assert done.counts[rdimport.State.ACCEPTED] == ROWS


def test_a_callback_that_exits_at_each_row_leaves_the_account_free(given: dict[str, Any]) -> None:
    """As in a thread, which ends alone."""

    def leave(event: rdimport.Event) -> None:
        if type(event).__name__ == "RowFinished":
            raise SystemExit(3)

    def work() -> None:
        with suppress(SystemExit):
            rdimport.run(**given, on_event=leave)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(TIMEOUT)
    counts = rdimport.run(**given).counts
    assert counts[rdimport.State.ACCEPTED] + counts[rdimport.State.ALREADY_IMPORTED] == ROWS


def test_a_program_may_change_its_folder_while_a_run_sends(
    given: dict[str, Any], tmp_path: Path, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are relative to the folder in which the run began, and shown as they were given."""
    names = {
        "files": "list.csv",
        "mapping": "m.yaml",
        "state_dir": "state",
        "report_dir": "reports",
    }
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def move(event: rdimport.Event) -> None:
        if type(event).__name__ == "PlanFinished":
            monkeypatch.chdir(elsewhere)

    monkeypatch.chdir(tmp_path)
    moved = rdimport.run(**given | names, on_event=move)
    assert moved.counts[rdimport.State.ACCEPTED] == ROWS
    assert moved.report_dir == tmp_path / "reports" / moved.summary.run_id
    assert (moved.report_dir / "report.html").exists()
    assert not list(elsewhere.iterdir())
    monkeypatch.chdir(tmp_path)
    stayed = rdimport.run(**given | names)
    assert stayed.counts[rdimport.State.ALREADY_IMPORTED] == ROWS
    assert stayed.report_dir == Path("reports", stayed.summary.run_id)
    assert len(box.conversions()) == ROWS


def test_runs_that_wait_in_one_event_loop_leave_it_to_the_one_that_sends(
    given: dict[str, Any], box: RunningSandbox
) -> None:
    async def several() -> list[rdimport.RunResult]:
        runs = [rdimport.run_async(**given, wait=TIMEOUT / 2) for _ in range(4)]
        return await asyncio.gather(*runs)

    counts = sum((Counter(done.counts) for done in asyncio.run(several())), Counter[Any]())
    assert counts[rdimport.State.ACCEPTED] == ROWS
    assert counts[rdimport.State.ALREADY_IMPORTED] == 3 * ROWS
    assert set(Counter(one["email"] for one in box.conversions()).values()) == {1}


def test_an_event_loop_goes_on_while_a_run_waits_for_its_ledger(
    given: dict[str, Any], postgres: Server
) -> None:
    url = postgres.new_database()
    store_of(url, KEY.hex()).make()  # type: ignore[attr-defined]
    with cable(postgres.port) as line:
        far = url.replace(f":{postgres.port}/", f":{line.port}/")

        async def beside() -> rdimport.RunResult:
            line.hold(TO_CLIENT)
            run = rdimport.run_async(**given, ledger=far, ledger_key=KEY.hex())
            running = asyncio.ensure_future(run)
            await asyncio.to_thread(until, lambda: line.waiting)
            line.mend()
            return await running

        assert asyncio.run(beside()).counts[rdimport.State.ACCEPTED] == ROWS


def test_a_run_that_is_cancelled_while_it_stops_leaves_no_task_behind(
    given: dict[str, Any], box: RunningSandbox
) -> None:
    box.set_faults(Faults(hang_before=1.0))

    async def cancel_twice() -> set[asyncio.Task[Any]]:
        sending = asyncio.Event()
        run = asyncio.ensure_future(
            rdimport.run_async(
                **given,
                on_event=lambda event: (
                    sending.set() if type(event).__name__ == "SendingStarted" else None
                ),
            )
        )
        await asyncio.wait_for(sending.wait(), TIMEOUT)
        await asyncio.to_thread(until, lambda: box.counts()["requests"])
        for _ in range(2):
            run.cancel()
            for _ in range(20):
                await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await run
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(cancel_twice()) == set()
    box.set_faults(Faults())
    counts = rdimport.run(**given).counts
    assert sum(counts.values()) == ROWS
    assert counts[rdimport.State.UNCERTAIN] > 0
