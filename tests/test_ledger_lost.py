"""A ledger that vanishes, is cut or is replaced, and a lock that is removed: noticed before the
next row is sent, and nobody is sent twice.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from support.posix import freeze, interrupt, only_posix, resume
from support.waiting import until

import rdimport
from rdimport.cli.arguments import RunArguments, read
from rdimport.cli.one_run import to_know
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

ROWS = 300
"""So many that, with a slow endpoint, a run lasts longer than any test takes to disturb it."""


OPEN = 3
CHECK = "check list.csv -m list.yaml"

OPEN_FILES = "an open file can be neither removed nor moved"


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    workspace.write("list.csv", people(ROWS))
    workspace.write("list.yaml", MAPPING)
    return workspace


def command(*words: object) -> tuple[object, ...]:
    return ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json", *words)


def arrived(box: RunningSandbox) -> Counter[str]:
    return Counter(payload["email"] for payload in box.conversions())


def at_work(workspace: Workspace, box: RunningSandbox) -> subprocess.Popen[str]:
    """A run that has sent some rows, and has many left."""
    box.set_faults(Faults(latency=0.2))
    run = workspace.start(*command("--concurrency", OPEN))
    until(lambda: box.counts()["accepted"] >= 6)
    return run


def killed(workspace: Workspace, box: RunningSandbox) -> None:
    run = at_work(workspace, box)
    run.kill()
    run.communicate()
    box.set_faults(Faults())


def stands_still_between_writes(run: subprocess.Popen[str], workspace: Workspace) -> bool:
    """Whether a stopped run lets others write; if not, it is continued."""
    freeze(run.pid)
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3", timeout=0.1)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            resume(run.pid)
            return False
        db.execute("ROLLBACK")
    return True


def remove(workspace: Workspace, pattern: str) -> None:
    for path in workspace.state.glob(pattern):
        path.unlink()


def cut(size: int) -> Callable[[Workspace], None]:
    def work(workspace: Workspace) -> None:
        os.truncate(workspace.state / "ledger.sqlite3", size)

    return work


def replace_by_another(workspace: Workspace) -> None:
    """As by the ledger of another computer."""
    assert workspace.here("ledger", "new", "--yes", "--state-dir", "other").code == 0
    (workspace.home / "other" / "ledger.sqlite3").replace(workspace.state / "ledger.sqlite3")
    remove(workspace, "ledger.sqlite3-*")


def nothing_is_sent_from_there(workspace: Workspace, box: RunningSandbox) -> None:
    """Assert that no later command sends, and that each names the way out."""
    before = box.requests
    for words in (command(), command("--resend", "uncertain")):
        again = workspace.here(*words)
        assert (again.code, again.out) == (2, "")
        assert f"rdimport ledger new --state-dir {workspace.state}" in again.err
    others = ("status", "report", "purge --older-than 0s", "ledger check", CHECK)
    for words in map(str.split, others):
        done = workspace.here(*words)
        assert (done.code, done.out) == (2, ""), words
        assert "ledger.sqlite3" in done.err
    assert box.requests <= before + OPEN, "but for what a killed run had under way"
    assert set(arrived(box).values()) == {1}


@pytest.mark.parametrize("gone", ["ledger*", "*", "ledger.sqlite3"])
def test_a_ledger_removed_during_a_run_stops_it_and_no_later_run_sends(
    gone: str, ready: Workspace, box: RunningSandbox
) -> None:
    only_posix(OPEN_FILES)
    run = at_work(ready, box)
    remove(ready, gone)
    done = ready.wait(run)
    assert done.code == 3
    assert "was removed or replaced during" in done.err
    assert len(arrived(box)) < ROWS
    box.set_faults(Faults())
    nothing_is_sent_from_there(ready, box)


def test_a_state_directory_removed_during_a_run_stops_it_and_is_missed(
    ready: Workspace, box: RunningSandbox
) -> None:
    only_posix(OPEN_FILES)
    run = at_work(ready, box)
    shutil.rmtree(ready.state)
    assert ready.wait(run).code == 3
    box.set_faults(Faults())
    nothing_is_sent_from_there(ready, box)


@pytest.mark.parametrize("size", [0, 1])
def test_a_ledger_cut_during_a_run_stops_it(
    size: int, ready: Workspace, box: RunningSandbox
) -> None:
    run = at_work(ready, box)
    cut(size)(ready)
    assert ready.wait(run).code == 3
    assert len(arrived(box)) < ROWS
    box.set_faults(Faults())
    assert ready.here(*command()).code in (0, 1, 2)  # the write-ahead log may have restored it
    assert set(arrived(box).values()) == {1}


def test_a_lock_removed_during_a_run_lets_no_other_one_send_its_rows(
    ready: Workspace, box: RunningSandbox
) -> None:
    only_posix(OPEN_FILES)
    run = at_work(ready, box)
    remove(ready, "*.lock")
    second = ready.start(*command())
    first = ready.wait(run)
    assert first.code == 3
    assert "lock of this run" in first.err
    box.set_faults(Faults())
    assert ready.wait(second).code in (0, 1, 75)
    last = ready.here(*command())
    assert last.code in (0, 1)
    assert (
        last.summary["accepted"] + last.summary["already_imported"] + (last.summary["uncertain"])
        == ROWS
    )
    assert set(arrived(box).values()) == {1}
    assert len(arrived(box)) >= ROWS - last.summary["uncertain"]


def test_a_stopped_run_keeps_its_account_though_the_lock_file_is_gone(
    ready: Workspace, box: RunningSandbox
) -> None:
    run = at_work(ready, box)
    until(lambda: stands_still_between_writes(run, ready))
    remove(ready, "*.lock")
    busy = ready.here(*command())
    resume(run.pid)
    assert busy.code == 75
    assert ready.wait(run).code == 3


def test_another_user_who_finds_no_lock_sends_no_row_that_a_run_at_work_has_sent(
    ready: Workspace, box: RunningSandbox
) -> None:
    """The lock in the first user's own folders is invisible to the other."""
    run = at_work(ready, box)
    until(lambda: stands_still_between_writes(run, ready))
    remove(ready, "*.lock")
    box.set_faults(Faults())
    other = Workspace(ready.home / "other", ready.key, ready.base_url)
    other.home.mkdir()
    shutil.copy(ready.home / "list.csv", other.home)
    shutil.copy(ready.home / "list.yaml", other.home)
    done = other.here(*command("--state-dir", ready.state))
    resume(run.pid)
    assert ready.wait(run).code == 3
    assert done.code in (0, 1)
    assert set(arrived(box).values()) == {1}
    assert len(arrived(box)) >= ROWS - done.summary["uncertain"]
    assert ready.here(*command()).code in (0, 1)
    assert set(arrived(box).values()) == {1}


LOSSES = {
    "its log": lambda workspace: remove(workspace, "ledger.sqlite3-wal"),
    "its log and index": lambda workspace: remove(workspace, "ledger.sqlite3-*"),
    "all of it": lambda workspace: remove(workspace, "ledger*"),
    "everything": lambda workspace: remove(workspace, "*"),
    "the directory": lambda workspace: shutil.rmtree(workspace.state),
    "cut to nothing": cut(0),
    "cut to one byte": cut(1),
    "another one": replace_by_another,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_after_a_kill_is_noticed(
    loss: str, ready: Workspace, box: RunningSandbox
) -> None:
    killed(ready, box)
    LOSSES[loss](ready)
    nothing_is_sent_from_there(ready, box)


@pytest.mark.parametrize("loss", [name for name in LOSSES if "log" not in name])
def test_what_is_lost_after_a_run_is_noticed(
    loss: str, ready: Workspace, box: RunningSandbox
) -> None:
    assert ready.here(*command()).code == 0
    LOSSES[loss](ready)
    nothing_is_sent_from_there(ready, box)


def test_a_killed_run_whose_files_are_all_there_is_gone_on_with(
    ready: Workspace, box: RunningSandbox
) -> None:
    for _ in range(2):
        killed(ready, box)
        assert ready.here("ledger", "check").code == 0
    assert ready.here(*command()).code in (0, 1)
    assert set(arrived(box).values()) == {1}
    assert ready.here("ledger", "check").code == 0


def test_a_ledger_that_is_put_back_is_gone_on_with(ready: Workspace, box: RunningSandbox) -> None:
    only_posix(OPEN_FILES)
    run = at_work(ready, box)
    away = ready.home / "away"
    ready.state.rename(away)
    assert ready.wait(run).code == 3
    box.set_faults(Faults())
    assert ready.here(*command()).code == 2
    shutil.rmtree(ready.state)
    away.rename(ready.state)
    done = ready.here(*command())
    assert done.code in (0, 1)
    assert set(arrived(box).values()) == {1}
    assert len(arrived(box)) >= ROWS - done.summary["uncertain"]


def test_an_older_copy_is_reported_with_what_it_lacks_before_anybody_is_sent_again(
    ready: Workspace, box: RunningSandbox
) -> None:
    """Backup and restore, as in docs/ledger.md."""
    assert ready.here(*command("--limit", 100)).code == 3
    assert ready.here("ledger", "copy", "state", "backup").code == 0
    later = ready.here(*command("--limit", 50)).summary["run_id"]
    ready.state.rename(ready.home / "state.broken")
    assert ready.here("ledger", "copy", "backup", "state").code == 0
    done = ready.here(*command())
    assert done.code == 2
    assert f"It does not know all of run {later}" in done.err
    assert "rdimport ledger accept" in done.err
    nothing_is_sent_from_there(ready, box)
    unasked = ready.here("ledger", "accept")
    assert unasked.code == 2
    assert "--yes" in unasked.err
    assert ready.here(*command()).code == 2
    taken = ready.here("ledger", "accept", "--yes")
    assert taken.code == 0
    assert later in taken.err
    again = ready.here(*command())
    assert (again.code, again.summary["already_imported"]) == (0, 100)
    assert Counter(arrived(box).values()) == {1: ROWS - 50, 2: 50}, "as was accepted, knowingly"


def test_the_newest_copy_can_take_the_place_of_a_lost_ledger_without_a_word(
    ready: Workspace, box: RunningSandbox
) -> None:
    assert ready.here(*command("--limit", 100)).code == 3
    assert ready.here("ledger", "copy", "state", "backup").code == 0
    remove(ready, "ledger*")
    assert ready.here(*command()).code == 2
    assert ready.here("ledger", "copy", "backup", "state").code == 0
    done = ready.here(*command())
    assert (done.code, done.summary["already_imported"]) == (0, 100)
    assert set(arrived(box).values()) == {1}


def test_an_older_copy_over_the_file_itself_is_noticed_too(
    ready: Workspace, box: RunningSandbox
) -> None:
    assert ready.here(*command("--limit", 100)).code == 3
    saved = (ready.state / "ledger.sqlite3").read_bytes()
    assert ready.here(*command("--limit", 50)).code == 3
    (ready.state / "ledger.sqlite3").write_bytes(saved)
    nothing_is_sent_from_there(ready, box)


def test_a_new_ledger_is_begun_only_when_a_person_says_so_and_nothing_is_deleted(
    ready: Workspace, box: RunningSandbox
) -> None:
    assert ready.here(*command("--limit", 10)).code == 3
    known = (ready.state / "ledger.sqlite3").read_bytes()
    unasked = ready.here("ledger", "new")
    assert (unasked.code, unasked.out) == (2, "")
    assert (ready.state / "ledger.sqlite3").read_bytes() == known
    done = ready.here("ledger", "new", "--yes")
    assert done.code == 0
    (aside,) = ready.state.glob("aside-*")
    assert str(aside) in done.out
    assert (aside / "ledger.sqlite3").read_bytes() == known
    assert ready.here(*command("--limit", 10)).summary["accepted"] == 10
    assert set(arrived(box).values()) == {2}


def test_no_new_ledger_is_begun_while_a_run_is_at_work(
    ready: Workspace, box: RunningSandbox
) -> None:
    run = at_work(ready, box)
    assert ready.here("ledger", "new", "--yes").code == 75
    interrupt(run)
    assert ready.wait(run).code == 3


def test_a_state_directory_may_be_moved_or_copied_as_a_whole(
    ready: Workspace, box: RunningSandbox
) -> None:
    assert ready.here(*command("--limit", 100)).code == 3
    shutil.copytree(ready.state, ready.home / "elsewhere")
    shutil.rmtree(ready.home / ".local")  # another computer, or a container's new home
    done = ready.here(*command("--state-dir", "elsewhere"))
    assert (done.code, done.summary["already_imported"]) == (0, 100)
    shutil.rmtree(ready.home / ".local")
    ready.state.rename(ready.home / "renamed")
    assert ready.here(*command("--state-dir", "renamed", "--limit", 1)).code == 3


def test_a_copy_that_lacks_what_was_sent_from_the_original_sends_nothing_until_it_is_accepted(
    ready: Workspace, box: RunningSandbox
) -> None:
    killed(ready, box)
    assert ready.here("ledger", "copy", "state", "copy").code == 0
    done = ready.here(*command())
    assert done.code in (0, 1)
    there = ("--state-dir", "copy")
    for words in (command(*there), (*CHECK.split(), *there)):
        again = ready.here(*words)
        assert (again.code, again.out) == (2, "")
        assert done.summary["run_id"] in again.err
        assert f"--state-dir {ready.state}" in again.err
    # compared with no earlier count: the killed run's last requests may arrive at any time
    assert set(arrived(box).values()) == {1}
    assert ready.here("status", *there).code == 0, "a backup can be read"
    assert ready.here("ledger", "accept", *there).code == 2, "not without --yes"
    assert ready.here(*command(*there)).code == 2
    assert ready.here("ledger", "accept", "--yes", *there).code == 0
    assert ready.here(*command("--limit", 5, *there)).code == 3
    twice = [email for email, times in arrived(box).items() if times == 2]
    assert len(twice) == 5, "as was accepted, knowingly"
    # now the original lacks what was sent from the copy
    assert ready.here(*command()).code == 2


def test_a_copy_made_during_a_run_lacks_what_that_run_sent_afterwards(
    ready: Workspace, box: RunningSandbox
) -> None:
    run = at_work(ready, box)
    assert ready.here("ledger", "copy", "state", "copy").code == 0
    before = box.counts()["accepted"]
    until(lambda: box.counts()["accepted"] > before)
    box.set_faults(Faults())
    assert ready.wait(run).code == 0
    ready.write("calls.jsonl", "")
    there = ("--state-dir", "copy")
    assert ready.here("settle", "calls.jsonl", *there).code == 0, "takes that run for killed"
    behind = ready.here(*command(*there))
    assert (behind.code, behind.out) == (2, "")
    assert f"--state-dir {ready.state}" in behind.err
    assert set(arrived(box).values()) == {1}


def test_a_copy_that_knows_all_of_an_account_sends_though_another_account_continued_elsewhere(
    ready: Workspace, box: RunningSandbox
) -> None:
    assert ready.here(*command("--limit", 100)).code == 3
    assert ready.here("ledger", "copy", "state", "copy").code == 0
    client = Workspace(ready.home, box.create_key("client", "whose list went on"), ready.base_url)
    assert client.here(*command("--account", "Client", "--limit", 7)).code == 3
    done = ready.here(*command("--state-dir", "copy", "--limit", 50))
    assert (done.code, done.summary["already_imported"]) == (3, 100)
    there = ("--account", " CLIENT ", "--state-dir", "copy")
    for words in (command(*there), (*CHECK.split(), *there)):
        behind = client.here(*words)
        assert (behind.code, behind.out) == (2, "")
        assert f"--state-dir {ready.state}" in behind.err
    original = ready.here(*command())
    assert (original.code, original.out) == (2, "")
    assert f"--state-dir {ready.home / 'copy'}" in original.err


def test_an_accepted_copy_that_is_lost_can_be_put_back(
    ready: Workspace, box: RunningSandbox
) -> None:
    assert ready.here(*command("--limit", 10)).code == 3
    assert ready.here("ledger", "copy", "state", "copy").code == 0
    assert ready.here(*command("--limit", 10)).code == 3
    assert ready.here("ledger", "accept", "--yes", "--state-dir", "copy").code == 0
    for path in (ready.home / "copy").glob("ledger*"):
        path.unlink()
    assert ready.here("ledger", "copy", "state", "copy").code == 0
    done = ready.here(*command("--state-dir", "copy"))
    assert (done.code, done.summary["already_imported"]) == (0, 20)
    assert set(arrived(box).values()) == {1}


def test_a_sandbox_of_its_own_leaves_nothing_that_could_be_missed(workspace: Workspace) -> None:
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    workspace.base_url = None
    for _ in range(2):
        done = workspace.do("run", "list.csv", "-m", "list.yaml", "--sandbox")
        assert done.code == 0
        shutil.rmtree(workspace.state, ignore_errors=True)


def test_a_home_that_cannot_be_written_prevents_no_run(
    ready: Workspace, box: RunningSandbox
) -> None:
    ready.write(".local", "in the way of a folder")
    assert ready.here(*command()).code == 0
    LOSSES["all of it"](ready)
    nothing_is_sent_from_there(ready, box)


def test_an_empty_file_where_a_ledger_was_before_witnesses_is_no_new_one(
    ready: Workspace, box: RunningSandbox
) -> None:
    """As left by 0.1.0: no witness, only an old lock."""
    ready.state.mkdir()
    lock: Path = ready.state / "default-c522b539.lock"
    lock.touch()
    os.utime(lock, (1e9, 1e9))
    (ready.state / "ledger.sqlite3").touch(0o600)
    done = ready.here(*command())
    assert (done.code, box.requests) == (2, 0)
    assert "cut to 0 bytes" in done.err


def test_a_ledger_cut_after_a_canary_does_not_say_that_nothing_was_sent(
    ready: Workspace, box: RunningSandbox
) -> None:
    done = rdimport.run(
        ready.home / "list.csv",
        ready.home / "list.yaml",
        to=rdimport.RDStation(box.api_key, base_url=box.base_url),
        limit=3,
        state_dir=ready.state,
        report_dir=ready.reports,
    )
    os.truncate(ready.state / "ledger.sqlite3", 0)
    typed = read(["run", "list.csv", "-m", "list.yaml", "--canary", "3"])
    assert typed is not None
    assert isinstance(typed.arguments, RunArguments)
    with pytest.raises(rdimport.LedgerError) as caught:
        list(to_know(typed.arguments, done, ()))
    assert (caught.value.exit_code, box.counts()["accepted"]) == (3, 3)
    assert str(ready.reports) in str(caught.value)
