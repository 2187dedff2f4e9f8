"""Temporary files, distinguishable from those that a killed process left.

A file is locked while its process lives; the system releases the lock however the process ends. On
Windows, which cannot rename an open file, another file next to it is open instead: one that is open
cannot be removed there.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rdimport.core.looking import exists, listed

HALF: Final = ".half"
_SCRATCH: Final = ".scratch"
_OPEN: Final = ".half-open"
"""Suffix of the file that is open in place of the other one, on Windows."""


@contextmanager
def half_written(path: Path) -> Iterator[Path]:
    """A new hidden file next to `path`, for its owner only; removed unless it is renamed."""
    half, number = _made(path)
    try:
        yield half
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        os.close(number)
        if sys.platform == "win32":
            with suppress(OSError):
                half.with_suffix(_OPEN).unlink(missing_ok=True)


@contextmanager
def scratch_of(half: Path) -> Iterator[Path]:
    """A temporary folder that belongs to such a file, removed at the end."""
    folder = half.with_suffix(_SCRATCH)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(path: Path) -> tuple[Path, int]:
    if path.name in ("", ".."):  # those of `.` and `/` are empty
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    while True:
        half = path.with_name(f".{path.name}.{secrets.token_hex(4)}{HALF}")
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
        if sys.platform == "win32":
            number = os.open(half.with_suffix(_OPEN), flags, 0o600)
            os.close(os.open(half, flags, 0o600))
            return half, number
        number = os.open(half, flags, 0o600)
        import fcntl  # noqa: PLC0415  Windows has none

        with suppress(OSError):  # the file system has no locks
            fcntl.flock(number, fcntl.LOCK_EX)
        if exists(half):  # another process's `sweep` may have removed it before it was locked
            return half, number
        os.close(number)


def sweep(folder: Path) -> list[Path]:
    """Remove what killed processes left in a folder, and return what could not be removed.

    Files of living processes are kept. Raises OSError for a folder that may not be listed.
    """
    kept: list[Path] = []
    for half in listed(folder, f".*{HALF}"):
        try:
            if _is_left(half):
                half.unlink(missing_ok=True)
        except OSError:
            kept.append(half)
    for scratch in listed(folder, f".*{_SCRATCH}"):
        if not exists(scratch.with_suffix(HALF)):
            shutil.rmtree(scratch, ignore_errors=True)
            kept += [scratch] if exists(scratch) else []
    if sys.platform == "win32":
        for mark in listed(folder, f".*{_OPEN}"):
            with suppress(PermissionError):
                mark.unlink(missing_ok=True)
    return kept


def _is_left(half: Path) -> bool:
    """Whether the process that wrote it has ended."""
    if sys.platform == "win32":
        try:
            half.with_suffix(_OPEN).unlink(missing_ok=True)
        except PermissionError:
            return False
        return True
    import fcntl  # noqa: PLC0415  Windows has none

    number = os.open(half, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(number)
    return True
