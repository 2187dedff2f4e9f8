"""Reads small files (a mapping, a list of fields, a key), but no devices or endless streams."""

from __future__ import annotations

import codecs
import errno
import os
import select
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rdimport.core.looking import is_folder
from rdimport.core.messages import _

MOST: Final = 1 << 20
"""Maximum bytes; the largest mappings have about ten thousand."""
WAIT: Final = 10.0
"""Seconds for which a pipe such as `<(command)` may send nothing."""


def read_small(
    path: Path, most: int = MOST, look: Callable[[os.stat_result], None] | None = None
) -> bytes:
    """The bytes of a file or pipe. `look` may refuse the file before it is read.

    Raises OSError, with a readable `strerror` for anything else than a file or pipe.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, _("a path cannot contain a NUL"))
    if is_folder(path):  # Windows opens neither a folder nor a file without read permission
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        seen = os.fstat(number)
        mode = seen.st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise OSError(errno.EINVAL, _("it is not a file, but a device or a socket"))
        if look is not None:
            look(seen)
        return _read(number, most, is_pipe=stat.S_ISFIFO(mode))
    finally:
        os.close(number)


def read_record(path: Path) -> bytes:
    """The bytes of a small file that rdimport itself writes: nobody puts a pipe in its place.

    Raises OSError as `read_small`, also for a pipe.
    """
    return read_small(path, look=_refuse_pipe)


def _refuse_pipe(seen: os.stat_result) -> None:
    if stat.S_ISFIFO(seen.st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def decoded(data: bytes) -> str:
    """The text of a small file: in UTF-8, or in UTF-16 with its mark, as Windows PowerShell's `>`
    writes it. Raises UnicodeDecodeError.
    """
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig")


def _read(number: int, most: int, *, is_pipe: bool) -> bytes:
    data = b""
    while len(data) <= most:
        # Windows waits for sockets alone
        if is_pipe and sys.platform != "win32" and not select.select([number], [], [], WAIT)[0]:
            raise OSError(errno.ETIMEDOUT, _("nothing comes out of the pipe"))
        piece = os.read(number, most + 1 - len(data))
        if not piece:
            return data
        data += piece
    raise OSError(errno.EFBIG, _("it is longer than {most} bytes", most=most))
