"""A lock file for each account of a state directory; the runs of one account take turns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from rdimport.core.errors import LedgerError
from rdimport.core.looking import exists, is_folder
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.ledger.sqlite.witness import outside

PASSING: Final = 1.0
"""Seconds to wait for a lock that others hold only for a moment, to see whether it is free."""

_EVERYBODY: Final = "everybody.lock"


def gate_file(state_dir: Path) -> Path:
    """The lock file that keeps runs from beginning, also those of accounts without a lock file yet.
    A process that has locked an account checks that this one is free.
    """
    return state_dir / _EVERYBODY


def lock_file(state_dir: Path, account: str) -> Path:
    """The lock file of an account: readable, and unique to it."""
    name = fold(account)
    plain = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:40]
    return state_dir / f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}.lock"


def unusable(state_dir: Path, error: Exception) -> LedgerError:
    """The error for a state directory in which no lock can be held."""
    return LedgerError(
        _(
            "The state directory {state_dir} cannot be used: {error}.",
            state_dir=state_dir,
            error=error,
        ),
        _("Correct its permissions, or name another --state-dir."),
    )


def is_locked(state_dir: Path, account: str) -> bool:
    """Whether a run of this account is active."""
    places = (state_dir, outside(state_dir))
    return any(_is_taken(lock_file(place, account)) for place in places if place)


def _is_taken(path: Path) -> bool:
    from filelock import FileLock, Timeout  # noqa: PLC0415  asyncio comes with it

    if not exists(path):
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
    """Hold the gate and the locks of all known accounts, so that no run can begin; yields whether
    that was possible. Raises LedgerError for a state directory that cannot be used.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  asyncio comes with it

    with ExitStack() as held:
        free = True
        try:
            if is_folder(state_dir):
                gate = FileLock(gate_file(state_dir), timeout=PASSING, mode=0o600)
                held.enter_context(gate)
            for path in _lock_files(state_dir):  # read now: from here on no run adds one
                held.enter_context(FileLock(path, timeout=0, mode=0o600))
        except Timeout:
            free = False
            held.close()
        except OSError as error:
            raise unusable(state_dir, error) from error
        yield free


def _lock_files(state_dir: Path) -> list[Path]:
    found: list[Path] = []
    for place in filter(None, (outside(state_dir), state_dir)):
        with suppress(FileNotFoundError, NotADirectoryError):
            found += sorted(place.iterdir())  # glob finds nothing where it may not look
    return [path for path in found if path.suffix == ".lock" and path.name != _EVERYBODY]
