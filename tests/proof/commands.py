"""Starts commands as somebody types them, and reads what they left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import zipfile
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from support.processes import ending_with_us

from .checker import Ended
from .nursery import no_file_beyond
from .scenario import Interruption


def _opened(path: str) -> BinaryIO:
    return Path(path).open("wb")


async def launched(**wanted: Any) -> tuple[int, asyncio.Future[int]]:
    """The command in full, as somebody types it. Where files must stay small, it is not measured:
    the limit would be one for the measurement's file too.
    """
    size, env = wanted["file_size"], wanted["env"]
    if size is not None:
        env = {name: value for name, value in env.items() if "COVERAGE" not in name}
    with ExitStack() as stack:
        out, err = (stack.enter_context(_opened(wanted[name])) for name in ("out", "err"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rdimport",
            *wanted["words"],
            cwd=wanted["cwd"],
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            preexec_fn=ending_with_us(*[] if size is None else [partial(no_file_beyond, size)]),
        )
    return process.pid, asyncio.ensure_future(process.wait())


def files(home: Path, told: dict[str, Any]) -> dict[str, object]:
    """What a report holds, without the moment in which its workbook was written."""
    found: dict[str, object] = {
        name: (home / told[name]).read_bytes()
        for name in ("summary_json", "failures_csv", "report_html")
    }
    with zipfile.ZipFile(home / told["failures_xlsx"]) as book:
        for name in book.namelist():
            if name != "docProps/core.xml":
                found[name] = book.read(name)
    return found


def ended_as(code: int, out: bytes, err: bytes, hung: bool, told: Interruption | None) -> Ended:
    told_of: dict[str, Any] = json.loads(out) if out.startswith(b"{") else {}
    summary = None if not told_of or "error" in told_of else told_of  # an error ended it
    return Ended(code, summary, err.decode(), hung, told)


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
