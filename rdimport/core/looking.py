"""Looks whether a file is there, where it may not be allowed to look: pathlib raises
PermissionError there before Python 3.14. And looks through folders, where pathlib's and glob's
patterns find nothing without a word if they may not be listed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path


def exists(path: Path) -> bool:
    """Whether something is seen there."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether a file is seen there."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder is seen there."""
    return os.path.isdir(path)  # noqa: PTH112


def is_missing(path: Path) -> bool:
    """Whether it is known that nothing is there. What may not be looked at is not missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False
    return False


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """What is in a folder under such a name, in order; nothing where there is no folder.

    Raises OSError where it may not be listed.
    """
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in found if fnmatchcase(path.name, pattern)]


def files_within(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """The files under such a name in a folder and all below it, in order. Raises OSError where one
    may not be listed.
    """
    for path in listed(folder):
        if is_folder(path) and not path.is_symlink():
            yield from files_within(path, pattern)
        elif fnmatchcase(path.name, pattern):
            yield path
