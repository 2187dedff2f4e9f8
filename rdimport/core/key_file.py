"""Files that hold a secret, readable by their owner only."""

from __future__ import annotations

import errno
import os
import stat
import sys
from functools import partial
from pathlib import Path
from typing import Final

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.shell import joined
from rdimport.core.small_file import decoded, read_small

VARIABLE: Final = "RDIMPORT_API_KEY"
"""The environment variable with the API key."""

_MOST: Final = 10_000
"""Bytes; a key has about a hundred."""


def read_key(file: Path) -> str:
    """The text of a key file, without blanks around it.

    Raises UsageError if others can read it or it belongs to another user; OSError if it cannot be
    read, is a device, or is too long for a key; UnicodeDecodeError if it holds no text.
    """
    return decoded(read_small(file, _MOST, partial(_see_that_it_is_ours, file))).strip()


def owner_only(path: str, flags: int) -> int:
    """An opener for `open`: a file that it creates is for its owner only. Raises OSError for a
    device, as Windows has them in every folder: nothing could be read back from `NUL`.
    """
    number = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return number
    os.close(number)
    raise OSError(errno.EINVAL, _("it is not a file, but a device or a socket"))


def write_key(file: Path, key: str) -> None:
    """Create a key file, durably, or leave none. Raises OSError, such as FileExistsError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = open(file, "x", encoding="ascii", opener=owner_only)  # noqa: SIM115  closed below
    try:
        with opened:
            opened.write(key + "\n")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError:
        file.unlink()
        raise


def _see_that_it_is_ours(file: Path, found: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    others = stat.S_IRWXO if _is_credential(file) else stat.S_IRWXG | stat.S_IRWXO
    if found.st_mode & others:
        raise UsageError(
            _("Others on this machine can read the key in {file}.", file=file),
            _how_to_close(file, found.st_uid, os.geteuid()),
        )
    if found.st_uid not in (os.geteuid(), 0):
        from rdimport.core.users import name_of  # noqa: PLC0415  only a mistake needs it

        owner, me = name_of(found.st_uid), name_of(os.geteuid())
        raise UsageError(
            _(
                "The key file {file} belongs to another user ({owner}), who controls its content.",
                file=file,
                owner=owner,
            ),
            _(
                "Type: {command}",
                command=joined(["sudo", "chown", me, str(file)]),
            ),
        )


def _how_to_close(file: Path, owner: int, me: int) -> str:
    if owner == me:
        return _("Type: {command}", command=joined(["chmod", "600", str(file)]))
    return _(
        "Give it to user {me} alone (in a container: --secret NAME,uid={me},mode=0400), or put the "
        "key into the environment variable {variable}.",
        me=me,
        variable=VARIABLE,
    )


def _is_credential(file: Path) -> bool:
    """Whether the file is a systemd credential: systemd grants access by an ACL, which appears in
    the mode as a group permission (https://github.com/systemd/systemd/issues/29435).
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder is not None and file.resolve().parent == Path(folder).resolve()
