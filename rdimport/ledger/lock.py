"""One run at a time for a ledger and an account: two would send the same rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.ledger import Ledger

_STATUS_LOOKS: Final = 1.0
"""Seconds to wait: `status` holds the lock for a moment to see whether anybody else does."""


@contextmanager
def locked(state_dir: Path, account: str) -> Iterator[None]:
    """Hold the account's lock. Raises LedgerBusyError that names the run that may have it.

    The system lets go of the lock when its process ends, however it ends.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(state_dir / f"{_slug(account)}.lock", timeout=_STATUS_LOOKS, mode=0o600)
        lock.acquire()
    except Timeout:
        raise _busy(state_dir, account) from None
    except OSError as error:
        raise LedgerError(
            f"The state directory {state_dir} cannot be used: {error}.",
            "Correct its permissions, or name another --state-dir.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(state_dir: Path, account: str) -> bool:
    """Is a run of this account at work?"""
    path = state_dir / f"{_slug(account)}.lock"
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


def _slug(account: str) -> str:
    """A file's name for an account: readable, and different for different accounts."""
    plain = re.sub(r"[^a-z0-9]+", "-", account.lower()).strip("-")[:40]
    return f"{plain}-{blake2b(account.encode(), digest_size=4).hexdigest()}"


def _busy(state_dir: Path, account: str) -> LedgerBusyError:
    """Who has the lock: a run without an end, unless that was killed and a purge has it. Only looks
    into the ledger, which that one may be writing.
    """
    run = "another run that has just begun"
    with suppress(LedgerError):
        ledger = Ledger.if_there(state_dir)
        if ledger is not None:
            with ledger:
                found = ledger.at_work(account)
            if found:
                run = "another run (process {}, started {})".format(*found)
    return LedgerBusyError(
        f"Account “{account}” is in use: by {run}, or by a purge of its ledger in {state_dir}.",
        "Nothing was sent. Wait for it, or try again later: exit code 75 says so to cron.",
    )
