"""The files of a ledger: creating, opening, watching, copying and moving them."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from rdimport.core.errors import LedgerLostError, UsageError
from rdimport.core.looking import exists, files_within, is_file, is_folder, listed
from rdimport.core.messages import _, ngettext
from rdimport.core.own_folders import refuse_no_folder
from rdimport.ledger.sqlite import witness
from rdimport.ledger.sqlite.safety import see_that_it_is_no_link, see_that_it_is_ours
from rdimport.ledger.sqlite.schema import (
    WRITER_WAITS,
    damaged,
    explained,
    make,
    unusable,
    uri_of,
    write_ahead,
)

FILE_NAME: Final = "ledger.sqlite3"

_PARTS: Final = ("", "-wal", "-shm")
"""Suffixes of SQLite's own files for an open database."""

_BEGINS: Final = b"SQLite format 3\0"

_SHORTEST: Final = 512

_WRITING: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
    }
)
"""Errors that reading a file cannot cause."""


def connect(path: Path, apart: Callable[[], str] = str) -> sqlite3.Connection:
    """Open for writing; a missing file is created with its tables. `apart` returns the id of the
    key that a new ledger does not store (see `schema.make`).
    """
    see_that_it_is_no_link(path)
    see_that_it_is_ours(path)
    if not exists(path):
        _make(path, apart())
    return sqlite3.connect(
        path, timeout=WRITER_WAITS, isolation_level=None, check_same_thread=False
    )


def _make(path: Path, kept_apart: str) -> None:
    """Create a ledger under a temporary name and rename it when it is complete. So an empty file
    was not made by a killed process.
    """
    with _half_made(path) as new:
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = OFF")  # nothing uses it yet: it is flushed once below
            make(new, db, kept_apart)
            write_ahead(db)
        _sync(new)
        _name(new, path)


@contextmanager
def _half_made(path: Path) -> Iterator[Path]:
    """A new file next to `path`, for its owner only; removed unless it is renamed."""
    new = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield new
    finally:
        for part in (*_PARTS, "-journal"):
            new.with_name(new.name + part).unlink(missing_ok=True)


def _name(new: Path, path: Path) -> None:
    """Rename a file unless another process was first."""
    with suppress(FileExistsError):
        if os.name == "nt":
            new.rename(path)  # Windows cannot replace an existing file
            return
        try:
            path.hardlink_to(new)
        except FileExistsError:
            raise
        except OSError:  # no hard links: fill the ledger in place
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def read_only(path: Path, wait: float = WRITER_WAITS) -> sqlite3.Connection:
    """Open for reading. In a directory that cannot be written to, where no write-ahead log can be,
    the file is opened as immutable.
    """
    see_that_it_is_ours(path)
    uri = uri_of(path)
    try:
        return _opened(uri, wait)
    except sqlite3.OperationalError:
        log = path.with_name(f"{path.name}-wal")
        if exists(log) and log.stat().st_size:
            raise
        return _opened(f"{uri}&immutable=1", wait)


def _opened(uri: str, wait: float) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)
    try:
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        db.close()
        raise
    return db


class Watch:
    """Watches the files of an open ledger. After one is removed or replaced, we would write to a
    file that no later run will find. The program may change its current folder meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = str(path)
        parts = [path.with_name(path.name + part) for part in _PARTS]
        found = ((str(part), str(part.absolute()), witness.identity(part)) for part in parts)
        self._was = [(part, place, was) for part, place, was in found if was]

    def look(self) -> None:
        """Raise LedgerLostError if a file has been removed or replaced."""
        for part, place, was in self._was:
            try:
                now = os.stat(place)  # noqa: PTH116  called after each write
            except OSError:
                now = None
            if now is None or (now.st_dev, now.st_ino) != was:
                self._lost(part, _("was removed or replaced"))
            elif now.st_size < _SHORTEST and part == self._name:
                cut = ngettext("was cut to {number} byte", "was cut to {number} bytes", now.st_size)
                self._lost(part, cut)

    def _lost(self, part: str, what: str) -> None:
        raise LedgerLostError(
            _(
                "{part} {what} during a run, so no further row was sent.",
                part=part,
                what=what,
            ),
            witness.way_out(self._path),
        )


def is_database(path: Path) -> bool:
    """Whether a file begins as SQLite's do; what cannot be read may be one."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINS)) == _BEGINS
    except OSError:
        return True


def copy(path: Path, to: Path) -> None:
    """Make a consistent copy of a ledger, even while a run is active.

    Raises UsageError if the target is not empty, LedgerError for a ledger that is damaged or cannot
    be copied.
    """
    with new_file(to) as new:
        _fill(new, path)


@contextmanager
def new_file(to: Path) -> Iterator[Path]:
    """A file for its owner only that gets its name once it is whole. Raises UsageError for a place
    that is not empty.
    """
    refuse_no_folder(to.parent, _("Name another place, or move what is there aside."))
    if _is_taken(to):
        raise UsageError(
            _(
                "{to} is not empty, and a copy must not replace anything.",
                to=to.parent if to.name == FILE_NAME else to,
            ),
            _("Name another place, or move what is there aside."),
        )
    with explained(to):
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _half_made(to) as new:
            yield new
            if exists(to):  # created meanwhile
                raise UsageError(_("{to} already exists.", to=to), _("Name another place."))
            new.rename(to)
            _sync(to)


def _fill(new: Path, path: Path) -> None:
    with explained(path, reading=True):
        source = read_only(path)
    with closing(source), closing(sqlite3.connect(new, isolation_level=None)) as target:
        try:
            source.backup(target)
            found = [message for (message,) in target.execute("PRAGMA integrity_check(1)")]
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in _WRITING:
                raise  # `new_file` names its place
            raise unusable(path, error, reading=True) from error
        if found != ["ok"]:
            raise damaged(path, found[0])
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_taken(to: Path) -> bool:
    """Whether there is anything that a copy could be confused with: the witnesses of a lost ledger
    expect it to come back.
    """
    if to.name != FILE_NAME or not is_folder(to.parent):
        return os.path.lexists(to)
    return any(
        p.suffix not in (witness.SUFFIX, witness.ACCEPTED, ".lock") for p in to.parent.iterdir()
    )


def _sync(path: Path) -> None:
    """Flush a file and its directory entry to disk."""
    for place in (path, path.parent):
        with suppress(OSError):  # Windows cannot open a directory
            number = os.open(place, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)


def remove_half_made(state_dir: Path) -> None:
    """Remove incomplete copies left by killed processes. Requires that the ledger exists and that
    no run is active, so that no copy is being made.
    """
    with explained(state_dir / FILE_NAME):
        for pattern in (f"{FILE_NAME}.new-*", "ledger-schema*.part*"):
            for path in listed(state_dir, pattern):
                path.unlink()


def put_away(state_dir: Path) -> list[Path]:
    """The folders of ledgers that were moved aside. Raises LedgerError for a folder that may not be
    listed, like all functions of this module that list one.
    """
    with explained(state_dir / FILE_NAME, reading=True):
        return [path for path in listed(state_dir, "aside-*") if is_folder(path)]


def databases_aside(state_dir: Path) -> list[Path]:
    """The databases in these folders."""
    with explained(state_dir / FILE_NAME, reading=True):
        return [p for folder in put_away(state_dir) for p in files_within(folder, "*.sqlite3")]


def put_aside(state_dir: Path) -> Path | None:
    """Move the remains of a ledger to a folder next to it; None if there are none.

    No run may be active or begin during this call.
    """
    parts = [state_dir / (FILE_NAME + part) for part in (*_PARTS, "-journal")]
    with explained(state_dir / FILE_NAME):
        return _moved(state_dir, [*parts, *witness.files(state_dir)])


def put_witnesses_aside(state_dir: Path) -> Path | None:
    """Accept the ledger as it is: move the witnesses to a folder."""
    with explained(state_dir / FILE_NAME):
        return _moved(state_dir, witness.files(state_dir))


def _moved(state_dir: Path, parts: Iterable[Path]) -> Path | None:
    found = [part for part in parts if os.path.lexists(part)]
    if not found:
        return None
    aside = state_dir / f"aside-{witness.moment()}-{secrets.token_hex(2)}"
    aside.mkdir(mode=0o700, parents=True)
    for number, part in enumerate(found):
        away = part.parent != state_dir
        shutil.move(part, aside / (f"home-{number}-{part.name}" if away else part.name))
    return aside


def ledger_of(place: Path) -> Path:
    """The ledger that the user means by naming a directory or the file itself."""
    return place if is_file(place) or place.suffix == ".sqlite3" else place / FILE_NAME
