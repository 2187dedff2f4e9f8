"""One run at a time for a ledger and an account: two would send the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.ledger import Ledger
from rdimport.ledger.account_locks import is_locked, lock_file, nobody_at_work

__all__ = ["is_locked", "locked", "nobody_at_work"]

_STATUS_LOOKS: Final = 1.0
"""Seconds to wait: `status` holds the lock for a moment to see whether anybody else does."""


@contextmanager
def locked(state_dir: Path, account: str) -> Iterator[None]:
    """Hold the account's lock. Raises LedgerBusyError that names the run that may have it.

    The system lets go of the lock when its process ends, however it ends.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(lock_file(state_dir, account), timeout=_STATUS_LOOKS, mode=0o600)
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
