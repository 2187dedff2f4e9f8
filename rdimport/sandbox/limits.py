"""RD's two limits: the account's requests in fixed windows, and one lead's requests in a day.

Pure: every method is given the present as seconds since 1970 and never asks for it. RD's windows
are fixed, not sliding: a client that fills the end of one and the start of the next passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from rdimport.core.quota import Quota

LEAD_PERIOD: Final = 86_400
"""Seconds in which one lead may get `limit` requests (page `limite-de-requisicoes-da-api`)."""


class Taken(NamedTuple):
    """What a window says about one request; `reset` is whole seconds until the next window."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    seconds: float


class Window:
    """The quota of one account. Windows begin at whole multiples of their length."""

    __slots__ = ("_count", "_number", "quota")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self._number = -1
        self._count = 0

    def take(self, now: float) -> Taken:
        """Count one request if it still fits into the present window."""
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
        """Requests counted in the present window."""
        return self._count if int(now // self.quota.seconds) == self._number else 0


class Leads:
    """How often each lead was posted; a lead's day begins with its first request."""

    def __init__(self, limit: int, period: int = LEAD_PERIOD) -> None:
        self.limit = limit
        self.period = period
        self._seen: dict[tuple[int, str], tuple[float, int]] = {}

    def take(self, account: int, email: str, now: float) -> tuple[int, int] | None:
        """Count one request; None when it passes, else `(usage, seconds until the day is over)`."""
        lead = (account, email)
        start, count = self._seen.get(lead, (now, 0))
        if now - start >= self.period:
            start, count = now, 0
        self._seen[lead] = (start, count + 1)
        if count < self.limit:
            return None
        return count + 1, math.ceil(start + self.period - now)

    def restore(self, seen: Iterable[tuple[int, str, float, int]]) -> None:
        """Go on from `(account, email, first request of the day, requests)` of an earlier start."""
        self._seen.update({(account, email): (at, count) for account, email, at, count in seen})

    def clear(self) -> None:
        """Forget all leads."""
        self._seen.clear()
