"""Refuses a ledger that someone else made or can change: its contents decide who is sent.

The folder and the file must belong to the user or to root.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from pathlib import Path

from rdimport.core.errors import LedgerError
from rdimport.core.looking import exists
from rdimport.core.messages import _
from rdimport.core.shell import joined
from rdimport.core.users import name_of
from rdimport.ledger.sqlite.schema import unreadable


def see_that_it_is_ours(path: Path) -> None:
    """Raise LedgerError if others made, can change or can read the ledger, or it is a device or a
    pipe: opening that could wait for ever.

    A folder of the user's that others may list is made private, unless there is something for them
    in it: root could lock everybody out of `/`. Missing or inaccessible files are reported
    elsewhere.
    """
    folder, file = _rights(path.parent), _rights(path)
    if file is not None and not (stat.S_ISREG(file.st_mode) or stat.S_ISDIR(file.st_mode)):
        raise unreadable(path, _("it is not a file, but a device or a socket"))
    if sys.platform == "win32":
        return
    if folder is None:
        return
    _check_owner(path.parent, folder)
    if folder.st_mode & 0o022:
        text = _("Others on this machine can put files into {path}.", path=path.parent)
        elsewhere = _("Name a directory with --state-dir.")
        is_shared = _has_something_for_others(path.parent)
        raise LedgerError(text, elsewhere if is_shared else _how_to_close(path.parent))
    if file is not None:
        _check_owner(path, file)
        if any(file.st_mode & may & 0o066 and folder.st_mode & may & 0o011 for may in (0o70, 0o7)):
            text = _("Others on this machine can read the ledger {path}.", path=path)
            raise LedgerError(text, _how_to_close(path))
    is_listed = folder.st_mode & 0o055 and folder.st_uid == os.geteuid()
    if is_listed and not _has_something_for_others(path.parent):
        _close(path.parent)


def see_that_it_is_no_link(path: Path) -> None:
    """Raise LedgerError for a ledger that is a link: the locks of runs are in its folder, so that a
    run through the link and one without it would send the same rows.
    """
    if not path.is_symlink():
        return
    file = path.resolve()
    way = _("Name its folder: {options}", options=joined(["--state-dir", str(file.parent)]))
    if not exists(file):
        way = _("Restore {file}, or mount its disk.", file=file)
    elif file.name != path.name:  # its journal has to be renamed with it, or changes are lost
        journals = [part for part in ("-journal", "-wal") if exists(Path(f"{file}{part}"))]
        moves = (["mv", f"{file}{part}", f"{path.absolute()}{part}"] for part in (*journals, ""))
        way = _("Type: {command}", command="; ".join(map(joined, moves)))
    raise LedgerError(
        _(
            "The ledger {path} is a link to {file}: a run that uses it by its own name would not "
            "notice this one, and rows would be sent twice.",
            path=path,
            file=file,
        ),
        way,
    )


def _rights(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _check_owner(path: Path, found: os.stat_result) -> None:
    if sys.platform == "win32" or found.st_uid in (os.geteuid(), 0):
        return
    owner, me = name_of(found.st_uid), name_of(os.geteuid())
    raise LedgerError(
        _(
            "{path} belongs to another user ({owner}), who controls its content.",
            path=path,
            owner=owner,
        ),
        _(
            "Type the command as that user; to make it yours: {command}",
            command=joined(["sudo", "chown", "-R", me, str(path.absolute())]),
        ),
    )


def _how_to_close(path: Path) -> str:
    return _("Type: {command}", command=joined(["chmod", "go-rwx", str(path.absolute())]))


def _has_something_for_others(folder: Path) -> bool:
    """Whether others may use something in a folder. They may use nothing that we put there."""
    try:
        owner = folder.stat().st_uid
        with os.scandir(folder) as entries:
            found = [one.stat(follow_symlinks=False) for one in entries if not one.is_symlink()]
    except OSError:
        return True
    return any(one.st_mode & 0o077 or one.st_uid != owner for one in found)


def _close(folder: Path) -> None:
    try:
        folder.chmod(0o700)
    except OSError:  # the file system is read-only
        return
    text = _(
        "Others could list {path}, which contains the ledger: access is now restricted to you.",
        path=folder,
    )
    logging.getLogger("rdimport").warning("%s", text)
