"""What a test run starts ends with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import until

STARTS = """
import sys
from pathlib import Path
from time import sleep
from support.command import Desk
from support.postgres import Server

server, desk = Server.new(), Desk(Path(sys.argv[1]))
copied = desk.start("sandbox", "--port", "0")
desk.environment["PYTHONPATH"] = sys.argv[1]  # this cannot be copied
in_full = desk.start("sandbox", "--port", "0")
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
    with subprocess.Popen(words, cwd=Path(__file__).parent, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        pids = run.stdout.readline().decode().split()
        assert len(pids) > 4
        assert all(is_running(pid) for pid in pids)
        run.kill()
    until(lambda: not any(is_running(pid) for pid in pids))
