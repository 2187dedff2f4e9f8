"""A folder in memory for everything the tests write, if the system has one with enough room.

Ledgers and databases wait for the disk at each commit, which adds up to minutes. Their behaviour is
the same. `TMPDIR=/tmp make test` uses the disk.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  Linux's; each run has its own folder there
_PREFIX: Final = "rdimport-tests-"
_ROOM: Final = 6 << 30
"""Bytes that must be free, there and in memory."""


def take_folder() -> Path | None:
    """Create it for this process and its children; return None where that is not possible."""
    if "TMPDIR" in os.environ or not _has_room():
        return None
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_MEMORY))
    folder.chmod(0o1777)  # as /tmp: some tests write to it as another user
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def in_memory(folder: Path) -> bool:
    """Whether a folder is in memory."""
    return folder.is_relative_to(_MEMORY)


def _has_room() -> bool:
    """Whether there is enough room. Programs must be executable there, too."""
    if sys.platform != "linux" or not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return False
    is_for_data = os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    return not is_for_data and min(shutil.disk_usage(_MEMORY).free, _available()) > _ROOM


def _available() -> int:
    """Bytes of memory still available to programs: the folder may claim more."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(kilobytes) << 10


def _sweep() -> None:
    """Remove what failed or killed runs left there: it takes memory."""
    for left in _MEMORY.glob(f"{_PREFIX}*"):
        run = left.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", run).exists():
            shutil.rmtree(left, ignore_errors=True)
