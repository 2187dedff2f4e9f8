"""Which accounts a worker gives to others, so that each has its share of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Final, NamedTuple

_AT_ONCE: Final = 2
"""Runs that send and go to another worker: to end and to begin again costs more than to go on, and
accounts that nobody sends for come first.
"""


class Load(NamedTuple):
    """How many jobs a worker is at, of how many at most."""

    name: str
    jobs: int
    slots: int


def free_slots(workers: Sequence[Load]) -> list[str]:
    """Who gets jobs that have no worker, one after the other: for each slot that is free the name
    of its worker, first of those who have least for what they can.
    """
    free = [(jobs / one.slots, one.name) for one in workers for jobs in range(one.jobs, one.slots)]
    return [name for _busy, name in sorted(free)]


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


def to_move(waiting: Sequence[str], sending: Sequence[str], to: Sequence[str]) -> dict[str, str]:
    """Which jobs go to whom: those that wait to begin, and of those that send a few at a time."""
    return dict(zip([*waiting, *sending[:_AT_ONCE]], to, strict=False))
