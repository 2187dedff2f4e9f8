"""Tests whether files exist, also in places that may not be searched, where pathlib raises
PermissionError before Python 3.14. And lists folders: for those that may not be listed, the
patterns of pathlib and glob silently find nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from rdimport.core.names import fold, is_slip


def exists(path: Path) -> bool:
    """Whether something is visible there."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether a file is visible there."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder is visible there."""
    return os.path.isdir(path)  # noqa: PTH112


def in_words(folder: Path) -> Path:
    """A folder as a sentence names it: `.` at its end looks like its full stop."""
    return folder if folder.name not in ("", "..") else folder.resolve()


def is_missing(path: Path) -> bool:
    """Whether certainly nothing is there. A place that may not be searched is not missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False
    return False


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """The entries of a folder that match a pattern, sorted; none if there is no folder.

    Raises OSError if it may not be listed.
    """
    return [folder / name for name in names_in(folder) if fnmatchcase(name, pattern)]


def names_in(folder: Path) -> list[str]:
    """The names of the entries of a folder, sorted; none if there is no folder. In a large one,
    paths take ten times as long.

    Raises OSError if it may not be listed.
    """
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []


def nearest(path: Path, is_kind: Callable[[str], bool]) -> Path | None:
    """The file of a kind, by its suffix, that a missing one probably is: of the same name but for
    its suffix, accents or case, or with a slip.
    """
    found: list[Path] = []
    with suppress(OSError):  # it is only a hint
        found = [one for one in listed(path.parent) if is_kind(one.suffix.lower()) and is_file(one)]
    same = [one for one in found if fold(one.stem) == fold(path.stem)]
    near = same or [one for one in found if is_slip(path.name, one.name)]
    return path.with_name(near[0].name) if len(near) == 1 else None


def files_within(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """The files that match a pattern in a folder and all below it, sorted. Raises OSError if one
    may not be listed.
    """
    for path in listed(folder):
        if is_folder(path) and not path.is_symlink():
            yield from files_within(path, pattern)
        elif fnmatchcase(path.name, pattern):
            yield path
