"""Rows that wait to be sent, on disk instead of in memory, and gone whatever happens to us."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import polars as pl

from rdimport.errors import LedgerError


class Spool:
    """Frames put away in order and read back, one in memory at a time.

    The file has no name (it is removed as it is made, on Windows as it is closed), so that no
    personal data stays behind when the process is killed.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  closed by __exit__
        self._ends = [0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, frame: pl.DataFrame) -> None:
        """Put one frame away. Raises LedgerError when the disk is full."""
        try:
            self._file.seek(self._ends[-1])
            frame.write_ipc(self._file, compression="lz4")
            self._file.flush()
            self._ends.append(self._file.seek(0, io.SEEK_END))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise LedgerError(
                f"The rows that are to be sent cannot be kept on disk: {error}.",
                "Nothing was sent. Free disk space, or name another --state-dir.",
            ) from error

    def frames(self) -> Iterator[pl.DataFrame]:
        """All frames in the order in which they came."""
        for start, end in zip(self._ends, self._ends[1:], strict=False):
            self._file.seek(start)
            yield pl.read_ipc(io.BytesIO(self._file.read(end - start)))
