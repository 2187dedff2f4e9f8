"""Starts child processes: the same Python, isolated, without secrets in the environment; and the
programs named in the settings.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

from rdimport.core.errors import RdimportError
from rdimport.core.messages import _

_CHILD: Final = """\
import sys
sys.path += [where for where in sys.argv[1:] if where not in sys.path]
from {module} import main
main()
"""
"""In isolated mode the path has only the standard library and site packages; the rest is
appended.
"""

_ISOLATED: Final = ("-I", "-W", "ignore", "-c")
"""Options of Python. Warnings of libraries are for programmers."""

_INHERITED: Final = frozenset(
    "PATH HOME USERPROFILE LANG LANGUAGE TZ TMPDIR TEMP TMP SYSTEMROOT SYSTEMDRIVE "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH".split()
)


def start(
    module: str, environment: Mapping[str, str] | None = None, **streams: Any
) -> subprocess.Popen[bytes]:
    """Start the `main` of a module, with pipes to its standard input and output, and with these
    variables in addition to the few that it inherits.

    Raises RdimportError if the system has no room for another process.
    """
    try:
        return subprocess.Popen(  # noqa: S603  the command is ours
            command(module),
            env={**bare(os.environ), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **streams,
            **own_group(),
        )
    except OSError as error:
        raise RdimportError(
            _("A second process of rdimport cannot be started: {error}.", error=error),
            _("End other programs, or raise the limits for this one (ulimit -a)."),
        ) from error


def command(module: str) -> list[str]:
    """The command line that runs the `main` of a module.

    `python -m` would also import from the current folder, where a `json.py` may come from a
    stranger's archive. Here only the places that this program was loaded from are on the path.
    """
    home = Path(__file__).resolve().parents[2]
    try:
        foreign = {Path.cwd()} - {home}
    except OSError:  # deleted, so it contains nothing
        foreign = set()
    places = [Path(where) for where in sys.path]
    own_paths = [str(p) for p in places if p.is_absolute() and p.resolve() not in foreign]
    child = [*_ISOLATED, _CHILD.format(module=module)]
    return [sys.executable, *child, *dict.fromkeys([*own_paths, str(home)])]


def bare(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that the child needs: no key, and nothing that influences Python."""
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in _INHERITED or name.startswith("LC_")
    }


def own_group() -> dict[str, Any]:
    """Start the child in its own process group: Ctrl+C goes to all processes of a terminal, and the
    parent has to finish first.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def output_of(words: Sequence[str], most: int, seconds: float) -> tuple[int, bytes]:
    """Exit code and output of a user's program. It is killed once it has printed more than `most`
    bytes.

    Raises OSError if it cannot be started, TimeoutExpired if it prints or runs for too long.
    """
    process = subprocess.Popen(  # noqa: S603  the person's own settings name it
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    printed: list[bytes] = []

    def read(out: IO[bytes]) -> None:
        with out:
            printed.append(out.read(most + 1))

    # in a thread: programs started by this one may keep its output open
    reader = Thread(target=read, args=(process.stdout,), daemon=True)
    try:
        reader.start()
        reader.join(seconds)
        if not printed:
            raise subprocess.TimeoutExpired(words, seconds)
        if len(printed[0]) > most:
            process.kill()
        return process.wait(seconds), printed[0]
    finally:
        process.kill()
        process.wait()
