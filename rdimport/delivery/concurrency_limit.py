"""How many requests should be open at once? Pure: from how long answers took, it says how many.

With a quota the pace decides, and about quota times latency are open anyway. Without one, more
open requests serve only until the endpoint, or this machine, is busy: from then on they just wait
longer, each of them one more row that a crash would leave uncertain.
"""

from __future__ import annotations

from typing import Final

_START: Final = 8
_PATIENT: Final = 2.5
"""Answers may take so many times as long as the quickest do before fewer are asked for."""

_SLACK: Final = 0.02
"""Seconds that are noise, however quick the quickest answer was."""


class Concurrency:
    """Grows while answers come as quickly as ever, and shrinks when they take longer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = float(min(_START, most))
        self._quickest = float("inf")
        self._recent = 0.0
        self._was_slow = False

    @property
    def places(self) -> int:
        """Requests that may be open at once, at least 1."""
        return int(self._places)

    def answered(self, seconds: float, *, all_used: bool) -> None:
        """Take one answer into account, which took so long; `all_used` tells whether no place was
        free once its request had left with those that left together with it.
        """
        # what was quick long ago may not be possible any more
        self._quickest = min(self._quickest * 1.0001, seconds)
        self._recent = seconds if self._recent == 0 else 0.9 * self._recent + 0.1 * seconds
        if self._recent > _PATIENT * self._quickest + _SLACK:
            self._was_slow = True
            self._places = max(1.0, self._places - 0.5 / self._places)
        elif all_used:  # who does not use all places needs no more
            step = 1.0 / self._places if self._was_slow else 1.0
            self._places = min(float(self._most), self._places + step)
