"""Play many seeds and say what came of it: `python -m tests.proof --seeds 300`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from .nursery import Nursery
from .play import Verdict, play


def main() -> int:
    """0 when no seed showed an untruth."""
    words = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    words.add_argument("--seeds", type=int, default=300, help="how many (300)")
    words.add_argument("--first", type=int, default=0, help="the first seed (0)")
    words.add_argument("--jobs", type=int, default=2, help="seeds played at the same time (2)")
    words.add_argument("--quick", action="store_true", help="fork the commands from one process")
    words.add_argument("--keep", type=Path, help="keep the folders of seeds that failed here")
    told = words.parse_args()
    started = time.monotonic()
    verdicts = asyncio.run(
        play_all(range(told.first, told.first + told.seeds), told.jobs, told.keep, quick=told.quick)
    )
    _show(verdicts, time.monotonic() - started)
    return 1 if any(verdict.untruths for verdict in verdicts) else 0


async def play_all(
    seeds: Iterable[int], jobs: int, keep: Path | None = None, *, quick: bool = False
) -> list[Verdict]:
    """The verdicts in the order of the seeds, `jobs` of them under way at any time."""
    places = asyncio.Semaphore(jobs)
    async with Nursery() if quick else nullcontext() as nursery:
        return await asyncio.gather(*(_one(seed, places, keep, nursery) for seed in seeds))


async def _one(
    seed: int, places: asyncio.Semaphore, keep: Path | None, nursery: Nursery | None
) -> Verdict:

    async with places:
        verdict = await play(seed, keep, nursery)
    for untruth in verdict.untruths:
        print(untruth, flush=True)
    if sys.stderr.isatty() or seed % 10 == 0:
        print(f"seed {seed}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr)
    return verdict


def _show(verdicts: list[Verdict], seconds: float) -> None:
    counts, faults = Counter[str](), Counter[str]()
    for verdict in verdicts:
        counts += verdict.counts
        faults += verdict.faults
    print(f"\n{seconds:.0f} s")
    for title, found in (("what happened", counts), ("requests by what they met", faults)):
        print(f"\n{title}:")
        for name, times in sorted(found.items()):
            print(f"{times:>9}  {name}")
    wrong = sum(len(verdict.untruths) for verdict in verdicts)
    print(f"\n{wrong} rows lost, sent twice unasked, or told untruly")


if __name__ == "__main__":
    sys.exit(main())
