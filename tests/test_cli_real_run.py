"""A run that really sends says so, and asks once if a person can answer."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import socketserver
import subprocess
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from support.command import Done, Workspace
from support.lists import MAPPING, people
from support.waiting import TIMEOUT

from rdimport.cli.departure import ending_of, may_ask
from rdimport.sandbox.embedded import RunningSandbox

pty = pytest.importorskip("pty", reason="Windows: a program cannot be a terminal")
LIBC = ctypes.CDLL(None)
WORDS = ["run", "list.csv", "-m", "list.yaml", "--quota", "600/min", "--insecure-http"]


def own_address() -> str:
    """A non-loopback address of this machine; nothing is sent to find it."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


ADDRESS = own_address()
pytestmark = pytest.mark.skipif(
    not ADDRESS or ADDRESS.startswith("127."), reason="this machine has no other address"
)


class Relay(socketserver.BaseRequestHandler):
    """Forwards connections to the sandbox, which only listens on a loopback address."""

    to: tuple[str, int]

    def handle(self) -> None:
        with socket.create_connection(self.to) as there:
            ends = {self.request: there, there: self.request}
            while True:
                ready, _, _ = select.select(list(ends), [], [])
                for end in ready:
                    data = end.recv(65_536)
                    if not data:
                        return
                    ends[end].sendall(data)


class Far(NamedTuple):
    base_url: str
    box: RunningSandbox


@pytest.fixture
def far(box: RunningSandbox) -> Iterator[Far]:
    """An endpoint on a non-loopback address."""
    port = int(box.base_url.rpartition(":")[2])
    relay = type("ToSandbox", (Relay,), {"to": ("127.0.0.1", port)})
    with socketserver.ThreadingTCPServer((ADDRESS, 0), relay) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield Far(f"http://{ADDRESS}:{server.server_address[1]}", box)
        server.shutdown()
        serving.join()


@pytest.fixture
def away(far: Far, tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path, far.box.api_key, far.base_url)
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(3))
    return workspace


class Person:
    """A terminal that runs one command in its foreground."""

    def __init__(self, workspace: Workspace, *words: str) -> None:
        self.master, slave = pty.openpty()
        self.seen = ""
        self.process = workspace.start(
            *words, stdin=slave, out=subprocess.DEVNULL, err=slave, in_session=True
        )
        os.close(slave)

    def read(self) -> str:
        """The next output; empty if the command has ended, fails if nothing comes."""
        assert select.select([self.master], [], [], TIMEOUT)[0], f"nothing after {self.seen}"
        try:
            more = os.read(self.master, 10_000).decode(errors="replace")
        except OSError:
            return ""
        self.seen += more
        return more

    def read_until(self, wanted: str) -> None:
        """Read output up to `wanted`; fails if the command ends without printing it."""
        while wanted not in self.seen and self.read():
            pass
        assert wanted in self.seen, self.seen

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        while self.read():
            pass
        code = self.process.wait(TIMEOUT)
        os.close(self.master)
        return code


def run(workspace: Workspace, *words: str) -> Done:
    return workspace.do(*WORDS, *words)


def test_a_real_run_names_endpoint_account_key_rows_and_time(away: Workspace, far: Far) -> None:
    done = run(away, "--account", "acme", "--json")
    assert done.code == 0
    for wanted in (far.base_url, "“acme”", f"…{far.box.api_key[-4:]}", "3 rows to send", "600/min"):
        assert wanted in " ".join(done.err.split()), wanted
    assert str(away.state / "ledger.sqlite3") in "".join(done.err.split("\n"))
    assert "--state-dir" in done.err
    again = run(away, "--account", "acme", "--json")
    assert far.base_url in again.err
    assert "--state-dir" not in again.err
    assert far.base_url not in run(away, "--account", "acme", "--quiet").err


def test_the_first_real_run_asks_and_the_next_does_not(away: Workspace, far: Far) -> None:
    for answer, code, sent in (("\n", 2, 0), ("no\n", 2, 0), ("\x03", 2, 0), ("y\n", 0, 3)):
        person = Person(away, *WORDS)
        person.read_until("[y/N]")
        person.type(answer)
        assert person.end() == code, person.seen
        assert far.box.counts().get("accepted", 0) == sent
    away.write("list.csv", people(4))
    person = Person(away, *WORDS)
    assert person.end() == 0
    assert "[y/N]" not in person.seen
    assert far.box.counts()["accepted"] == 4


@pytest.mark.parametrize("word", ["--yes", "--quiet", "--json"])
def test_an_option_that_confirms_skips_the_question(away: Workspace, far: Far, word: str) -> None:
    person = Person(away, *WORDS, word)
    assert person.end() == 0, person.seen
    assert "[y/N]" not in person.seen
    assert far.box.counts()["accepted"] == 3


def test_a_term_signal_ends_the_waiting_for_an_answer(away: Workspace, far: Far) -> None:
    person = Person(away, *WORDS)
    person.read_until("[y/N]")
    person.process.send_signal(signal.SIGTERM)
    assert person.end() == 2
    assert far.box.requests == 0


@pytest.mark.skipif(not hasattr(LIBC, "tgkill"), reason="this C library has no tgkill")
def test_an_interrupt_that_another_thread_takes_ends_the_waiting_too(
    away: Workspace, far: Far
) -> None:
    person = Person(away, *WORDS)
    person.read_until("[y/N]")
    number = person.process.pid
    others = {int(task.name) for task in Path(f"/proc/{number}/task").iterdir()} - {number}
    assert LIBC.tgkill(number, min(others), signal.SIGINT) == 0
    assert person.end() == 2
    assert far.box.requests == 0


def test_what_stays_on_this_machine_is_not_real(away: Workspace, box: RunningSandbox) -> None:
    away.key, away.base_url = box.api_key, box.base_url
    person = Person(away, *WORDS)
    assert person.end() == 0, person.seen
    assert "[y/N]" not in person.seen
    assert box.base_url not in person.seen


def test_a_short_key_is_not_shown_at_all() -> None:
    assert ending_of("123456789012345") == ""
    assert ending_of("1234567890123456") == "3456"


def test_standard_input_that_is_the_list_is_asked_nothing() -> None:
    said = {"yes": False, "quiet": False, "json": False}
    assert may_ask(Namespace(files=["list.csv"], **said))
    assert not may_ask(Namespace(files=["-"], **said))
