"""The whole proof, part after part: `python -m tests.proof.whole`. One line gives the result of
each part, and the last one that of all.

    --ledger postgres     only what is about a ledger in PostgreSQL
    --parts mutants,...   only these parts
    --seeds 20 --first 7  these stories instead of 0 to 299
    --resume              leave out what an earlier proof has done in this folder (.proof)

The full output of the parts is in .proof, with the verdict of each seed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from .verdicts import UNTRUTHS, kept, kind_of

FOLDER: Final = Path(".proof")
_DONE: Final = FOLDER / "done.json"
_STORIES: Final = ("stories-sqlite", "stories-postgres")
_PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


class Part(NamedTuple):
    """A part of the proof: what it shows, and its command."""

    shows: str
    args: tuple[str, ...]


def parts(first: int, seeds: int) -> dict[str, Part]:
    """All parts by name, quick ones first."""
    stories = ("-m", "tests.proof", "--quick", "--first", str(first), "--seeds", str(seeds))
    fleet = ("-m", "tests.proof.fleet", "--seed")
    return {
        "properties": Part(
            "each property with six times the examples, of both ledgers",
            (*_PYTEST, "-m", "hypothesis", "--hypothesis-profile=thorough", "-n", "auto"),
        ),
        "claims": Part(
            "claims, lost commit answers, frozen and killed at named points",
            (*_PYTEST, "tests/test_ledger_claims.py", "tests/test_ledger_shared.py"),
        ),
        "mutants": Part(
            "each spoilt statement is found", (*_PYTEST, "tests/test_ledger_mutants.py")
        ),
        "failures": Part(
            "failover, lost notes, clocks, a silent database",
            (*_PYTEST, "tests/test_ledger_failover.py", "tests/test_ledger_failures.py"),
        ),
        "pooler": Part("through PgBouncer", (*_PYTEST, "tests/test_ledger_pooler.py")),
        "stories-sqlite": Part("stories, with a ledger in a file", stories),
        "stories-postgres": Part(
            "stories of two to four machines that compete", (*stories, "--ledger", "postgres")
        ),
        **{
            f"fleet-{seed}": Part("workers killed, frozen and cut off", (*fleet, str(seed)))
            for seed in (1, 2, 3)
        },
    }


def main() -> int:
    """Return 0 if every part found what it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ledger", choices=("both", "postgres"), default="both")
    parser.add_argument("--parts", default="", metavar="A,B")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    chosen = parts(args.first, args.seeds)
    if args.ledger == "postgres":
        chosen = {name: chosen[name] for name in chosen if name not in ("properties", _STORIES[0])}
    if args.parts:
        chosen = {name: chosen[name] for name in args.parts.split(",")}
    if not args.resume:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    results = {name: _played(name, part) for name, part in chosen.items()}
    seeds = range(args.first, args.first + args.seeds)
    return _report(results, [name for name in _STORIES if name in chosen], seeds)


def _played(name: str, part: Part) -> bool:
    """Run a part, unless an earlier proof has done it; return whether it went well."""
    done = json.loads(_DONE.read_text()) if _DONE.exists() else {}
    key = " ".join(part.args)
    if key not in done:
        began = time.monotonic()
        log = ["--log", str(FOLDER / f"{name}.jsonl")] if name in _STORIES else []
        command = [sys.executable, *part.args, *log]
        with (FOLDER / f"{name}.log").open("w") as out:
            code = subprocess.run(
                command, check=False, stdout=out, stderr=subprocess.STDOUT
            ).returncode
        last = _summary((FOLDER / f"{name}.log").read_text())
        line = f"{name}: {part.shows}: {last} ({time.monotonic() - began:.0f} s)"
        if code:
            print(f"FAILED {line}; see {FOLDER / name}.log", flush=True)
            return False
        done[key] = line
        _DONE.write_text(json.dumps(done, indent=1))
    print(done[key], flush=True)
    return True


def _summary(text: str) -> str:
    """A part's summary of itself: a fleet's untruths, or the last line of others."""
    found = re.findall(r".*\d+ untruths", text)
    lines = found or text.strip().splitlines() or ["it said nothing"]
    return lines[-1].strip(" =")


def _report(results: dict[str, bool], stories: list[str], seeds: range) -> int:
    """Print the results of all parts."""
    verdicts = [kept(FOLDER / f"{name}.jsonl") for name in stories]
    mine = [one for by_seed in verdicts for seed, one in by_seed.items() if seed in seeds]
    wrong = Counter(kind_of(untruth) for one in mine for untruth in one.untruths)
    for name in results:
        if name.startswith("fleet-"):
            counts = re.findall(r"(\d+) untruths", (FOLDER / f"{name}.log").read_text())
            wrong[UNTRUTHS[-1]] += sum(map(int, counts))
    failed = [name for name, went_well in results.items() if not went_well]
    rows = ", ".join(f"{wrong[kind]} {kind}" for kind in UNTRUTHS)
    outcome = f"failed: {', '.join(failed)}" if failed else f"{len(results)} parts went well"
    print(f"{outcome}; {len(mine)} stories: rows {rows}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
