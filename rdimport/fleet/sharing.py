"""Which accounts a worker gives to others, so that each has its share of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple


class Load(NamedTuple):
    """How many jobs a worker is at, of how many at most."""

    name: str
    jobs: int
    slots: int


def to_give(mine: Load, others: Sequence[Load]) -> list[str]:
    """To whom this worker gives a job each: only what it has beyond its share, and only to those
    who have less than theirs. All workers that reckon with the same loads agree.
    """
    slots = mine.slots + sum(other.slots for other in others)
    jobs = mine.jobs + sum(other.jobs for other in others)
    left = mine.jobs - ceil(jobs * mine.slots / slots)
    given: list[str] = []
    for other in sorted(others, key=lambda load: load.jobs / load.slots):
        lacking = min(floor(jobs * other.slots / slots), other.slots) - other.jobs
        number = max(0, min(left, lacking))
        given += [other.name] * number
        left -= number
    return given
