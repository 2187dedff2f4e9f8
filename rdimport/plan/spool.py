"""A spool for frames on disk, removed even if the process is killed."""

from __future__ import annotations

import io
import tempfile
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from itertools import pairwise
from pathlib import Path
from typing import IO, Final, Self

import polars as pl

from rdimport.core.errors import LedgerError
from rdimport.core.messages import _

_PLAIN: Final = 64 << 20
"""Bytes stored uncompressed, in a third of the time; compressed, as all others are, they would take
a sixth of the space.
"""


class Spool:
    """Stores frames in order and reads them back, one in memory at a time.

    A frame is written by a thread while the next one is made. If that fails, the next call raises
    the error.

    The file is unlinked when it is created (on Windows, deleted when it is closed), so no personal
    data stays behind if the process is killed. It is created with the first frame; before that,
    `begins` is called.
    """

    def __init__(
        self, directory: Path | None = None, begins: Callable[[], object] = lambda: None
    ) -> None:
        # the program may change its current folder
        self._directory = None if directory is None else directory.absolute()
        self._begins = begins
        self._file: IO[bytes] | None = None
        self._ends = [0]
        self._frames = 0
        self._writing: Future[None] | None = None
        self._close: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._writing is not None:
            wait([self._writing])
        self._close()

    def __len__(self) -> int:
        return self._frames

    def put(self, frame: pl.DataFrame) -> int:
        """Store a frame and return its number. Raises LedgerError if the disk is full."""
        self.written()
        if not self._frames:
            self._begins()
        self._frames += 1
        thread = ThreadPoolExecutor(1, "rdimport-spool")
        self._writing = thread.submit(copy_context().run, self._write, frame)
        thread.shutdown(wait=False)
        return self._frames - 1

    def written(self) -> None:
        """Wait until all frames are stored. Raises LedgerError if the disk is full."""
        if self._writing is not None:
            self._writing.result()

    def _write(self, frame: pl.DataFrame) -> None:
        try:
            file = self._opened()
            file.seek(self._ends[-1])
            plain = self._ends[-1] < _PLAIN
            frame.write_ipc(file, compression="uncompressed" if plain else "lz4")
            file.flush()
            self._ends.append(file.seek(0, io.SEEK_END))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise LedgerError(
                _("The rows to be sent cannot be kept on disk: {error}.", error=error),
                _("Nothing was sent. Free disk space, or correct the permissions.")
                if self._directory
                else _(
                    "Nothing was sent. Free disk space, or name another folder with the variable "
                    "TMPDIR."
                ),
            ) from error

    def frame(self, number: int) -> pl.DataFrame:
        """Load the frame with the given number."""
        self.written()
        start, end = self._ends[number : number + 2]
        return _frame(self._opened(), start, end)

    def frames(self) -> Iterator[pl.DataFrame]:
        """All frames, in the order in which they were stored."""
        yield from map(self.frame, range(len(self)))

    def change(self, work: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Replace each frame, in order, by the result of `work`."""
        self.written()
        before, ends = self._opened(), self._ends
        self._file, self._ends, self._frames = None, [0], 0
        with before:
            for start, end in pairwise(ends):
                self.put(work(_frame(before, start, end)))

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            if self._directory is not None:  # for a ledger elsewhere, it may not exist yet
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115  see below
            self._close = weakref.finalize(self, self._file.close)  # a result may outlive the block
        return self._file


def _frame(file: IO[bytes], start: int, end: int) -> pl.DataFrame:
    file.seek(start)
    return pl.read_ipc(io.BytesIO(file.read(end - start)))
