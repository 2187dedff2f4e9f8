"""Concurrency limit: adapts the number of open requests to the response time. Pure.

With a quota, the pacer is the limit, and about quota times latency requests are open. Without a
quota, more open requests help only until the endpoint or this machine is saturated. Beyond that
they only wait longer, and each of them would be left uncertain by a crash.
"""

from __future__ import annotations

from typing import Final

_START: Final = 8
_PATIENT: Final = 2.5
"""Response time, as a multiple of the fastest, above which the limit goes down."""

_SLACK: Final = 0.02
"""Seconds of response time that are treated as noise."""


class Concurrency:
    """Grows while response times stay low, and shrinks when they rise or connections fail."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = float(min(_START, most))
        self._quickest = float("inf")
        self._recent = 0.0
        self._was_slow = False

    @property
    def places(self) -> int:
        """The number of requests that may be open at once, at least 1."""
        return int(self._places)

    def answered(self, seconds: float, *, all_used: bool) -> None:
        """Record the response time of one request, in seconds. `all_used`: no place was free after
        its batch had been sent.
        """
        # conditions change: the fastest response time of the past expires slowly
        self._quickest = min(self._quickest * 1.0001, seconds)
        self._recent = seconds if self._recent == 0 else 0.9 * self._recent + 0.1 * seconds
        if self._recent > _PATIENT * self._quickest + _SLACK:
            self._was_slow = True
            self._places = max(1.0, self._places - 0.5 / self._places)
        elif all_used:  # unused places: no reason to grow
            step = 1.0 / self._places if self._was_slow else 1.0
            self._places = min(float(self._most), self._places + step)

    def not_connected(self) -> None:
        """Halve: this machine or the endpoint may have no room for as many connections."""
        self._was_slow = True
        self._places = max(1.0, self._places / 2)
