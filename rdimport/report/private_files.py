"""Files with personal data: readable by their owner only, and written atomically."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rdimport.core.errors import RdimportError, ReportError, UsageError
from rdimport.core.looking import is_folder, listed
from rdimport.core.messages import _
from rdimport.core.names import is_run
from rdimport.report.leftovers import half_written, sweep

REPORT_FILES: Final = ("failures.csv", "failures.xlsx", "report.html", "summary.json")
"""All files of a run's report."""

_SCRATCH_OF_0_1: Final = re.compile(r"\.[a-z0-9_]{8}")
"""The folder in which release 0.1.0 built failures.xlsx."""


def see_that_it_can_be_made(folder: Path) -> None:
    """Raise UsageError if files cannot be created in this folder, or the folder cannot be created.
    Leaves nothing behind.
    """
    ways = (folder, *folder.absolute().parents)
    there = next((place for place in ways if os.path.lexists(place)), folder)  # or a drive is gone
    try:
        with tempfile.TemporaryDirectory(dir=there) as scratch:
            parts = folder.absolute().relative_to(there.absolute())
            there = folder  # a name may be too long or, on Windows, not allowed
            (Path(scratch) / parts).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            _(
                "The reports cannot be written to {folder}: {there} does not accept files "
                "({strerror}).",
                folder=folder,
                there=there,
                strerror=error.strerror,
            ),
            _("Nothing was sent. Name a directory that you can write to with --report-dir."),
        ) from None


def refuse_devices(path: Path) -> None:
    """Raise OSError if a file that replaces `path` would replace a device, a pipe or one of the
    system's own streams: root could replace `/dev/null`.
    """
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        in_dev = path.absolute().parent == Path("/dev")
        if in_dev or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, _("it is not a file, but a device or a socket"))


def refuse_strangers(path: Path, begins: bytes) -> None:
    """Raise OSError if `path` is not one of our files, which all begin with these bytes: a mistyped
    option must not overwrite a list.
    """
    with suppress(FileNotFoundError, IsADirectoryError):
        refuse_devices(path)
        with path.open("rb") as file:
            if file.read(len(begins)) not in (begins, b""):
                raise OSError(errno.EEXIST, _("it already exists, and was not created by rdimport"))


@contextmanager
def private(path: Path) -> Iterator[Path]:
    """A temporary file next to `path` that replaces it on success."""
    try:
        refuse_devices(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with half_written(path) as half:
            yield half
            half.replace(path)
    except OSError as error:
        raise ReportError(
            _("The report {path} cannot be written: {error}.", path=path, error=error),
            _(
                "The outcome of every row is safe in the ledger: free disk space or correct "
                "the permissions, then write the report again."
            ),
        ) from error


@contextmanager
def cleaned_once() -> Iterator[None]:
    """Let `clean` search each folder only once until the block ends: a command of hundreds of runs
    would search thousands of reports for each. The next command removes what a killed process
    leaves in that time.
    """
    _cleaned.append(set())
    try:
        yield
    finally:
        _cleaned.pop()


_cleaned: Final[list[set[Path]]] = []


def clean(report_dir: Path) -> None:
    """Remove incomplete files of killed runs from the reports.

    Raises ReportError for what cannot be removed, and for a folder that may not be listed.
    """
    for folders in _cleaned:
        if report_dir in folders:
            return
        folders.add(report_dir)
    for folder in seen_in(report_dir):
        if is_run(folder.name):
            _clean(folder)


def seen_in(folder: Path) -> list[Path]:
    """The entries of a folder. Raises ReportError if it may not be listed, UsageError for a name
    that no folder can have.
    """
    try:
        return listed(folder)
    except OSError as error:
        raise unlisted(error) from error


def unlisted(error: OSError) -> RdimportError:
    """The error for a folder that cannot be searched for reports or their remains."""
    if error.errno == errno.ENAMETOOLONG:
        return UsageError(
            _("The folder {folder} cannot be there: {error}.", folder=error.filename, error=error),
            _("Check the path and the spelling."),
        )
    return ReportError(
        _(
            "The folder {folder} cannot be listed ({error}), so people's data in it would stay.",
            folder=error.filename,
            error=error.strerror,
        ),
        _("Correct the permissions, then type the same command again."),
    )


def _clean(folder: Path) -> None:
    try:
        kept = sweep(folder)
    except OSError as error:
        raise unlisted(error) from error
    if kept:
        raise ReportError(
            _(
                "{kept} was left half written by a run that was killed, contains people's "
                "data, and cannot be deleted.",
                kept=kept[0],
            ),
            _("Correct the permissions, or delete it yourself."),
        )


def delete(folder: Path) -> bool:
    """Delete the report in this folder; returns whether there was one.

    Other files are kept, and then the folder is too. Raises ReportError if it cannot be deleted.
    """
    found = False
    try:
        for name in REPORT_FILES:
            path = folder / name
            found |= os.path.lexists(path)
            path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            _clean(folder)
            for old in folder.iterdir():
                if _SCRATCH_OF_0_1.fullmatch(old.name) and is_folder(old) and not old.is_symlink():
                    shutil.rmtree(old)
            if not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise ReportError(
            _("The report in {folder} cannot be deleted: {error}.", folder=folder, error=error),
            _("Correct the permissions, then type the same command again."),
        ) from error
    return found
