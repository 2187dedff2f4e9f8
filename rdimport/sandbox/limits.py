"""RD's limits: requests of an account per fixed window, requests of a lead per day.

Pure: the current time, in seconds since the Unix epoch, is an argument. RD's windows are fixed, not
sliding: a client that fills the end of one and the start of the next passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from rdimport.core.quota import Quota

LEAD_PERIOD: Final = 86_400
"""Seconds in which a lead may receive `limit` requests (page `limite-de-requisicoes-da-api`)."""


class Taken(NamedTuple):
    """The result for one request; `reset` is in whole seconds until the next window."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    seconds: float


class Window:
    """The quota of an account. Windows start at multiples of their length."""

    __slots__ = ("_count", "_number", "quota")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self._number = -1
        self._count = 0

    def take(self, now: float) -> Taken:
        """Count a request if it fits into the current window."""
        limit, seconds = self.quota.requests, self.quota.seconds
        number = int(now // seconds)
        if number != self._number:
            self._number, self._count = number, 0
        allowed = self._count < limit
        if allowed:
            self._count += 1
        # Rounded up: a client that waits this long must not come back a moment too early.
        reset = max(1, math.ceil((number + 1) * seconds - now))
        return Taken(allowed, limit, limit - self._count, reset, seconds)

    def used(self, now: float) -> int:
        """Number of requests in the current window."""
        return self._count if int(now // self.quota.seconds) == self._number else 0


class Leads:
    """Requests per lead; a lead's day starts with its first request."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._seen: dict[tuple[int, str], tuple[float, int]] = {}

    def take(self, account: int, email: str, now: float) -> tuple[int, int] | None:
        """Count a request; None if it passes, otherwise `(usage, seconds until the day ends)`."""
        lead = (account, email)
        start, count = self._seen.get(lead, (now, 0))
        if now - start >= LEAD_PERIOD:
            start, count = now, 0
        self._seen[lead] = (start, count + 1)
        if count < self.limit:
            return None
        return count + 1, math.ceil(start + LEAD_PERIOD - now)

    def restore(self, seen: Iterable[tuple[int, str, float, int]]) -> None:
        """Restore `(account, email, first request of the day, requests)` from before a restart."""
        self._seen.update({(account, email): (at, count) for account, email, at, count in seen})

    def clear(self) -> None:
        """Remove all leads."""
        self._seen.clear()
