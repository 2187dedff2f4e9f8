"""Decide which accounts a worker gives to others, so that each has its share."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Final, NamedTuple

_AT_ONCE: Final = 2
"""How many sending runs move to another worker at a time: stopping and starting again costs more
than going on, and accounts without a worker come first.
"""


class Load(NamedTuple):
    """How many jobs a worker runs, and how many it can."""

    name: str
    jobs: int
    slots: int


def free_slots(workers: Sequence[Load]) -> list[str]:
    """The workers that get the waiting jobs, one name for each free slot, the least busy first."""
    free = [(jobs / one.slots, one.name) for one in workers for jobs in range(one.jobs, one.slots)]
    return [name for _busy, name in sorted(free)]


def to_give(own: Load, others: Sequence[Load]) -> list[str]:
    """The workers to which this one gives a job each: only what exceeds its share, and only to
    those below theirs. All workers that see the same loads agree.
    """
    slots = own.slots + sum(other.slots for other in others)
    jobs = own.jobs + sum(other.jobs for other in others)
    left = own.jobs - ceil(jobs * own.slots / slots)
    given: list[str] = []
    for other in sorted(others, key=lambda load: load.jobs / load.slots):
        lacking = min(floor(jobs * other.slots / slots), other.slots) - other.jobs
        number = max(0, min(left, lacking))
        given += [other.name] * number
        left -= number
    return given


def to_move(waiting: Sequence[str], sending: Sequence[str], to: Sequence[str]) -> dict[str, str]:
    """The new worker of each job that moves: all not begun, and a few of those that send."""
    return dict(zip([*waiting, *sending[:_AT_ONCE]], to, strict=False))
