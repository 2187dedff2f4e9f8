"""Run the installed command in its own process and folder, as a user types it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rdimport import cli
from support.forks import ForkedProcess, can_fork
from support.litter import DATA_HOME
from support.processes import Process, dying_with_parent, take_terminal
from support.waiting import TIMEOUT

KEY = "k3y-f0r-tests-a9f8c7e6d5b4"
"""A key unknown to all our endpoints, long enough to be found wherever it leaks."""

_STARTED: Final[list[subprocess.Popen[str]]] = []


def without_coverage() -> dict[str, str]:
    """The environment without coverage measurement, which loads many modules of its own."""
    return {name: value for name, value in os.environ.items() if "COVERAGE" not in name}


def end_all() -> None:
    """Kill commands that a test left running: they would go on sending during the next test."""
    while _STARTED:
        process = _STARTED.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


def command_in(
    folder: Path,
    environment: dict[str, str],
    args: Sequence[str],
    stdin: Any = subprocess.DEVNULL,
    out: Any = subprocess.PIPE,
    *,
    err: Any = None,
    in_session: bool = False,
) -> subprocess.Popen[str]:
    """Start `rdimport` in a folder with exactly these arguments and variables. With `in_session` it
    gets its own session, and a terminal as standard input becomes its controlling terminal.
    """
    forked = can_fork(environment)
    return (ForkedProcess if forked else Process)(
        [*args] if forked else [sys.executable, "-m", "rdimport", *args],
        cwd=folder,
        env=environment,
        stdin=stdin,
        stdout=out,
        stderr=out if err is None else err,
        text=True,
        encoding="utf-8",
        start_new_session=in_session,
        preexec_fn=None if forked else dying_with_parent(*[take_terminal] * in_session),
    )


@dataclass(frozen=True)
class Done:
    """A command's exit code and output."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` printed: one JSON object and nothing else."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def command_here(folder: Path, environment: dict[str, str], args: Sequence[str]) -> Done:
    """Run `rdimport` in a folder with exactly these arguments and variables, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        _environment(environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = cli.main(args)
        except SystemExit as left:  # argparse exits by itself
            code = left.code if isinstance(left.code, int) else 1
    return Done(code, out.getvalue(), err.getvalue())


@dataclass
class Workspace:
    """A folder to work in: its state, its reports, and the output of all commands run there."""

    home: Path
    key: str | None = None
    base_url: str | None = None
    output: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """Variables in addition to the usual ones."""

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def reports(self) -> Path:
        return self.home / "rdimport-reports"

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file; return its name."""
        path = self.home / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def start(
        self, *args: object, stdin: Any = subprocess.DEVNULL, **more: Any
    ) -> subprocess.Popen[str]:
        """Start a command and leave it running; `more` is passed to `command_in`."""
        texts = [str(arg) for arg in args]
        process = command_in(self.home, self._variables(), texts, stdin, **more)
        _STARTED.append(process)
        return process

    def wait(self, process: subprocess.Popen[str], stdin: str | None = None) -> Done:
        """Wait for a started command. No command may ever show the key or a traceback."""
        out, err = (text or "" for text in process.communicate(stdin, timeout=TIMEOUT))
        self.output += [out, err]
        assert "Traceback" not in out + err, err
        assert self.key is None or self.key not in out + err
        return Done(process.returncode, out, err)

    def do(self, *args: object) -> Done:
        """Run a command to its end."""
        return self.wait(self.start(*args))

    def shell(self, script: str) -> Done:
        """Run a line of bash that starts a command."""
        process = Process(
            ["/bin/bash", "-c", script],
            cwd=self.home,
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            preexec_fn=dying_with_parent(),
        )
        _STARTED.append(process)
        return self.wait(process)

    def here(self, *args: object) -> Done:
        """Like `do`, but in this process, which saves starting one; an uncaught error is raised."""
        done = command_here(self.home, self._variables(), [str(arg) for arg in args])
        self.output += [done.out, done.err]
        assert self.key is None or self.key not in done.out + done.err
        return done

    def feed(self, text: str, *args: object) -> Done:
        """Run a command with `text` as its standard input."""
        return self.wait(self.start(*args, stdin=subprocess.PIPE), text)

    def artefacts(self) -> dict[str, bytes]:
        """Every file here, by its path, and all output."""
        files = {str(p): p.read_bytes() for p in self.home.rglob("*") if p.is_file()}
        return files | {f"output {n}": text.encode() for n, text in enumerate(self.output)}

    def _variables(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("RDIMPORT_", "LC_"))}
        variables = {
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),  # what Windows calls it
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            DATA_HOME: str(self.home / ".local" / "share"),
            "LANG": "C.UTF-8",
            "RDIMPORT_STATE_DIR": str(self.state),
            "RDIMPORT_API_KEY": self.key,
            "RDIMPORT_BASE_URL": self.base_url,
        }
        known = {name: value for name, value in variables.items() if value is not None}
        return kept | known | self.environment


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """Set exactly these variables within the block."""
    before = dict(os.environ)
    _change(before, wanted)
    try:
        yield
    finally:
        _change(dict(os.environ), before)


def _change(now: dict[str, str], wanted: dict[str, str]) -> None:
    """Change only what differs: setting all variables twice takes as long as a small command."""
    for name in now.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted.items() - now.items())
