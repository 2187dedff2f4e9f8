"""How a process of ours starts another: the same Python, isolated, with nothing to give away."""

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
"""Isolated Python has its own library and its site's packages on the path; the rest comes after."""

_INHERITED: Final = frozenset(
    "PATH HOME USERPROFILE LANG LANGUAGE TZ TMPDIR TEMP TMP SYSTEMROOT SYSTEMDRIVE "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH".split()
)


def command(module: str) -> list[str]:
    """What runs the `main` of a module. `python -m` would run a `json.py` of the current folder,
    which may have come out of a stranger's archive: only what this program itself is made of is on
    its path.
    """
    home = Path(__file__).resolve().parents[2]
    try:
        foreign = {Path.cwd()} - {home}
    except OSError:  # it was deleted, and holds nothing
        foreign = set()
    places = [Path(where) for where in sys.path]
    ours = [str(p) for p in places if p.is_absolute() and p.resolve() not in foreign]
    child = _CHILD.format(module=module)
    return [sys.executable, "-I", "-c", child, *dict.fromkeys([*ours, str(home)])]


def bare(environment: Mapping[str, str]) -> dict[str, str]:
    """What the child needs of the environment: no key, and nothing that steers Python."""
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in _INHERITED or name.startswith("LC_")
    }


def own_group() -> dict[str, Any]:
    """Ctrl+C goes to all processes of a terminal: the parent must be able to finish first."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
