"""Measures how far this machine's clock is from the endpoint's, by the `Date` of its responses.

Later evidence of a conversion has a time by the endpoint's clock, and is compared with the time of
the row's request by this machine's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from rdimport.core.clock import Clock
from rdimport.ledger import CLOCKS, ClockRange


class EndpointClock:
    """The differences seen so far. `note` is called with their range when it has grown."""

    def __init__(self, clock: Clock, note: Callable[[ClockRange], None]) -> None:
        self._clock = clock
        self._note = note
        self._last = ""
        self.range: ClockRange | None = None
        """None before the first response."""

    def see(self, date: str) -> None:
        """Use a response's `Date`; many responses have the same one."""
        if date == self._last:
            return
        self._last = date
        try:
            ahead = (parsedate_to_datetime(date) - self._clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return
        ahead = 0.0 if abs(ahead) <= CLOCKS else ahead
        least, most = self.range or (ahead, ahead)
        if least - CLOCKS <= ahead <= most + CLOCKS and self.range:
            return
        self.range = ClockRange(min(least, ahead), max(most, ahead))
        if any(self.range):
            self._note(self.range)
