"""Start `python -m rdimport`, or a child process that reads a workbook or is a sandbox, by forking
a process that has already loaded the libraries.

Loading polars, pandera and httpx is most of the cost of a short command, and the tests start
hundreds. A fork has the environment, folder, streams and signals of a process started normally;
only the loading is shared. Linux only, and processors whose system calls are numbered below: the
fork is a child of the process that requested it, which waits for it and kills it like any other.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import platform
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, AnyStr, Final

import rdimport
from rdimport.core import child
from support.processes import Process, die_with_parent, limit_file_size, take_terminal
from support.waiting import TIMEOUT

_PR_GET_TID_ADDRESS: Final = 40
_CLONE_PARENT: Final = 0x8000
_CLONE_CHILD_CLEARTID: Final = 0x200000
_CLONE_CHILD_SETTID: Final = 0x1000000
"""From Linux's <linux/prctl.h> and <linux/sched.h>."""

_CLONES: Final[dict[str, Callable[[int, int], tuple[int, ...]]]] = {
    "x86_64": lambda flags, tid: (56, flags, 0, 0, tid, 0),
    "aarch64": lambda flags, tid: (220, flags, 0, 0, 0, tid),
}
"""For each processor, the number and the arguments of its system call clone(2)."""

_LIBRARIES: Final = (
    "anyio._backends._asyncio",
    "encodings.cp437",
    "encodings.utf_16",
    "encodings.utf_8_sig",
    "filelock",
    "hypothesis.strategies",  # pandera imports it if it is installed
    "keyring.backends.SecretService",
    "keyring.backends.kwallet",
    "pandera.api.pandas",
    "pandera.backends.polars.builtin_checks",
    "pandera.backends.polars.checks",
    "pandera.backends.polars.components",
    "pandera.backends.polars.container",
    "pandera.backends.polars.register",
    "pandera.backends.register_checks",
    "pandera.polars",
    "platformdirs.unix",
    "rapidfuzz.process",
    "tqdm",
    "unittest.main",
    "xlsxwriter",
)
"""What a command imports lazily, in addition to what our own modules import."""

_COMMAND: Final = "rdimport"
_CHILDREN: Final = {
    "rdimport.sandbox.__main__": ("uvicorn.lifespan.off", "uvicorn.loops.auto"),
    "rdimport.source.sheets.worker": (
        "backports.zstd" if sys.version_info < (3, 14) else "compression.zstd",
        "rdimport.source.files",
        "rdimport.source.ole",
        "rdimport.source.sheets.excel",
        "rdimport.source.sheets.html",
        "rdimport.source.sheets.ods",
        "rdimport.source.sheets.parquet",
        "rdimport.source.sheets.xml2003",
    ),
}
"""Modules whose `main` is a child process, and what each imports lazily."""

_READ_WHILE_STARTING: Final = ("PYTHON", "LC_", "COVERAGE", "POLARS_", "LD_")
"""Prefixes of variables that Python or a library reads at start-up."""

_ENCODING: Final = "PYTHONIOENCODING"
_IMPORT_PATH: Final = "PYTHONPATH"
_RESPECTED: Final = (_ENCODING, "PYTHON_KEYRING_BACKEND")
"""Those of them that a fork respects, too; the import path only if it adds modules."""

_BEFORE: Final = dict(os.environ)

START: Final = child.start
"""How the program itself starts a child."""


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether a fork behaves like a process started with this environment."""
    return (
        sys.platform == "linux"
        and platform.machine() in _CLONES
        and _place_of_thread_number() is not None
        and environment.get("LANG", "").endswith("UTF-8")
        and not any(
            name.startswith(_READ_WHILE_STARTING) and value != _BEFORE.get(name)
            for name, value in environment.items()
            if name not in _RESPECTED and not (name == _IMPORT_PATH and _only_adds(value))
        )
    )


def _only_adds(import_path: str) -> bool:
    """Whether all modules there are new: none is loaded already, by the server or at start-up."""
    folders = map(Path, filter(None, import_path.split(os.pathsep)))
    found = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    packages = {path.name for path in found if (path / "__init__.py").exists()}
    modules = packages | {path.stem for path in found if path.suffix == ".py"}
    at_start = modules & {"sitecustomize", "usercustomize"}
    return not at_start and not any(map(find_spec, modules))


def start_child(
    module: str, environment: Mapping[str, str] | None = None, **streams: Any
) -> subprocess.Popen[bytes]:
    """Like `child.start`, for tests that are not about how a child process is started."""
    environ = child.bare(os.environ)
    if module not in _CHILDREN or not can_fork({"LANG": "C.UTF-8", **environ}):
        return START(module, environment, **streams)
    server = _server(module, environment or {})
    more = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **child.own_group(), **streams}
    return ForkedProcess([], server=server, env={**environ, **(environment or {})}, **more)


class ForkedProcess(Process[AnyStr]):
    """A forked command; its arguments are those of `rdimport`, all else is as in
    `subprocess.Popen`. Writing a file larger than `file_size` fails.
    """

    def __init__(
        self,
        args: list[str],
        *,
        file_size: int | None = None,
        server: _Server | None = None,
        **more: Any,
    ) -> None:
        self._file_size = file_size
        self._server = server or _server(_COMMAND)
        super().__init__(args, **more)

    def _execute_child(self, args: Any, *more: Any) -> None:
        cwd, environment = more[4:6]
        pipes = more[9:15]
        streams = [
            number if found == -1 else found
            for number, found in enumerate((pipes[0], pipes[3], pipes[5]))
        ]
        self.pid = self._server.fork(
            args,
            cwd or Path.cwd(),
            environment,
            streams,
            in_session=more[20],
            file_size=self._file_size,
        )
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]  private, unchanged since 3.11


class _Server:
    """The process that is forked, started for the first fork."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._starter = ThreadPoolExecutor(1)  # forks end with the thread that started the server
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        places = {"PYTHONPATH": os.pathsep.join(sys.path)}  # a child has our import path
        inherited = _BEFORE if module == _COMMAND else child.bare(_BEFORE) | places
        kept = {name: value for name, value in inherited.items() if name[:3] != "LC_"}
        with other:
            self._process = self._starter.submit(
                subprocess.Popen,
                [sys.executable, "-m", "support.forks", str(other.fileno()), module],
                cwd=Path(__file__).parents[1],
                env={**kept, **environment, "LANG": "C.UTF-8"},
                pass_fds=[other.fileno()],
            ).result()
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait(TIMEOUT)

    def fork(
        self,
        args: list[str],
        folder: object,
        environment: Mapping[str, str],
        streams: list[int],
        *,
        in_session: bool,
        file_size: int | None,
    ) -> int:
        """Fork; return the PID of the new process, a child of this one."""
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        request = [args, str(folder), dict(environment), os.getpid(), nohup, in_session, file_size]
        message = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._socket, [message], streams)
            return int(self._socket.recv(16))


_servers: Final[dict[tuple[int, str], _Server]] = {}


def _server(module: str, environment: Mapping[str, str] | None = None) -> _Server:
    """This process's server for a module, started with these additional variables."""
    known = os.getpid(), module
    if known not in _servers:
        _servers[known] = _Server(module, environment or {})
    return _servers[known]


def _serve(control: socket.socket) -> list[str] | None:
    """Fork for each message; in the child, return the command's arguments."""
    while True:
        message, streams, _, _ = socket.recv_fds(control, 1 << 20, 3)
        if not message:
            return None  # the requesting process has ended
        pid = _fork_for_parent()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # until Python would be up
            args, folder, environment, parent, nohup, in_session, size = json.loads(message)
            die_with_parent(parent)
            signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            control.close()
            if in_session:
                os.setsid()
                take_terminal()
            _open_streams(environment.get(_ENCODING, ""))
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.path[1:1] = filter(None, environment.get(_IMPORT_PATH, "").split(os.pathsep))
            if size is not None:
                limit_file_size(size)
            return list(args)
        for stream in streams:
            os.close(stream)
        control.send(str(pid).encode())


def _fork_for_parent() -> int:
    """`os.fork`, but the new process is a child of our parent, which requested it.

    With a process in between, the system would copy the tables of all memory twice, which is a
    third of a short command. The C library's own preparations are not needed: with one thread, no
    other one holds a lock.
    """
    flags = signal.SIGCHLD | _CLONE_PARENT | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID
    tid = _place_of_thread_number()
    assert tid is not None, "asked before the server was started"
    words = map(ctypes.c_long, _CLONES[platform.machine()](flags, tid))
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(ctypes.PyDLL(None).syscall(*words))
    if pid:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        assert pid > 0, "the system forks no more processes"
    else:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    return pid


def _place_of_thread_number() -> int | None:
    """The address at which the C library keeps the number of this thread; None if the system, such
    as one that imitates Linux, does not know it.
    """
    address = ctypes.c_void_p()
    failed = ctypes.CDLL(None).prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0)
    return None if failed else address.value


def _open_streams(encoding: str) -> None:
    """Reopen the streams that Python opened at start-up: how depends on whether they are terminals,
    and on the requested encoding.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        stream = open(  # noqa: SIM115  for the life of the process
            number,
            "w" if number else "r",
            buffering=1 if number == 2 or (number and os.isatty(number)) else -1,
            encoding=encoding or before.encoding,
            errors="strict" if encoding and number < 2 else before.errors,
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _main() -> None:
    control, program = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    gc.disable()
    for name in _loaded(program):
        import_module(name)
    gc.freeze()  # garbage collection in a fork would copy all pages
    gc.enable()
    args = _serve(control)
    if args is not None:
        sys.argv[1:] = args
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            _run(program)
        except SystemExit as end:
            _end(end.code)
            raise


def _loaded(program: str) -> Iterator[str]:
    """All modules that a program imports, sooner or later."""
    if program != _COMMAND:
        yield from (program, *_CHILDREN[program])
        return
    for module in walk_packages(rdimport.__path__, "rdimport."):
        if module.name != "rdimport.__main__":
            yield module.name
    yield from _LIBRARIES


def _run(program: str) -> None:
    if program == _COMMAND:
        runpy.run_module("rdimport", run_name="__main__", alter_sys=True)
    import_module(program).main()
    raise SystemExit(0)


def _end(code: object) -> None:
    """Exit as Python does, but without freeing memory, which would first copy it."""
    if isinstance(code, int):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


if __name__ == "__main__":
    _main()
