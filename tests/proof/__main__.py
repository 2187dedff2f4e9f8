"""Play many seeds and print the results: `python -m tests.proof --seeds 300`."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from .play import play
from .shared import Lane
from .verdicts import UNTRUTHS, Verdict, kept, kind_of
from .verdicts import keep as keep_verdict


def main() -> int:
    """Return 0 if no seed showed an untruth."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many (300)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=2, help="seeds played at the same time (2)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no seed after this time"
    )
    parser.add_argument("--quick", action="store_true", help="fork the commands from one process")
    parser.add_argument(
        "--ledger", choices=("sqlite", "postgres"), default="sqlite", help="of which kind (sqlite)"
    )
    parser.add_argument(
        "--log", type=Path, help="keep each verdict in this file; play no seed that it has"
    )
    parser.add_argument("--keep", type=Path, help="keep the folders of seeds that failed here")
    args = parser.parse_args()
    started = time.monotonic()
    seeds = range(args.first, args.first + args.seeds)
    before = kept(args.log)
    verdicts = [before[seed] for seed in seeds if seed in before]
    verdicts += asyncio.run(
        play_all(
            [seed for seed in seeds if seed not in before],
            args.jobs,
            args.keep,
            quick=args.quick,
            minutes=args.minutes,
            shared=args.ledger == "postgres",
            log=args.log,
        )
    )
    _show(verdicts, time.monotonic() - started)
    return 1 if any(verdict.untruths for verdict in verdicts) else 0


async def play_all(
    seeds: Iterable[int],
    jobs: int,
    keep: Path | None = None,
    *,
    quick: bool = False,
    minutes: float = math.inf,
    shared: bool = False,
    log: Path | None = None,
) -> list[Verdict]:
    """The verdicts in order of the seeds, of which `jobs` are played at a time; with `shared`, the
    ledger is in PostgreSQL and runs compete for it.
    """
    left, end = iter(seeds), time.monotonic() + minutes * 60
    verdicts: list[Verdict] = []

    async def work() -> None:
        with Lane() if shared else nullcontext() as lane:
            await work_in(lane)

    async def work_in(lane: Lane | None) -> None:
        for seed in left:
            if time.monotonic() > end:
                return
            verdict = await play(seed, keep, lane, quick=quick)
            verdicts.append(verdict)
            if log is not None:
                keep_verdict(log, verdict)
            for untruth in verdict.untruths:
                print(untruth, flush=True)
            if sys.stderr.isatty() or seed % 10 == 0:
                print(f"seed {seed}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr)

    await asyncio.gather(*(work() for _ in range(jobs)))
    return sorted(verdicts, key=lambda verdict: verdict.seed)


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
    wrong = {verdict.seed: len(verdict.untruths) for verdict in verdicts if verdict.untruths}
    found = f" (by seed: {wrong})" if wrong else ""
    kinds = Counter(kind_of(untruth) for verdict in verdicts for untruth in verdict.untruths)
    rows = ", ".join(f"{kinds[kind]} {kind}" for kind in UNTRUTHS)
    print(f"\n{len(verdicts)} seeds: rows {rows}{found}")


if __name__ == "__main__":
    sys.exit(main())
