"""Starts child processes: the same Python, isolated, without secrets in the environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_CHILD: Final = """\
import sys
sys.path += [where for where in sys.argv[1:] if where not in sys.path]
from {module} import main
main()
"""
"""In isolated mode the path has only the standard library and site packages; the rest is
appended.
"""

_INHERITED: Final = frozenset(
    "PATH HOME USERPROFILE LANG LANGUAGE TZ TMPDIR TEMP TMP SYSTEMROOT SYSTEMDRIVE "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH".split()
)


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
    ours = [str(p) for p in places if p.is_absolute() and p.resolve() not in foreign]
    child = _CHILD.format(module=module)
    return [sys.executable, "-I", "-c", child, *dict.fromkeys([*ours, str(home)])]


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
