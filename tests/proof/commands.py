"""Start commands as a user types them, and read what they left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from support.forks import ForkedProcess
from support.processes import Process, dying_with_parent, limit_file_size

from .checker import Ended
from .scenario import Interruption

_NOTHING = subprocess.DEVNULL


def started(
    args: list[str],
    env: dict[str, str],
    *,
    home: Path,
    outputs: Sequence[Path],
    file_size: int | None,
    quick: bool,
) -> subprocess.Popen[str]:
    """Start a command with its two outputs in `outputs`: in full, as a user types it, or `quick`,
    by a fork, which cannot show a signal during the imports.

    With `file_size`, coverage of a command in full is not measured: the limit would also apply to
    the coverage file.
    """
    with ExitStack() as stack:
        out, err = (stack.enter_context(path.open("wb")) for path in outputs)
        if quick and sys.platform == "linux":
            return ForkedProcess(
                args,
                cwd=home,
                env=env,
                stdin=_NOTHING,
                stdout=out,
                stderr=err,
                file_size=file_size,
            )
        small = [] if file_size is None else [partial(limit_file_size, file_size)]
        return Process(
            [sys.executable, "-m", "rdimport", *args],
            cwd=home,
            env={name: value for name, value in env.items() if not small or "COVERAGE" not in name},
            stdin=_NOTHING,
            stdout=out,
            stderr=err,
            text=True,
            preexec_fn=dying_with_parent(*small),
        )


async def end_of(process: subprocess.Popen[str]) -> int:
    """Wait for a process; return its exit code."""
    while process.poll() is None:  # noqa: ASYNC110  the system has no better way
        await asyncio.sleep(0.01)
    return int(process.returncode)


def files(home: Path, summary: dict[str, Any]) -> dict[str, object]:
    """The content of a report, without the time at which its workbook was written."""
    found: dict[str, object] = {
        name: (home / summary[name]).read_bytes()
        for name in ("summary_json", "failures_csv", "report_html")
    }
    with zipfile.ZipFile(home / summary["failures_xlsx"]) as book:
        for name in book.namelist():
            if name != "docProps/core.xml":
                found[name] = book.read(name)
    return found


def ended_as(
    code: int, out: bytes, err: bytes, hung: bool, interruption: Interruption | None
) -> Ended:
    printed: dict[str, Any] = json.loads(out) if out.startswith(b"{") else {}
    summary = None if not printed or "error" in printed else printed  # an error ended it
    return Ended(code, summary, err.decode(), hung, interruption)


async def signalled(kind: str, pid: int, code: asyncio.Future[int]) -> None:
    """Send the signals of an interruption to a process."""
    first = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}
    with suppress(ProcessLookupError):
        os.kill(pid, first.get(kind.split(maxsplit=1)[0], signal.SIGTERM))
        if kind.endswith("twice"):
            os.kill(pid, signal.SIGINT if kind == "stop twice" else signal.SIGTERM)
        elif kind == "stop, then kill":
            await asyncio.sleep(0.05)
            if not code.done():
                os.kill(pid, signal.SIGKILL)
