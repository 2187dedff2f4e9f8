"""The inbox of a job: complete lists are imported one by one, and then moved.

A crash between import and move sends nothing twice: the list is read again, its rows are known, and
it is moved then.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.cli.streams import print_error
from rdimport.core.errors import ExitCode, RdimportError, SourceError
from rdimport.core.looking import is_folder, is_missing
from rdimport.core.messages import _
from rdimport.source.files import matching

_YOUNG: Final = 60.0
"""Seconds since the last change during which a file may still be being written."""

_LOOK: Final = 2.0
"""Seconds between two checks of such a file."""

_DONE: Final = ".done"

_LASTING: Final = 4
"""How many of the values that identify a file stay when it is renamed."""


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A list in an inbox, with its identity: a later file may get the same name."""

    path: Path
    state: tuple[int, ...]

    def is_still_there(self) -> bool:
        """Whether it is still the same file."""
        return _state(self.path) == self.state

    def is_gone(self) -> bool:
        """Whether it was taken away, as by a run of the same inbox on another machine."""
        is_there = not is_missing(self.path) or self.path.is_symlink()
        return not is_there and is_folder(self.path.parent)


class Folders(NamedTuple):
    """The folders for imported and for failed lists."""

    done: Path | None
    failed: Path | None


def waiting(patterns: Sequence[Path]) -> Iterator[WaitingFile]:
    """The complete lists that match the patterns. A list is complete if there is a file of its name
    with `.done` appended, or if its size and times do not change.
    """
    paths = sorted({Path(name) for one in patterns for name in matching(str(one))})
    files = [path for path in paths if path.suffix != _DONE]
    before = {path: _state(path) for path in files}
    young = [path for path in files if not _marked(path) and _is_young(path)]
    if young:
        time.sleep(_LOOK)
    for path, state in before.items():
        if state is None:
            continue
        if path in young and _state(path) != state:
            print_error(_("{file} is still being written; it is left for the next run.", file=path))
        else:
            yield WaitingFile(path, state)


def put_away(
    taken: WaitingFile,
    name: str,
    code: ExitCode,
    error: RdimportError | None,
    folders: Folders,
) -> Path | None:
    """Move a list after its import: to `folders.done`, or if rows failed or it cannot be read, to
    `folders.failed`. An unfinished one stays.

    `name`, the run's name, is added to the file name. Returns the new path, None if it stayed.
    """
    folder = folders.done if code is ExitCode.DONE else None
    if _is_list_at_fault(code, error):
        folder = folders.failed
    if folder is None or not taken.is_still_there():
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = _free(folder, taken.path, name)
        if not _moved(taken, target):
            return None
        _mark(taken.path).unlink(missing_ok=True)
    except OSError as trouble:
        what = {"file": taken.path, "folder": folder, "error": trouble.strerror}
        print_error(_("{file} could not be moved to {folder}: {error}.", **what))
        return None
    return target


def _moved(taken: WaitingFile, target: Path) -> bool:
    """Move this very list; False if a later one has taken its place, at whatever moment: that has
    not been imported, and stays.
    """
    if taken.path.is_symlink():
        shutil.move(taken.path, target)
        return True
    try:
        return _is_renamed(taken, target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # not on the same disk
            raise
    try:
        shutil.copy2(taken.path, target)
    except OSError:  # that disk may be full
        target.unlink(missing_ok=True)
        raise
    aside = taken.path.with_name(target.name)
    if taken.is_still_there() and _is_renamed(taken, aside):
        aside.unlink()
        return True
    target.unlink()
    return False


def _is_renamed(taken: WaitingFile, name: Path) -> bool:
    """Rename a list; if it was another one, give that its name back, or a new one in the inbox if a
    third list has it.
    """
    taken.path.rename(name)
    if (_state(name) or ())[:_LASTING] == taken.state[:_LASTING]:
        return True
    try:
        _give_back(name, taken.path)
    except FileExistsError:
        _give_back(name, _free(taken.path.parent, taken.path, "later"))
    return False


def _give_back(name: Path, path: Path) -> None:
    """Rename a file to `path`. Raises FileExistsError if there is one."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        path.touch(exist_ok=False)  # a copy that is cut short would be imported as a whole one
        name.replace(path)
    else:
        name.unlink()


def _is_list_at_fault(code: ExitCode, error: RdimportError | None) -> bool:
    """Whether the list is at fault, not the key, the mapping or the server."""
    if code is ExitCode.FAILED_ROWS:
        return True
    if code is not ExitCode.NOTHING_SENT:
        return False
    return isinstance(error, SourceError)


def _free(folder: Path, path: Path, name: str) -> Path:
    start, dot, rest = path.name.partition(".")
    target, number = folder / f"{start}.{name}{dot}{rest}", 1
    while os.path.lexists(target):
        number += 1
        target = folder / f"{start}.{name}-{number}{dot}{rest}"
    return target


def _mark(path: Path) -> Path:
    return path.with_name(path.name + _DONE)


def _marked(path: Path) -> bool:
    """Whether a list is marked as complete, after its last change: a mark may be that of a list
    whose place this one takes.
    """
    mark, found = _state(_mark(path)), _state(path)
    return mark is not None and found is not None and mark[3] >= found[3]


def _is_young(path: Path) -> bool:
    found = _state(path)
    return found is not None and abs(time.time() - max(found[3:]) / 1e9) < _YOUNG


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
