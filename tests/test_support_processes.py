"""What a test run starts ends with it, and is never waited for without a timeout."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from subprocess import PIPE, TimeoutExpired

import pytest
from support import processes, waiting
from support.processes import Process
from support.waiting import until

STARTS = """
import sys
from pathlib import Path
from time import sleep
from support.command import Workspace
from support.postgres import Server

server, workspace = Server.new(), Workspace(Path(sys.argv[1]))
copied = workspace.start("sandbox", "--port", "0")
workspace.environment["PYTHONHASHSEED"] = "7"  # this cannot be copied
in_full = workspace.start("sandbox", "--port", "0")
assert type(copied) is not type(in_full)
print(server.pid, *server.children(), copied.pid, in_full.pid, flush=True)
sleep(3600)
"""


def is_running(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the system tells no process of its parent")
def test_a_killed_test_run_leaves_no_server_and_no_command_behind(tmp_path: Path) -> None:
    words = [sys.executable, "-c", STARTS, str(tmp_path)]
    with Process(words, cwd=Path(__file__).parent, stdout=PIPE) as run:
        assert run.stdout is not None
        pids = run.stdout.readline().decode().split()
        assert len(pids) > 4
        assert all(is_running(pid) for pid in pids)
        run.kill()
    until(lambda: not any(is_running(pid) for pid in pids))


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can ask a pipe there")
def test_waiting_for_a_silent_process_that_does_not_end_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [sys.executable, "-c", "import threading; threading.Event().wait()  # idle"]
    with Process(words, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as silent:
        assert silent.stdout is not None
        assert silent.stderr is not None
        with monkeypatch.context() as hurry:
            hurry.setattr(processes, "TIMEOUT", 0.05)
            for read in (silent.stdout.readline, silent.stderr.read):
                with pytest.raises(AssertionError, match=r"read.*: nothing printed for 0\.05 s"):
                    read()
            for end in (silent.wait, silent.communicate):
                with pytest.raises(TimeoutExpired, match="idle"):
                    end()
        silent.kill()


def test_waiting_for_a_thread_or_a_result_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="idle")
    thread.start()
    with monkeypatch.context() as hurry:
        hurry.setattr(waiting, "TIMEOUT", 0.05)
        with pytest.raises(AssertionError, match=r"idle has not ended within 0\.05 s"):
            thread.join()
        with pytest.raises(AssertionError, match=r"no result within 0\.05 s"):
            Future[int]().result()
    over.set()
    thread.join()
