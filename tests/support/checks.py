"""`rdimport check` of many files, one after the other in one process: what became of each, and the
most memory that this process or a reader of it has had by then.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.core import child
from support.command import command_here
from support.forks import start_child
from support.processes import Process, ending_with_us

ENVIRONMENT: Final = {**os.environ, "LANG": "C.UTF-8"}


class Cost(NamedTuple):
    """How a command ended, what it said, and the most memory that it or a child of it had."""

    code: int
    said: str
    megabytes: int


def costs_of(paths: Iterable[Path]) -> dict[str, Cost]:
    """What is known of each file, by its name, until the process dies of one of them."""
    words = [sys.executable, "-m", "support.checks", *map(str, paths)]
    with Process(
        words,
        cwd=Path(__file__).parents[1],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=ending_with_us(),
    ) as checking:
        assert checking.stdout is not None
        found = (json.loads(line) for line in checking.stdout)
        return {name: Cost(*cost) for name, *cost in found}


def megabytes(most: int) -> int:
    """Of what the system calls the most memory of a process."""
    size = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, kilobytes elsewhere
    return most // size


def main() -> None:
    """Check the files that are named."""
    if sys.platform == "linux":
        child.start = start_child
    for name in sys.argv[1:]:
        done = command_here(Path.cwd(), ENVIRONMENT, ["check", name])
        gc.collect()  # a reader ends with its book
        used = (
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        cost = Cost(done.code, done.out + done.err, megabytes(max(used)))
        print(json.dumps([Path(name).name, *cost]), flush=True)


if __name__ == "__main__":
    main()
