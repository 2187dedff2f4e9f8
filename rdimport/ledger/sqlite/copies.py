"""Copies of a ledger in other directories, and other names of its file (hard links, mounts).
Neither knows what is being sent from another one.

Only the witnesses and locks in the user's own folders show this: they are those of all directories.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import LedgerBusyError, LedgerLostError
from rdimport.core.looking import exists, listed
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.shell import joined
from rdimport.ledger import twins
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.sqlite.account_locks import folder_of_locks, is_locked, is_taken, lock_of
from rdimport.ledger.sqlite.witness import (
    ACCEPTED,
    SUFFIX,
    Seen,
    last_of,
    outside,
    read,
    witness_name,
)

if TYPE_CHECKING:
    from rdimport.ledger.sqlite.database import LedgerFile

_OPEN: Final = ".open"
"""Suffix of the locks of processes that may write to a ledger with several names."""

_PASSING: Final = 1.0
"""Seconds to wait for a lock that a run which is refused holds only for a moment."""


@contextmanager
def alone(ledger: LedgerFile, account: str) -> Iterator[None]:
    """Hold the account among all copies of the ledger and all names of its file: each directory has
    locks of its own. Raises LedgerBusyError.
    """
    from filelock import Timeout  # noqa: PLC0415  asyncio comes with it

    own = folder_of_locks(ledger.path.parent)
    with ExitStack() as held:
        try:
            if own is not None:
                name = Path(witness_name(ledger.key, account)).with_suffix(".lock")
                own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                held.enter_context(lock_of(own.parent / name, _PASSING))
        except Timeout:
            raise _busy(ledger, account) from None
        except (OSError, NotImplementedError):  # the home directory is read-only or missing
            pass
        yield


def refuse_other_name(ledger: LedgerFile, held: str | None = None) -> None:
    """Raise LedgerBusyError if a run or a command is using the ledger's file under another name,
    LedgerLostError if a killed one left records in the log of that name. Each name has a log
    (`-wal`) of its own, and who writes without the other one damages the ledger. Until the ledger
    is closed, others see in the same way that it is open under this name.

    `held` is the account of this directory that this process itself holds.
    """
    own = folder_of_locks(ledger.path.parent)
    if own is None:
        return
    names = _other_names(ledger)
    if not names and ledger.path.stat().st_nlink == 1:
        return
    _show_open(ledger, own)  # before looking: of two that open it at once, none or one goes on
    locks = _listed(own.parent, str(Path(witness_name(ledger.key)).with_suffix(".lock")))
    taken = [lock.with_suffix(SUFFIX).name for lock in locks if is_taken(lock)]
    found = ledger.query("SELECT DISTINCT account FROM destination") if taken else []
    accounts = {witness_name(ledger.key, name): name for (name,) in found}
    for witness in taken:
        account = accounts.get(witness, "?")  # "?": its first run, which only the other log has
        # not the locks next to the ledger, which `cp -al` links too
        if fold(account) == fold(held or "") or not is_locked(own, account):
            raise _busy(ledger, account)
    if _is_open_elsewhere(ledger, own):
        raise _open_elsewhere(ledger)
    for other in names:
        log = other.with_name(f"{other.name}-wal")
        if exists(log) and log.stat().st_size:
            raise _unfinished(ledger, other)


def _show_open(ledger: LedgerFile, own: Path) -> None:
    """Hold a lock of this process until the ledger is closed."""
    from filelock import Timeout  # noqa: PLC0415  asyncio comes with it

    name = f"{ledger_id(ledger.key)[:8]}-{os.getpid()}-{id(ledger):x}{_OPEN}"
    with suppress(OSError, NotImplementedError, Timeout):  # the home directory is read-only
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        ledger.closing.callback((own / name).unlink, missing_ok=True)
        ledger.closing.enter_context(lock_of(own / name, 0))


def _is_open_elsewhere(ledger: LedgerFile, own: Path) -> bool:
    pattern = f"{ledger_id(ledger.key)[:8]}-*{_OPEN}"
    folders = [folder for folder in _listed(own.parent) if folder != own]
    return any(is_taken(lock) for folder in folders for lock in _listed(folder, pattern))


def _open_elsewhere(ledger: LedgerFile) -> LedgerBusyError:
    return LedgerBusyError(
        _(
            "The ledger {path} is in use under another name of its file, in another directory.",
            path=ledger.path,
        ),
        _("Nothing was done. Name the same --state-dir in all commands for this account."),
    )


def _other_names(ledger: LedgerFile) -> list[Path]:
    """The other names under which rows were sent from the ledger's file."""
    own = outside(ledger.path.parent)
    if own is None:
        return []
    pattern = witness_name(ledger.key)
    folders = [folder for folder in _listed(own.parent) if folder != own]
    seen = [read(path) for folder in folders for path in _listed(folder, pattern)]
    directories = {Path(one.directory) for one in seen if one} - {ledger.path.parent}
    names = [directory / ledger.path.name for directory in sorted(directories)]
    same = [name for name in names if exists(name) and name.samefile(ledger.path)]
    return [name for name in same if not name.parent.samefile(ledger.path.parent)]


def _unfinished(ledger: LedgerFile, other: Path) -> LedgerLostError:
    return LedgerLostError(
        _(
            "The ledger {path} is the same file as {other}, whose log (-wal) contains records that "
            "are not in the file yet: a run with that name is in progress or was killed. Writing "
            "to it here would damage it.",
            path=ledger.path,
            other=other,
        ),
        _("Use that one: {where}", where=joined(["--state-dir", str(other.parent)])),
    )


def _busy(ledger: LedgerFile, account: str) -> LedgerBusyError:
    return LedgerBusyError(
        _(
            "Account “{account}” is in use: by a run with a copy of the ledger {path} in another "
            "directory, or with the same file under another name.",
            account=account,
            path=ledger.path,
        ),
        _("Nothing was done. Name the same --state-dir in all commands for this account."),
    )


def refuse_behind(ledger: LedgerFile, account: str | None) -> None:
    """Raise LedgerLostError if rows of the account, or of any, were sent from a copy of the ledger
    in another directory, by a run that this ledger does not know to its end.
    """
    state_dir = ledger.path.parent
    found = [read(path) for path in _elsewhere(state_dir, witness_name(ledger.key, account))]
    later = [one for one in found if one and _lacks(ledger, one)]
    if not later:
        return
    directory = max(later, key=lambda one: one.until).directory
    raise LedgerLostError(
        _(
            "Rows were sent from a copy of the ledger {path}, in {directory}: {last}. This one "
            "does not know all of them, and they would be sent again.",
            path=ledger.path,
            directory=directory,
            last=last_of(later),
        ),
        twins.remedy(["--state-dir", directory], ["--state-dir", str(state_dir.absolute())]),
    )


def _lacks(ledger: LedgerFile, one: Seen) -> bool:
    """Whether the ledger lacks records that a witness of its copy stands for."""
    if one.ledger != ledger_id(ledger.key):
        return False
    # a run that the copy marked as killed, with an exit code, may still have been sending
    known = ledger.query("SELECT finished_at IS NOT NULL FROM run WHERE name = ?", one.run)
    return not known or (not known[0][0] and one.writes > ledger.writes())


def latest_elsewhere(state_dir: Path) -> list[Seen]:
    """The latest witness of each ledger in each other directory."""
    found = filter(None, map(read, _elsewhere(state_dir, f"*{SUFFIX}")))
    ordered = sorted(found, key=lambda one: one.until)
    return list({(one.ledger, one.directory): one for one in ordered}.values())


def accept(state_dir: Path, key: bytes) -> None:
    """Accept that what copies in other directories have sent until now is sent again."""
    for path in _elsewhere(state_dir, witness_name(key)):
        kept = _kept(state_dir, path)
        shutil.copyfile(path, kept)
        kept.chmod(0o600)


def _elsewhere(state_dir: Path, name: str) -> list[Path]:
    """Witnesses of that name in other directories, except those accepted as they are."""
    own = outside(state_dir)
    if own is None:
        return []
    folders = (folder for folder in _listed(own.parent) if folder != own)
    found = [path for folder in folders for path in _listed(folder, name)]
    return [path for path in found if not _is_accepted(state_dir, path)]


def _is_accepted(state_dir: Path, path: Path) -> bool:
    with suppress(OSError):
        return _kept(state_dir, path).read_bytes() == path.read_bytes()
    return False


def _kept(state_dir: Path, path: Path) -> Path:
    return state_dir / f"{path.parent.name}-{path.stem}{ACCEPTED}"


def _listed(folder: Path, pattern: str = "*") -> list[Path]:
    """The entries of a folder; none if it may not be listed: cron may have another user's home."""
    try:
        return listed(folder, pattern)
    except OSError:
        return []
