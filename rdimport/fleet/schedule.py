"""When jobs are due, by their `every`: five fields as in a crontab, in the machine's own time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from croniter import croniter

LATE: Final = timedelta(hours=1)
"""A moment that nobody saw, as no worker was there, counts as long as this."""


def is_time(every: str) -> bool:
    """Can it be read?"""
    return bool(croniter.is_valid(every))


def last_tick(every: str, now: datetime) -> datetime | None:
    """The latest moment at which a job was due, unless it is too long ago."""
    here = now.astimezone()
    found = croniter(every, here + timedelta(seconds=1)).get_prev(datetime)
    return found if here - found <= LATE else None


def next_tick(every: str, now: datetime) -> datetime:
    """When a job is due next."""
    found: datetime = croniter(every, now.astimezone()).get_next(datetime)
    return found
