"""A lock file for each account: two concurrent runs of it would send the same rows."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import LedgerBusyError, LedgerError
from rdimport.core.looking import exists, is_folder, listed
from rdimport.core.messages import _
from rdimport.core.messages.written import second
from rdimport.core.names import fold
from rdimport.ledger.sqlite.witness import identity, name_of, outside

if TYPE_CHECKING:
    from filelock import FileLock

_PASSING: Final = 1.0
"""Seconds to wait for a lock that others hold only for a moment, to see whether it is free."""

_EVERYBODY: Final = "everybody.lock"

WhoHas = Callable[[str], tuple[int, str] | None]
"""Maps an account to process and start of its run without an end."""


class Held:
    """The lock of an active run."""

    def __init__(self, path: Path, until_released: ExitStack) -> None:
        self._path = str(path.absolute())  # the program may change its current folder
        self._was = identity(path)
        self._until_released = until_released

    def hold_with_it(self, lock: AbstractContextManager[None]) -> None:
        """Hold another lock until this one is released."""
        self._until_released.enter_context(lock)

    def is_held(self) -> bool:
        """Whether others would find this lock: where its file was removed, they make a new one."""
        return self._was is not None and identity(self._path) == self._was


def lock_of(path: Path, patience: float) -> FileLock:
    """The lock of a file. The thread that releases it need not be the one that took it."""
    from filelock import FileLock  # noqa: PLC0415  asyncio comes with it

    return FileLock(path, timeout=patience, mode=0o600, thread_local=False)


@contextmanager
def locked(
    state_dir: Path, account: str, who_has: WhoHas, *, at_once: bool = False
) -> Iterator[Held]:
    """Hold the account's lock. Raises LedgerBusyError naming the run that holds it.

    The system releases the lock when its process ends, however it ends.
    """
    from filelock import Timeout  # noqa: PLC0415  as above

    patience = 0.0 if at_once else _PASSING
    with ExitStack() as stack:
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _hold_outside(state_dir, account, stack, patience)
            path = _lock_file(state_dir, account)
            stack.enter_context(lock_of(path, patience))
            with lock_of(_gate_file(state_dir), patience):
                pass  # no other process prevents runs from beginning
        except Timeout:
            raise _busy(state_dir, account, who_has) from None
        except (OSError, NotImplementedError) as error:  # the latter: the file system has no locks
            raise _unusable(state_dir, error) from error
        yield Held(path, stack)


def folder_of_locks(state_dir: Path) -> Path | None:
    """The folder outside of a state directory for its locks: the user's own or, where that cannot
    be written to, as with cron in a container, one among the temporary files.
    """
    own = outside(state_dir)
    if sys.platform == "win32" or (own is not None and _can_be_made(own)):
        return own
    from tempfile import gettempdir  # noqa: PLC0415  hardly any user needs it

    with suppress(OSError):
        folder = Path(gettempdir()) / f"rdimport-locks-{os.geteuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()  # somebody else may have made it first
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if is_ours and not found.st_mode & 0o022:
            return folder / name_of(state_dir)
    return own


def _can_be_made(folder: Path) -> bool:
    there = next((place for place in (folder, *folder.parents) if exists(place)), folder)
    return os.access(there, os.W_OK | os.X_OK)


def _hold_outside(state_dir: Path, account: str, stack: ExitStack, patience: float) -> None:
    """Hold a second lock outside of the state directory, so that emptying the state directory does
    not free an account in use. Raises Timeout after `patience` seconds.
    """
    from filelock import Timeout  # noqa: PLC0415  as above

    beyond = folder_of_locks(state_dir)
    if beyond is None:
        return
    try:
        beyond.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = _lock_file(beyond, account)
        stack.enter_context(lock_of(path, patience))
    except Timeout:
        raise
    except (OSError, NotImplementedError):  # the home directory is read-only or missing
        return


def _busy(state_dir: Path, account: str, who_has: WhoHas) -> LedgerBusyError:
    """Describe the holder of the lock: a run without an end or, if it was killed, a purge."""
    run = _("another run that has just started")
    with suppress(LedgerError):
        found = who_has(account)
        if found:
            process, start = found
            run = _(
                "another run (process {process}, started {start})",
                process=process,
                start=second(start),
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


def _gate_file(state_dir: Path) -> Path:
    """The lock file that prevents all runs from beginning, also of accounts without a lock file
    yet. A process that has locked an account checks that this one is free.
    """
    return state_dir / _EVERYBODY


def _lock_file(state_dir: Path, account: str) -> Path:
    """The lock file of an account: readable, and unique to it."""
    name = fold(account)
    plain = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:40]
    return state_dir / f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}.lock"


def _unusable(state_dir: Path, error: Exception) -> LedgerError:
    """The error for a state directory in which no lock can be held."""
    return LedgerError(
        _(
            "The state directory {state_dir} cannot be used: {error}.",
            state_dir=state_dir,
            error=error,
        ),
        _(
            "Correct its permissions, or move the whole directory and name its new place with "
            "--state-dir: an empty one would not know what was sent from this one."
        ),
    )


def is_locked(state_dir: Path, account: str) -> bool:
    """Whether a run of this account is active."""
    places = (state_dir, folder_of_locks(state_dir))
    return any(is_taken(_lock_file(place, account)) for place in places if place)


def is_taken(path: Path) -> bool:
    """Whether a process holds a lock file."""
    from filelock import Timeout  # noqa: PLC0415  as above

    if not exists(path):
        return False
    lock = lock_of(path, 0)
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
    from filelock import Timeout  # noqa: PLC0415  as above

    with ExitStack() as held:
        free = True
        try:
            if is_folder(state_dir):
                held.enter_context(lock_of(_gate_file(state_dir), _PASSING))
            for path in _lock_files(state_dir):  # read now: from here on no run adds one
                held.enter_context(lock_of(path, 0))
        except Timeout:
            free = False
            held.close()
        except OSError as error:
            raise _unusable(state_dir, error) from error
        yield free


def _lock_files(state_dir: Path) -> list[Path]:
    places = filter(None, (folder_of_locks(state_dir), state_dir))
    found = (path for place in places for path in listed(place, "*.lock"))
    return [path for path in found if path.name != _EVERYBODY]
