"""A lock file for each account of a state directory; the runs of one account take turns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path

from rdimport.core.names import fold
from rdimport.ledger.sqlite.witness import outside


def lock_file(state_dir: Path, account: str) -> Path:
    """The lock file of an account: readable, and unique to it."""
    name = fold(account)
    plain = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:40]
    return state_dir / f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}.lock"


def is_locked(state_dir: Path, account: str) -> bool:
    """Whether a run of this account is active."""
    places = (state_dir, outside(state_dir))
    return any(_is_taken(lock_file(place, account)) for place in places if place)


def _is_taken(path: Path) -> bool:
    from filelock import FileLock, Timeout  # noqa: PLC0415  asyncio comes with it

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
    """Hold the locks of all known accounts, so that none of their runs can begin; yields whether
    that was possible.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  asyncio comes with it

    places = [place for place in (outside(state_dir), state_dir) if place]
    with ExitStack() as held:
        free = True
        for path in [path for place in places for path in sorted(place.glob("*.lock"))]:
            try:
                held.enter_context(FileLock(path, timeout=0, mode=0o600))
            except (Timeout, OSError):
                free = False
                break
        yield free
