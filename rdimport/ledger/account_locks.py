"""The lock of each account of a state directory; the runs of one account take turns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from filelock import FileLock, Timeout

from rdimport.core.names import fold


def lock_file(state_dir: Path, account: str) -> Path:
    """The account's file: readable, and different for different accounts."""
    name = fold(account)
    plain = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:40]
    return state_dir / f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}.lock"


def is_locked(state_dir: Path, account: str) -> bool:
    """Is a run of this account at work?"""
    path = lock_file(state_dir, account)
    if not path.exists():
        return False
    lock = FileLock(path, timeout=0, mode=0o600)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return True
    lock.release()
    return False


@contextmanager
def nobody_at_work(state_dir: Path) -> Iterator[bool]:
    """Hold the locks of all accounts that ever had one, so that no run of theirs can begin; tells
    whether that was possible.
    """
    held: list[FileLock] = []
    free = True
    try:
        for path in sorted(state_dir.glob("*.lock")):
            lock = FileLock(path, timeout=0, mode=0o600)
            try:
                lock.acquire()
            except (Timeout, OSError):
                free = False
                break
            held.append(lock)
        yield free
    finally:
        for lock in held:
            lock.release()
