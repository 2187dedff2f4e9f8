"""What the operating system says of a file, in the reader's language: the most frequent of it."""

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
    return {os.strerror(number): text for number, text in known}


SAID: Final = words(sys.platform)
