"""`rdimport check` of many files in turn in one process: the result of each, and the peak memory so
far of this process or one of its readers.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.core import child
from support.command import command_here
from support.forks import start_child
from support.processes import Process, dying_with_parent

ENVIRONMENT: Final = {**os.environ, "LANG": "C.UTF-8"}


class Cost(NamedTuple):
    """A command's exit code, its output, and the peak memory of it or of a child process."""

    code: int
    output: str
    megabytes: int


def costs_of(paths: Iterable[Path]) -> dict[str, Cost]:
    """The cost of each file by name, up to the first that kills the process."""
    command = [sys.executable, "-m", "support.checks", *map(str, paths)]
    with Process(
        command,
        cwd=Path(__file__).parents[1],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=dying_with_parent(),
    ) as checking:
        assert checking.stdout is not None
        found = (json.loads(line) for line in checking.stdout)
        return {name: Cost(*cost) for name, *cost in found}


def megabytes(most: int) -> int:
    """Convert `ru_maxrss` to megabytes."""
    size = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, kilobytes elsewhere
    return most // size


def main() -> None:
    """Check the files named on the command line."""
    import resource  # noqa: PLC0415  POSIX only

    if sys.platform == "linux":
        child.start = start_child
    for name in sys.argv[1:]:
        done = command_here(Path.cwd(), ENVIRONMENT, ["check", name])
        gc.collect()  # a reader ends with its workbook
        used = (
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        cost = Cost(done.code, done.out + done.err, megabytes(max(used)))
        print(json.dumps([Path(name).name, *cost]), flush=True)


if __name__ == "__main__":
    main()
