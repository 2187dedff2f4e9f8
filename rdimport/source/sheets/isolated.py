"""Reads a workbook in a child process, which may crash without affecting this one.

The resources that libraries and recursive formats need for hostile input cannot be bounded from
within: a few hundred bytes can request gigabytes, and a failed allocation aborts the process. So
the child has a memory limit and a deadline, both derived from the file's size, and gets no
environment and no key.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import polars as pl

from rdimport.core import child
from rdimport.core.errors import InstallationError, SourceError
from rdimport.core.installation import incomplete_package
from rdimport.core.messages import _, language
from rdimport.source.refusals import harmful
from rdimport.source.row_filter import ErrorCells
from rdimport.source.sheets.book import Sheet
from rdimport.source.sheets.merged_cells import Merged

if TYPE_CHECKING:
    from rdimport.source.files import InputFile

_PACKED: Final = frozenset({"xlsx", "xlsm", "xlsb", "ods", "parquet"})
_BASE: Final = 512 << 20
_TIMES, _TIMES_PACKED = 20, 120
"""Memory limit in bytes: a constant, plus this many per byte of the file."""
_SECONDS: Final = 30.0
_PER_SECOND, _PACKED_PER_SECOND = 1 << 20, 200 << 10
"""Deadline in seconds: a constant, plus one per so many bytes; real files are ten times faster."""
_LOOK: Final = 0.25
"""Seconds between two checks of the child's memory, where the system enforces no limit."""
_LOOKS_AT_MEMORY: Final[bool] = sys.platform == "darwin"


class IsolatedBook:
    """A Book in a child process. Raises SourceError if the child does, or if it dies."""

    def __init__(self, file: InputFile, kind: str) -> None:
        self._file = file
        size = file.path.stat().st_size
        is_packed = bool(file.packed) or kind in _PACKED
        memory = _BASE + size * (_TIMES_PACKED if is_packed else _TIMES)
        self._left = _SECONDS + size / (_PACKED_PER_SECOND if is_packed else _PER_SECOND)
        self._memory = memory
        self._process = _started()
        weakref.finalize(self, _end, self._process)
        where = {
            "name": file.name,
            "path": str(file.path),
            "packed": file.packed,
            "member": file.member,
        }
        opened = self._ask({"memory": memory, "kind": kind, "file": where, "lang": language()})
        self.kind: str = opened["kind"]
        self.sheets: list[str] = opened["sheets"]

    def read(self, sheet: str) -> Sheet:
        """A sheet, as the child has read it."""
        parts: list[pl.DataFrame] = []
        answer = self._ask({"sheet": sheet}, parts)
        cells, first = answer["errors"]
        errors = ErrorCells(cells, (int(first[0]), str(first[1])) if first else None)
        merged = [Merged(*map(int, one)) for one in answer["merged"]]
        return Sheet(pl.concat(parts), answer["notes"], errors, merged, answer["is_hidden"])

    def _ask(
        self, question: dict[str, Any], parts: list[pl.DataFrame] | None = None
    ) -> dict[str, Any]:
        """Send a request and return the answer; frames are appended to `parts`."""
        began = time.monotonic()
        done = threading.Event()
        guard = threading.Thread(target=self._guard, args=(done,), daemon=True)
        guard.start()
        try:
            answer = _asked(self._process, question, parts)
        except (OSError, EOFError, ValueError) as error:
            raise incomplete_package() or harmful(self._file.name) from error
        finally:
            done.set()
            guard.join()
            self._left -= time.monotonic() - began
        if "not_installed" in answer:  # the file is not to blame
            raise InstallationError(*answer["not_installed"])
        if "error" in answer:
            raise SourceError(*answer["error"])
        if "failed" in answer:
            why = _("its content makes no sense ({error})", error=answer["failed"])
            raise incomplete_package() or harmful(self._file.name, why)
        return answer

    def _guard(self, done: threading.Event) -> None:
        """Kill the child after its deadline, or over its memory limit if the system enforces
        none.
        """
        until = time.monotonic() + self._left
        while not done.wait(_LOOK if _LOOKS_AT_MEMORY else max(self._left, 0)):
            if time.monotonic() >= until or _resident(self._process.pid) > self._memory:
                self._process.kill()
                return


def _started() -> subprocess.Popen[bytes]:
    return child.start(
        "rdimport.source.sheets.worker",
        {"POLARS_MAX_THREADS": "2", "_RJEM_MALLOC_CONF": "narenas:1"},
        stderr=subprocess.DEVNULL,  # a crash message may contain cell contents
    )


def _asked(
    process: subprocess.Popen[bytes], question: dict[str, Any], parts: list[pl.DataFrame] | None
) -> dict[str, Any]:
    """Read the child's answer. Raises EOFError, OSError or ValueError if there is none."""
    to_child, from_child = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
    to_child.write(json.dumps(question).encode() + b"\n")
    to_child.flush()
    answer: dict[str, Any] = json.loads(from_child.readline())
    for size in answer.get("parts", ()):
        data = from_child.read(size)
        if len(data) < size or parts is None:
            raise EOFError
        parts.append(pl.read_ipc(io.BytesIO(data)))
    return answer


def _resident(process: int) -> int:
    """Resident memory of a process in bytes; 0 if a limit is enforced."""
    if not _LOOKS_AT_MEMORY:
        return 0
    ps = ["/bin/ps", "-o", "rss=", "-p", str(process)]
    printed = subprocess.run(ps, capture_output=True, check=False)  # noqa: S603
    return int(printed.stdout or b"0") << 10


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
