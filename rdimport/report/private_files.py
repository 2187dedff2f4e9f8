"""Files with people's data: readable by their owner only, and never half written."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rdimport.core.errors import ReportError, UsageError

REPORT_FILES: Final = ("failures.csv", "failures.xlsx", "report.html", "summary.json")
"""All files of a run's report."""


def see_that_it_can_be_made(folder: Path) -> None:
    """Raises UsageError where no files can be put into this folder, or none into the one in which
    it would have to be made. Nothing is left behind.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(
            f"The reports cannot be put into {folder}: {there} takes no files ({error.strerror}).",
            "Nothing was sent. Name a directory that you may write to with --report-dir.",
        ) from None


@contextmanager
def private(path: Path) -> Iterator[Path]:
    """A temporary file next to `path` that replaces it on success."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}.half")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield half
        half.replace(path)
    except OSError as error:
        raise ReportError(
            f"The report {path} cannot be written: {error}.",
            "What became of every row is safe in the ledger: free disk space or correct the"
            " permissions, then have it written again.",
        ) from error
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)


def delete(folder: Path) -> bool:
    """Delete the report in this folder; tells whether there was one. Files of other origin
    stays, and so does the folder then. Raises ReportError where that is not possible.
    """
    found = False
    try:
        for name in REPORT_FILES:
            path = folder / name
            found |= os.path.lexists(path)
            path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            if not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise ReportError(
            f"The report in {folder} cannot be deleted: {error}.",
            "Correct the permissions, then type the same command again.",
        ) from error
    return found
