"""The most frequent messages of the operating system and SQLite, in the reader's language."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from rdimport.core.messages.mark import untranslated

_IN_USE: Final = untranslated(
    "Permission denied, or another program such as Excel has it open: close it there"
)
"""Windows uses the same words for both."""

_SQLITE: Final = (
    untranslated("database or disk is full"),
    untranslated("attempt to write a readonly database"),
    untranslated("unable to open database file"),
    untranslated("disk I/O error"),
    untranslated("database is locked"),
)
"""SQLite's messages about a ledger's file, the same on every system."""


def words(platform: str) -> dict[str, str]:
    """The messages of such a system, and their entries in the catalogue."""
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
