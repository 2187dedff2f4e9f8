"""The result of a scenario, and the file that keeps it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

UNTRUTHS: Final = ("lost", "sent twice unasked", "told untruly")
_LOST: Final = ("was not sent", "was never sent", "are left on their way", "do not add up")


@dataclass
class Verdict:
    """The result of one seed."""

    seed: int
    untruths: list[str]
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def kind_of(untruth: str) -> str:
    """The kind in `UNTRUTHS` of one of the checker's sentences."""
    if "sent again after" in untruth or "were sent again" in untruth:
        return UNTRUTHS[1]
    return UNTRUTHS[0] if any(text in untruth for text in _LOST) else UNTRUTHS[2]


def keep(file: Path, verdict: Verdict) -> None:
    """Append a verdict to a file, one per line."""
    with file.open("a", encoding="utf-8") as lines:
        print(json.dumps(vars(verdict)), file=lines)


def kept(file: Path | None) -> dict[int, Verdict]:
    """The verdicts in a file, by seed. A truncated line is ignored."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file and file.exists() else ():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        counts, faults = Counter(one["counts"]), Counter(one["faults"])
        found[one["seed"]] = Verdict(one["seed"], one["untruths"], counts, faults)
    return found
