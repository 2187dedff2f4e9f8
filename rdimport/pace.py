"""Quota arithmetic: when may the next request leave?

Pure: every method is given the present as a number of seconds (any monotonic start) and answers
with seconds; it neither asks for the time nor waits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_UNITS: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}

PLANS: Final = {"light": "120/min", "basic": "120/min", "pro": "120/min", "advanced": "500/min"}
"""POST requests of an account by RD's plan (page `limite-de-requisicoes-da-api`)."""


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `requests` in `seconds`."""

    requests: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `120/min`, `2/s`, `500/h`; None for `none`. Raises ValueError for anything else."""
        if text.strip().lower() == "none":
            return None
        match = re.fullmatch(r"\s*(\d+)\s*/\s*([a-z]+)\s*", text.lower())
        if match is None or match[2] not in _UNITS or int(match[1]) == 0:
            raise ValueError(f"not a quota: {text!r} (write 120/min, 2/s, 500/h or none)")
        return cls(int(match[1]), _UNITS[match[2]])

    @property
    def interval(self) -> float:
        """Seconds between two requests at an even pace."""
        return self.seconds / self.requests

    @property
    def per_second(self) -> float:
        """Requests a second at an even pace."""
        return self.requests / self.seconds

    def __str__(self) -> str:
        """As the option spells it."""
        unit = {1.0: "s", 60.0: "min", 3600.0: "h"}.get(self.seconds, f"{self.seconds:g}s")
        return f"{self.requests}/{unit}"


class Pace:
    """An even pace: requests leave one interval apart, and all wait while the account must wait.

    Even spacing fills a fixed window to its limit without knowing where the window begins; bursts
    are what gateways punish first.
    """

    def __init__(self, quota: Quota | None) -> None:
        self._interval = quota.interval if quota else 0.0
        self._next = float("-inf")
        self._held_until = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until the next slot, 0 when it is there."""
        return max(0.0, self._next - now, self._held_until - now)

    def take(self, now: float) -> None:
        """Use the slot that is there.

        A request that leaves a little late does not push the later ones back, or the small
        delays of a long run would add up to unused quota. It never makes more than one slot up.
        """
        self._next = max(self._next, now - self._interval) + self._interval

    def hold(self, now: float, seconds: float) -> None:
        """Let nobody leave for so many seconds: the endpoint said that the quota is used up."""
        self._held_until = max(self._held_until, now + seconds)
        self._next = max(self._next, self._held_until)

    def held(self, now: float) -> float:
        """Seconds for which the whole run still has to wait, 0 when it may go on."""
        return max(0.0, self._held_until - now)
