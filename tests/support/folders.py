"""A folder in memory for all that the tests write, where the system has one with room.

Ledgers and databases wait for the disk at each commit: on a disk, the tests do so for minutes. What
they do is the same. `TMPDIR=/tmp make test` takes the disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  Linux's; each run has a folder of its own there
_PREFIX: Final = "rdimport-tests-"
_ROOM: Final = 6 << 30
"""Bytes that have to be free, there and in memory."""


def take_folder() -> Path | None:
    """Make it, for this process and those that it starts; None where there is none to be made."""
    if "TMPDIR" in os.environ or not _has_room():
        return None
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_MEMORY))
    folder.chmod(0o1777)  # as /tmp: some tests write to it as another user
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def in_memory(folder: Path) -> bool:
    """Whether it is in such a folder."""
    return folder.is_relative_to(_MEMORY)


def _has_room() -> bool:
    """Programs, too, have to start from there."""
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return False
    is_for_data = os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    return not is_for_data and min(shutil.disk_usage(_MEMORY).free, _available()) > _ROOM


def _available() -> int:
    """Bytes of memory that programs could still get: such a folder may promise more."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(kilobytes) << 10


def _sweep() -> None:
    """Remove what runs that failed or were killed left there: it takes memory."""
    for left in _MEMORY.glob(f"{_PREFIX}*"):
        run = left.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", run).exists():
            shutil.rmtree(left, ignore_errors=True)
