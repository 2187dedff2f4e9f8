"""Locks an account of a ledger: two concurrent runs would send the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.core.messages import _
from rdimport.ledger.sqlite.account_locks import PASSING, gate_file, lock_file, unusable
from rdimport.ledger.sqlite.witness import identity, outside

WhoHas = Callable[[str], tuple[int, str] | None]
"""Maps an account to process and start of its run without an end."""


class Held:
    """The lock of an active run."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._was = identity(path)

    def is_held(self) -> bool:
        """Whether it is still the lock that others would meet. If the file was removed, they create
        and lock a new one.
        """
        return self._was is not None and identity(self._path) == self._was


@contextmanager
def locked(state_dir: Path, account: str, who_has: WhoHas) -> Iterator[Held]:
    """Hold the account's lock. Raises LedgerBusyError naming the run that holds it.

    The system releases the lock when its process ends, however it ends.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  asyncio comes with it

    with ExitStack() as stack:
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _hold_outside(state_dir, account, stack)
            path = lock_file(state_dir, account)
            lock = FileLock(path, timeout=PASSING, mode=0o600)
            stack.enter_context(lock)
            with FileLock(gate_file(state_dir), timeout=PASSING, mode=0o600):
                pass  # nobody keeps runs from beginning
        except Timeout:
            raise _busy(state_dir, account, who_has) from None
        except (OSError, NotImplementedError) as error:  # the latter: the file system has no locks
            raise unusable(state_dir, error) from error
        yield Held(path)


def _hold_outside(state_dir: Path, account: str, stack: ExitStack) -> None:
    """Hold a second lock in the user's own folders, if there are any, so that emptying the state
    directory does not free an account in use. Raises Timeout.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  asyncio comes with it

    beyond = outside(state_dir)
    if beyond is None:
        return
    try:
        beyond.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = lock_file(beyond, account)
        stack.enter_context(FileLock(path, timeout=PASSING, mode=0o600))
    except Timeout:
        raise
    except (OSError, NotImplementedError):  # the home directory is read-only or missing
        return


def _busy(state_dir: Path, account: str, who_has: WhoHas) -> LedgerBusyError:
    """Describe the holder of the lock: a run without an end, unless it was killed and a purge has
    the lock.
    """
    run = _("another run that has just started")
    with suppress(LedgerError):
        found = who_has(account)
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
        _("Nothing was sent. Wait for it, or try again later: exit code 75 tells cron so."),
    )
