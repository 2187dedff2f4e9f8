"""How a command ends if it cannot get its account, or loses its terminal or its ledger."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.command import Done, Workspace
from support.lists import MAPPING, people
from support.processes import dying_with_parent
from support.waiting import TIMEOUT, until

from rdimport.ledger import store_of
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

ROWS = 30


@pytest.fixture
def words(workspace: Workspace) -> list[object]:
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(ROWS))
    return ["run", "list.csv", "-m", "list.yaml", "--quota", "none"]


def attempts(workspace: Workspace) -> list[int]:
    runs = workspace.here("status", "--json").summary["jobs"]
    return [one["run"]["exit_code"] for one in runs]


def test_a_run_waits_for_an_account_in_use_and_then_sends(
    workspace: Workspace, words: list[object], box: RunningSandbox
) -> None:
    with store_of(workspace.state).hold("default"):
        assert workspace.do(*words, "--wait", "1s").code == 75
        waiting = workspace.start(*words, "--wait", "10m")
        until(lambda: attempts(workspace) == [75])
    assert workspace.wait(waiting).code == 0
    assert len(box.conversions()) == ROWS


@pytest.mark.skipif(os.name != "posix", reason="SIGHUP is POSIX's")
def test_a_lost_terminal_stops_a_run_in_good_order(
    workspace: Workspace, words: list[object], box: RunningSandbox
) -> None:
    box.set_faults(Faults(latency=0.5))
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    run = workspace.start(*words, "--concurrency", 2, "--json")
    signal.signal(signal.SIGHUP, before)
    until(lambda: len(box.conversions()) > 0)
    run.send_signal(signal.SIGHUP)
    stopped = workspace.wait(run)
    assert (stopped.code, stopped.summary["stopped_because"]) == (3, "signal")
    assert Path(stopped.summary["report_html"]).exists() or stopped.summary["pending"]
    box.set_faults(Faults())
    assert workspace.here(*words).code in (0, 1)
    assert set(Counter(payload["email"] for payload in box.conversions()).values()) == {1}


@pytest.mark.skipif(os.name != "posix", reason="nohup is POSIX's")
def test_nohup_keeps_a_run_that_lost_its_terminal(
    workspace: Workspace, words: list[object], box: RunningSandbox
) -> None:
    box.set_faults(Faults(latency=0.5))
    line = " ".join(map(str, words))
    done = workspace.shell(
        f"trap '' HUP; {shlex.quote(sys.executable)} -m rdimport {line} --concurrency 10 & run=$!;"
        " sleep 0; kill -HUP $run; wait $run"
    )
    assert done.code == 0
    assert len(box.conversions()) == ROWS


def limited(workspace: Workspace, files: int, words: list[object]) -> Done:
    line = shlex.join(map(str, [sys.executable, "-m", "rdimport", *words]))
    return workspace.shell(f"ulimit -n {files}; exec {line}")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_run_that_can_open_few_files_has_fewer_connections(
    workspace: Workspace, words: list[object], box: RunningSandbox
) -> None:
    box.set_faults(Faults(latency=0.03))
    workspace.write("list.csv", people(150))
    done = limited(workspace, 40, [*words, "--concurrency", 60, "--json"])
    assert done.code == 0, done.err
    assert done.summary["accepted"] == 150
    assert done.summary["retries"] > 0  # rows for which there was no connection
    assert set(Counter(payload["email"] for payload in box.conversions()).values()) == {1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_too_few_files_for_any_run_are_refused(
    workspace: Workspace, words: list[object], box: RunningSandbox
) -> None:
    done = limited(workspace, 31, words)
    assert (done.code, box.requests) == (2, 0)
    assert done.err == (
        "rdimport: This process may open only 31 files.\n"
        "End other programs, or raise the limits for this one (ulimit -a).\n"
    )


NO_MORE_FILES = """
import os, resource, sys
from rdimport import cli
from rdimport.cli import run

def carried_out(args, to, on_event, carry_out=run.carry_out, **more):
    def observe(event):
        if type(event).__name__ == sys.argv[1]:
            resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0) + 1, most))
        on_event(event)

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return carry_out(args, to, on_event=observe, **more)

run.carry_out = carried_out
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("when", "ended"), [("SendingStarted", (2, 0)), ("SendingFinished", (3, ROWS))]
)
def test_no_more_files_in_the_middle_of_a_run_are_no_bug(
    workspace: Workspace,
    words: list[object],
    box: RunningSandbox,
    when: str,
    ended: tuple[int, int],
) -> None:
    """No row is in doubt, as none was sent without a connection."""
    line = shlex.join(map(str, [sys.executable, "-c", NO_MORE_FILES, when, *words]))
    stopped = workspace.shell(line)
    assert (stopped.code, len(box.conversions())) == ended
    assert "Too many open files" in stopped.err
    assert "Traceback" not in stopped.err
    assert workspace.here(*words).code == 0
    assert set(Counter(payload["email"] for payload in box.conversions()).values()) == {1}
    assert len(box.conversions()) == ROWS


def test_json_has_its_object_also_where_the_ledger_was_lost(
    workspace: Workspace, words: list[object], box: RunningSandbox
) -> None:
    box.set_faults(Faults(latency=0.5))
    run = workspace.start(*words, "--concurrency", 2, "--json")
    until(lambda: len(box.conversions()) > 0)
    for lock in workspace.state.glob("*.lock"):
        lock.unlink()
    lost = workspace.wait(run)
    assert lost.code == 3
    summary = lost.summary
    assert (summary["exit_code"], summary["stopped_because"]) == (3, "LedgerLostError")
    assert "lock of this run" in summary["error"]
    states = ("accepted", "already_imported", "duplicate", "invalid", "refused", "uncertain")
    assert sum(summary[state] for state in (*states, "pending")) == summary["rows"] == ROWS
    assert summary["run_id"] in lost.err


INTERRUPTED = "Interrupted. The same command continues where it stopped: no row is sent twice."
AFTER_ITS_END = """
import atexit
atexit.register(os.kill, os.getpid(), signal.SIGINT)
"""
IN_A_FINALIZER = """
class Interrupted:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

class Screen(io.StringIO):
    def write(self, text):
        Interrupted()
        while True:
            time.sleep(0.01)

sys.stdout = Screen()
"""


AT_THE_END_OF_THE_SANDBOX = """
import os, signal, sys, time
from rdimport.cli import main
from rdimport.sandbox import embedded

def interrupted(process, end=embedded._end):
    end(process)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)

embedded._end = interrupted
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process there cannot send itself Ctrl+C")
def test_ctrl_c_while_the_sandbox_is_shut_down_changes_no_result(
    workspace: Workspace, words: list[object]
) -> None:
    program = [sys.executable, "-c", AT_THE_END_OF_THE_SANDBOX, *words, "--sandbox", "--json"]
    done = workspace.shell(shlex.join(map(str, program)))
    assert done.code == done.summary["exit_code"] == 0
    assert "Interrupted" not in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="a process there cannot send itself Ctrl+C")
@pytest.mark.parametrize(
    ("when", "code", "said"),
    [
        (AFTER_ITS_END, 0, ""),
        (IN_A_FINALIZER, 3, f"rdimport: {INTERRUPTED}\n"),
    ],
    ids=["end", "finalizer"],
)
def test_ctrl_c_shows_no_stack_wherever_it_falls(when: str, code: int, said: str) -> None:
    listening = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    first = f"import io, os, signal, sys, time\n{listening}"
    rest = "from rdimport.cli import main\nsys.argv = ['rdimport', '--version']\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{first}\n{when}\n{rest}"],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        preexec_fn=dying_with_parent(),
    )
    assert done.returncode == code
    assert done.stderr == said
