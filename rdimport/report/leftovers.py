"""What a process that may be killed writes: told apart from what a dead one left behind.

A file is locked while its process lives, and the system lets go of the lock however that ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

HALF: Final = ".half"
_SCRATCH: Final = ".scratch"


@contextmanager
def half_written(path: Path) -> Iterator[Path]:
    """A new hidden file beside `path`, for its owner only, which is gone at the end unless it has
    been given another name.
    """
    half, number = _made(path)
    try:
        yield half
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        os.close(number)


@contextmanager
def scratch_of(half: Path) -> Iterator[Path]:
    """A folder that goes with a file that is half written, and is gone at the end."""
    folder = half.with_suffix(_SCRATCH)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(path: Path) -> tuple[Path, int]:
    while True:
        half = path.with_name(f".{path.name}.{secrets.token_hex(4)}{HALF}")
        number = os.open(half, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        if os.name != "posix":  # Windows gives an open file no other name
            os.close(number)
            return half, os.open(os.devnull, os.O_RDONLY)
        import fcntl  # noqa: PLC0415  Windows has none

        with suppress(OSError):  # a file system without locks
            fcntl.flock(number, fcntl.LOCK_EX)
        if half.exists():  # `sweep` of another process may have had it before it was locked
            return half, number
        os.close(number)


def sweep(folder: Path) -> list[Path]:
    """Remove from a folder what processes that died left half written; returns what could not be
    removed. What is being written stays, and is none of these.
    """
    kept: list[Path] = []
    for half in sorted(folder.glob(f".*{HALF}")):
        try:
            if _is_left(half):
                half.unlink(missing_ok=True)
        except OSError:
            kept.append(half)
    for scratch in sorted(folder.glob(f".*{_SCRATCH}")):
        if not scratch.with_suffix(HALF).exists():
            shutil.rmtree(scratch, ignore_errors=True)
            kept += [scratch] if scratch.exists() else []
    return kept


def _is_left(half: Path) -> bool:
    """Has the process that wrote it ended?"""
    if os.name != "posix":  # Windows removes no file that is open
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
