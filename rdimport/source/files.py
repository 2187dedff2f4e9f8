"""The only module that opens input files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from rdimport.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of the input: what a person calls it, and where its bytes are."""

    name: str
    path: Path

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes from the first. Raises SourceError when they cannot be had."""
        try:
            with self.path.open("rb") as stream:
                yield stream
        except OSError as error:
            raise unreadable(self.name, error) from error

    def head(self, size: int) -> bytes:
        """The first `size` bytes, or all when there are fewer."""
        with self.open() as stream:
            return stream.read(size)

    def fingerprint(self) -> tuple[int, int]:
        """Changes when somebody writes to the file: its size and time of change."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise unreadable(self.name, error) from error
        return stat.st_size, stat.st_mtime_ns


def unreadable(name: str, error: OSError) -> SourceError:
    """The SourceError that says what the system said about a file."""
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{name} is not there.", "Check the path and the spelling.")
    if isinstance(error, IsADirectoryError):
        return SourceError(f"{name} is a folder.", "Name the file in it, or use a pattern: *.csv")
    if isinstance(error, PermissionError):
        return SourceError(f"{name} may not be read.", "Check the file's permissions.")
    return SourceError(f"{name} cannot be read: {error.strerror or error}.", "Try a copy of it.")
