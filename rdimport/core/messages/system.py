"""What the operating system and SQLite say of a file most often, in the reader's language."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from rdimport.core.messages.mark import untranslated

_IN_USE: Final = untranslated(
    "Permission denied, or another program such as Excel has it open: close it there"
)
"""Windows denies both in the same words."""

_SQLITE: Final = (
    untranslated("database or disk is full"),
    untranslated("attempt to write a readonly database"),
    untranslated("unable to open database file"),
    untranslated("disk I/O error"),
    untranslated("database is locked"),
)
"""What SQLite says of a ledger's file, alike on every system."""


def words(platform: str) -> dict[str, str]:
    """The words of such a system, and the sentence of the catalogue."""
    denied = _IN_USE if platform == "win32" else untranslated("Permission denied")
    known = (
        (errno.ENOENT, untranslated("No such file or directory")),
        (errno.EACCES, denied),
        (errno.EPERM, untranslated("Operation not permitted")),
        (errno.EISDIR, untranslated("Is a directory")),
        (errno.ENOTDIR, untranslated("Not a directory")),
        (errno.EEXIST, untranslated("File exists")),
        (errno.ENOSPC, untranslated("No space left on device")),
        (errno.EROFS, untranslated("Read-only file system")),
        (errno.ENAMETOOLONG, untranslated("File name too long")),
        (errno.EADDRINUSE, untranslated("Address already in use")),
    )
    return {os.strerror(number): text for number, text in known} | {text: text for text in _SQLITE}


SAID: Final = words(sys.platform)
