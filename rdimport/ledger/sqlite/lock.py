"""One run at a time for a ledger and an account: two would send the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from rdimport.core.clock import Clock
from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.core.messages import _
from rdimport.ledger.sqlite.account_locks import is_locked, lock_file, nobody_at_work
from rdimport.ledger.sqlite.ledger import Ledger
from rdimport.ledger.sqlite.witness import identity, outside

__all__ = ["Held", "is_locked", "locked", "nobody_at_work", "wait_for"]

_STATUS_LOOKS: Final = 1.0
"""Seconds to wait: `status` holds the lock for a moment to see whether anybody else does."""


_BETWEEN_LOOKS: Final = 0.5
"""Seconds between two looks at an account that is in use."""


class Held:
    """The lock of a run that is at work."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._was = identity(path)

    def is_held(self) -> bool:
        """Is it still the one that others would meet? They make a new one of a file that somebody
        removed, and get that.
        """
        return self._was is not None and identity(self._path) == self._was


async def wait_for(
    state_dir: Path, account: str, clock: Clock, seconds: float, given_up: Callable[[], bool]
) -> AbstractContextManager[Held]:
    """The account's lock, held until it is closed, once whoever has it lets go of it. Raises
    LedgerBusyError where that takes longer, or where waiting was `given_up`.
    """
    end = clock.monotonic() + seconds
    while True:
        with ExitStack() as stack:
            try:
                held = stack.enter_context(locked(state_dir, account))
            except LedgerBusyError:
                if given_up() or clock.monotonic() >= end:
                    raise
            else:
                return _Holding(held, stack.pop_all())
        await clock.sleep(_BETWEEN_LOOKS)


class _Holding(AbstractContextManager[Held]):
    def __init__(self, held: Held, stack: ExitStack) -> None:
        self._held, self._stack = held, stack

    def __enter__(self) -> Held:
        return self._held

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextmanager
def locked(state_dir: Path, account: str) -> Iterator[Held]:
    """Hold the account's lock. Raises LedgerBusyError that names the run that may have it.

    The system lets go of the lock when its process ends, however it ends.
    """
    with ExitStack() as stack:
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _hold_outside(state_dir, account, stack)
            path = lock_file(state_dir, account)
            lock = FileLock(path, timeout=_STATUS_LOOKS, mode=0o600)
            stack.enter_context(lock)
        except Timeout:
            raise _busy(state_dir, account) from None
        except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
            raise LedgerError(
                _(
                    "The state directory {state_dir} cannot be used: {error}.",
                    state_dir=state_dir,
                    error=error,
                ),
                _("Correct its permissions, or name another --state-dir."),
            ) from error
        yield Held(path)


def _hold_outside(state_dir: Path, account: str, stack: ExitStack) -> None:
    """Hold a lock in the user's own folders too, where there are any: who empties the state
    directory does not free an account that is at work. Raises Timeout.
    """
    beyond = outside(state_dir)
    if beyond is None:
        return
    try:
        beyond.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = lock_file(beyond, account)
        stack.enter_context(FileLock(path, timeout=_STATUS_LOOKS, mode=0o600))
    except Timeout:
        raise
    except (OSError, NotImplementedError):  # a home that is read-only, or is not there
        return


def _busy(state_dir: Path, account: str) -> LedgerBusyError:
    """Who has the lock: a run without an end, unless that was killed and a purge has it. Only looks
    into the ledger, which that one may be writing.
    """
    run = _("another run that has just begun")
    with suppress(LedgerError):
        ledger = Ledger.if_there(state_dir)
        if ledger is not None:
            with ledger:
                found = ledger.at_work(account)
            if found:
                process, start = found
                run = _(
                    "another run (process {process}, started {start})",
                    process=process,
                    start=start,
                )
    return LedgerBusyError(
        _(
            "Account “{account}” is in use: by {run}, or by a purge of its ledger in {state_dir}.",
            account=account,
            run=run,
            state_dir=state_dir,
        ),
        _("Nothing was sent. Wait for it, or try again later: exit code 75 says so to cron."),
    )
