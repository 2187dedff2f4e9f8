"""What the operating system says of a file, in the reader's language: the most frequent of it."""

from __future__ import annotations

import errno
import os
from typing import Final

from rdimport.core.messages.mark import untranslated

SAID: Final = {
    os.strerror(number): text
    for number, text in (
        (errno.ENOENT, untranslated("No such file or directory")),
        (errno.EACCES, untranslated("Permission denied")),
        (errno.EPERM, untranslated("Operation not permitted")),
        (errno.EISDIR, untranslated("Is a directory")),
        (errno.ENOTDIR, untranslated("Not a directory")),
        (errno.EEXIST, untranslated("File exists")),
        (errno.ENOSPC, untranslated("No space left on device")),
        (errno.EROFS, untranslated("Read-only file system")),
        (errno.ENAMETOOLONG, untranslated("File name too long")),
        (errno.EADDRINUSE, untranslated("Address already in use")),
    )
}
"""Its own words, and the sentence of the catalogue."""
