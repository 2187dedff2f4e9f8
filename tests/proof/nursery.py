"""Starts commands quickly: processes that are forked from one that has imported the product.

Two thirds of a short command's time go into its imports. What is forked is a process like any
other: it has its own number, takes signals, is killed, and runs the command from its first word.
What it cannot show is a signal during the imports, so the tests start commands in full.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import sys
from typing import Any, Self

from support.processes import dies_with_us

_CODE = "from tests.proof.nursery import serve; serve()"


class Nursery:
    """The parent of the processes, while it is entered."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._born: asyncio.Queue[int] = asyncio.Queue()
        self._codes: dict[int, asyncio.Future[int]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _CODE,
            env=os.environ | {"POLARS_MAX_THREADS": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def start(self, **wanted: Any) -> tuple[int, asyncio.Future[int]]:
        """A process and its exit code to come. `wanted`: words, cwd, env, out, err, file_size."""
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._one_at_a_time:
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            number = await self._born.get()
            return number, self._code(number)

    def _code(self, number: int) -> asyncio.Future[int]:
        return self._codes.setdefault(number, asyncio.get_running_loop().create_future())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            number, code = json.loads(line)
            if code is None:
                self._codes.pop(number, None)
                self._code(number)
                self._born.put_nowait(number)
            else:
                self._code(number).set_result(code)


def serve() -> None:
    """What the parent of the processes does: one line in, one process more; one over, one line."""
    import rdimport  # noqa: PLC0415

    for module in pkgutil.walk_packages(rdimport.__path__, "rdimport."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    us, waiting = os.getpid(), b""
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([0], [], [], 0.01 if children else None)
        if ready:
            got = os.read(0, 65_536)
            if not got:
                return
            *lines, waiting = (waiting + got).split(b"\n")
            for line in lines:
                number = os.fork()
                if number == 0:
                    dies_with_us(us)
                    _live(json.loads(line))
                children.add(number)
                _tell(number, None)
        for number in list(children):
            gone, status = os.waitpid(number, os.WNOHANG)
            if gone:
                children.discard(number)
                _tell(number, os.waitstatus_to_exitcode(status))


def _tell(number: int, code: int | None) -> None:
    os.write(1, json.dumps([number, code]).encode() + b"\n")


def _live(wanted: dict[str, Any]) -> None:
    """Be a command that was just started."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as long as Python would not be up yet
    code = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(wanted[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.chdir(wanted["cwd"])
        os.environ.clear()
        os.environ.update(wanted["env"])
        if wanted["file_size"] is not None:
            no_file_beyond(wanted["file_size"])
        from rdimport import cli  # noqa: PLC0415

        sys.argv = ["rdimport", *wanted["words"]]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            code = cli.main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
    except BaseException:  # noqa: BLE001  as the interpreter does
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(code)


def no_file_beyond(size: int) -> None:
    """As on a full disk: a write that makes a file larger fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
