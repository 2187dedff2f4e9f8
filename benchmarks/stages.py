"""Where the CPU time of a run goes, stage by stage: the own time of each module's functions.

    python benchmarks/stages.py [ROWS]

The run is the one of bench.py; cProfile makes everything dearer, small functions most, so the
shares are a guide and bench.py has the figures.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import lists
from receiver import receiving

from rdimport import pipeline
from rdimport.destination.rdstation import RDStation
from rdimport.mapping import Mapping

STAGES = {
    "source": "read",
    "cleaning": "clean and validate",
    "validation": "clean and validate",
    "prepare.py": "clean and validate",
    "pandera": "clean and validate",
    "polars": "clean and validate",
    "payload.py": "encode",
    "plan.py": "plan",
    "spool.py": "plan",
    "ledger": "ledger and journal",
    "journal.py": "ledger and journal",
    "sqlite3": "ledger and journal",
    "blake2": "ledger and journal",
    "concurrent": "ledger and journal",
    "delivery.py": "delivery and verdict",
    "verdict.py": "delivery and verdict",
    "circuit.py": "delivery and verdict",
    "pace.py": "delivery and verdict",
    "rdstation.py": "build and read a request",
    "json": "build and read a request",
    "transport": "transport",
    "httptools": "transport",
    "httpx": "transport",
    "_socket": "transport",
    "poll": "transport",
    "asyncio": "event loop",
    "selectors": "event loop",
    "report": "report",
    "importlib": "imports",
    "builtins.compile": "imports",
    "builtins.exec": "imports",
    "build_class": "imports",
    "_imp.": "imports",
    "re/_": "imports",
}


def stage(where: tuple[str, int, str]) -> str:
    name = f"{where[0]}:{where[2]}".replace("\\", "/").rpartition("site-packages/")[2]
    found = (stage for part, stage in STAGES.items() if part in name)
    return next(found, "built-in functions and the rest")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    profiles = []

    def profiled() -> None:
        """Profile a thread from its first function on."""
        own = cProfile.Profile(time.thread_time)
        profiles.append(own)
        own.enable()

    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        folder = Path(name)
        file, mapping = lists.write(folder, rows)
        to = RDStation("benchmark", base_url=receiver.base_url)
        threading.setprofile(lambda *_: (sys.setprofile(None), profiled()))
        main_thread = cProfile.Profile(time.thread_time)
        profiles.append(main_thread)
        main_thread.enable()
        done = asyncio.run(
            pipeline.run_async(
                [str(file)],
                Mapping.load(mapping),
                to=to,
                state_dir=folder / "state",
                report_dir=folder / "reports",
            )
        )
        main_thread.disable()
    if done.summary["accepted"] != rows:
        raise RuntimeError("not every row was accepted")
    stats = pstats.Stats(*profiles)
    own: Counter[str] = Counter()
    for where, (_, _, seconds, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        own[stage(where)] += seconds
    print("| stage | share | µs per row, under the profiler |\n|---|---:|---:|")
    for name, seconds in own.most_common():
        print(f"| {name} | {seconds / own.total():.0%} | {1e6 * seconds / rows:.1f} |")
    stats.sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
