"""Copies of a ledger in other directories, and other names of its file (hard links, mounts).
Neither knows what is being sent from another one.

Only the witnesses and locks in the user's own folders show this: they are those of all directories.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import LedgerBusyError, LedgerLostError
from rdimport.core.looking import listed
from rdimport.core.messages import _
from rdimport.ledger import twins
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.sqlite.witness import ACCEPTED, Seen, last_of, outside, read, witness_name

if TYPE_CHECKING:
    from rdimport.ledger.sqlite.database import LedgerFile

_PASSING: Final = 1.0
"""Seconds to wait for a lock that a run which is refused holds only for a moment."""


@contextmanager
def alone(ledger: LedgerFile, account: str) -> Iterator[None]:
    """Hold the account among all copies of the ledger and all names of its file: each directory has
    locks of its own. Raises LedgerBusyError.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  asyncio comes with it

    own = outside(ledger.path.parent)
    with ExitStack() as held:
        try:
            if own is not None:
                name = Path(witness_name(ledger.key, account)).with_suffix(".lock")
                own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = FileLock(own.parent / name, timeout=_PASSING, mode=0o600)
                held.enter_context(lock)
        except Timeout:
            raise _busy(ledger, account) from None
        except (OSError, NotImplementedError):  # the home directory is read-only or missing
            pass
        yield


def _busy(ledger: LedgerFile, account: str) -> LedgerBusyError:
    return LedgerBusyError(
        _(
            "Account “{account}” is in use: by a run with a copy of the ledger {path} in another "
            "directory, or with the same file under another name.",
            account=account,
            path=ledger.path,
        ),
        _("Nothing was sent. Name the same --state-dir in all runs of this account."),
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
