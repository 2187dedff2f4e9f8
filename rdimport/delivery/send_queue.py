"""The order in which the rows of a run are sent: repeats, then parked rows, then new ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count

from rdimport.delivery.settings import LEAD_PERIOD, WORTH_WAITING
from rdimport.ledger import PendingRow


class SendQueue:
    """The rows that are still to be sent.

    `rows` are the new rows in the order of the input, of which at most `limit` are taken (None: all
    of them). `now` returns a monotonic time in seconds.
    """

    def __init__(
        self, rows: Iterator[PendingRow], limit: int | None, now: Callable[[], float]
    ) -> None:
        self._rows = rows
        self._limit = limit
        self._now = now
        self._taken = 0
        self._parked_before: set[bytes] = set()
        self._order = count()  # tie-breaker: of rows due at the same time, first in, first out
        self._parked: list[tuple[float, int, PendingRow]] = []
        self.repeats: deque[PendingRow] = deque()
        """Rows to send before all others."""

    def take(self) -> PendingRow | None:
        """The next row to send; None if no row is due."""
        if self.repeats:
            return self.repeats.popleft()
        if self._parked and self._parked[0][0] <= self._now():
            return heappop(self._parked)[2]
        if self._limit is not None and self._taken >= self._limit:
            return None
        pending = next(self._rows, None)
        self._taken += pending is not None
        return pending

    def park(self, pending: PendingRow, wait: float | None) -> None:
        """Set a row aside for `wait` seconds; None: until its lead's quota is renewed."""
        identity = pending.outgoing.identity
        seconds = LEAD_PERIOD if wait is None else min(wait, LEAD_PERIOD)
        if identity in self._parked_before:
            seconds = max(seconds, 2 * WORTH_WAITING)  # the announced reset was too early
        self._parked_before.add(identity)
        heappush(self._parked, (self._now() + seconds, next(self._order), pending))

    @property
    def parked_for(self) -> float | None:
        """Seconds until the first parked row is due; None if no row is parked."""
        return max(0.0, self._parked[0][0] - self._now()) if self._parked else None

    def exceeds_limit(self) -> bool:
        """Whether the limit leaves rows unsent. Takes one of them, so ask only at the end."""
        return self._limit is not None and next(self._rows, None) is not None
