"""When jobs are due, by their `every`: five fields as in a crontab, in the machine's own time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from croniter import CroniterError, croniter

LATE: Final = timedelta(hours=1)
"""A job that was due while no worker was running still runs for this long."""

_FIELDS: Final = 5
_AT_RANDOM: Final = re.compile(r"(?i)(?<![a-z])r(?![a-z])")
"""croniter reads this as a different moment each time."""


def is_time(every: str) -> bool:
    """Whether `every` has five fields and ever comes due. 31 February does not."""
    if len(every.split()) != _FIELDS or _AT_RANDOM.search(every):
        return False
    try:
        croniter(every).get_next()
    except CroniterError:
        return False
    return True


def last_tick(every: str, now: datetime) -> datetime | None:
    """The latest moment at which a job was due; None if that was too long ago."""
    here = now.astimezone()
    found: datetime = croniter(every, here + timedelta(seconds=1)).get_prev(datetime)
    first = found.replace(tzinfo=None, fold=0).astimezone()
    if first < found and "*" not in every.split()[1]:  # clocks were put back: run it once
        found = first
    return found if here - found <= LATE else None
