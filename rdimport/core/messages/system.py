"""The most frequent messages of the operating system and of databases, in the language used."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
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
    untranslated("file is not a database"),
    untranslated("database disk image is malformed"),
)
"""SQLite's messages about a ledger's file, the same on every system."""


_POSTGRESQL: Final = (
    untranslated("connection timeout expired"),
    untranslated("server closed the connection unexpectedly"),
    untranslated("the connection is closed"),
    untranslated("the connection is lost"),
    untranslated("FATAL:  terminating connection due to administrator command"),
    untranslated("FATAL:  the database system is starting up"),
    untranslated("FATAL:  the database system is shutting down"),
    untranslated("FATAL:  sorry, too many clients already"),
)
"""Those of PostgreSQL, where it has no catalogue of its own, and of its library."""

_OF_WINDOWS: Final = (
    (2, errno.ENOENT),  # the file
    (3, errno.ENOENT),  # its folder
    (5, errno.EACCES),
    (19, errno.EROFS),
    (32, errno.EACCES),  # another program has it open
    (33, errno.EACCES),  # and has locked a part of it
    (39, errno.ENOSPC),
    (80, errno.EEXIST),
    (112, errno.ENOSPC),
    (183, errno.EEXIST),
    (206, errno.ENAMETOOLONG),
    (267, errno.ENOTDIR),
    (10048, errno.EADDRINUSE),
    (10049, errno.EADDRNOTAVAIL),
)
"""Error codes of Windows, which has its own messages for them in the language of the system:
opening a file fails with a POSIX message, renaming or removing it with one of these.
"""


_SOCKETS: Final = 10_000
"""From here on, errors are those of Windows' sockets: `os.strerror` does not know them."""


def _said_by_windows(code: int) -> str:
    """The message of an OSError with this code: without its full stop."""
    if sys.platform == "win32":
        from ctypes import FormatError  # noqa: PLC0415  Windows only

        return FormatError(code).rstrip(" .\r\n")
    return ""


def words(platform: str, of_windows: Callable[[int], str] = _said_by_windows) -> dict[str, str]:
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
        (errno.EADDRNOTAVAIL, untranslated("Cannot assign requested address")),
        (errno.EIO, untranslated("Input/output error")),
        (errno.ELOOP, untranslated("Too many levels of symbolic links")),
        (errno.EMFILE, untranslated("Too many open files")),
        (errno.ENFILE, untranslated("Too many open files in system")),
        (errno.ENOMEM, untranslated("Cannot allocate memory")),
        (errno.EDQUOT, untranslated("Disk quota exceeded")),
        (errno.EINVAL, untranslated("Invalid argument")),
        (errno.EBUSY, untranslated("Device or resource busy")),
        (errno.EFBIG, untranslated("File too large")),
        (errno.EPIPE, untranslated("Broken pipe")),
        (errno.EBADF, untranslated("Bad file descriptor")),
        (errno.ENXIO, untranslated("No such device or address")),
        (errno.ENODEV, untranslated("No such device")),
        (errno.EXDEV, untranslated("Invalid cross-device link")),
        (errno.ENOTEMPTY, untranslated("Directory not empty")),
        (errno.EAGAIN, untranslated("Resource temporarily unavailable")),
        (errno.ENOLCK, untranslated("No locks available")),
        (errno.EOPNOTSUPP, untranslated("Operation not supported")),
        (errno.ESTALE, untranslated("Stale file handle")),
        (errno.ETIMEDOUT, untranslated("Connection timed out")),
        (errno.ECONNREFUSED, untranslated("Connection refused")),
        (errno.ECONNRESET, untranslated("Connection reset by peer")),
        (errno.EHOSTUNREACH, untranslated("No route to host")),
        (errno.ENETUNREACH, untranslated("Network is unreachable")),
    )
    found = {os.strerror(number): text for number, text in known if number < _SOCKETS}
    if platform == "win32":
        texts = dict(known)
        found |= {of_windows(code): texts[number] for code, number in _OF_WINDOWS}
    return found | {text: text for text in (*_SQLITE, *_POSTGRESQL)}


SAID: Final = words(sys.platform)
