"""Quota arithmetic: when may the next request leave?

Pure: every method is given the present as a number of seconds (any monotonic start) and answers
with seconds; it neither asks for the time nor waits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

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


class Limits(NamedTuple):
    """What an answer's headers say of the account's window: requests that it allows in all, that
    are left in it, and seconds until the next one begins.
    """

    limit: int
    remaining: int
    reset: float


_AIR: Final = 1.005
"""Even spacing, this much wider: then no fixed window, wherever it begins, holds one too many."""

_RESERVE: Final = 3
"""Requests left to others in a window that is shared: they may take them while ours travels."""


class Pace:
    """An even pace, one interval apart, that gives way to others and to the endpoint's word.

    Even spacing fills a fixed window without knowing where it begins; bursts are what gateways
    punish first. Where the headers of answers show that somebody else uses the quota too, what is
    left of the window is spread over the time that is left of it. Nothing that they say makes the
    pace faster than the quota.
    """

    def __init__(self, quota: Quota | None) -> None:
        self._quota = quota
        self._base = quota.interval * _AIR if quota else 0.0
        self._interval = self._base
        self._next = float("-inf")
        self._held_until = float("-inf")
        self._ends: float | None = None
        self._used = self._mine = 0
        self._shared = 0
        self._taken = 0
        self._free_since: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until the next slot, 0 when it is there."""
        return max(0.0, self._next - now, self._held_until - now)

    def take(self, now: float) -> None:
        """Use the slot that is there.

        A request that leaves a little late does not push the later ones back, or the small
        delays of a long run would add up to unused quota. It never makes up more than half a slot.
        """
        self._next = max(self._next, now - self._base / 2) + self._interval
        self._taken += 1

    def hold(self, now: float, seconds: float) -> None:
        """Let nobody leave for so many seconds."""
        self._held_until = max(self._held_until, now + seconds)
        self._next = max(self._next, self._held_until)

    def held(self, now: float) -> float:
        """Seconds for which the whole run still has to wait, 0 when it may go on."""
        return max(0.0, self._held_until - now)

    def learn(self, now: float, limits: Limits, in_flight: int, *, counted: bool) -> None:
        """Take an answer's headers into account. `counted`: it was not a refusal for the quota;
        `in_flight` requests have left and are not answered yet.
        """
        if self._quota is None:
            return
        window = min(60.0, self._quota.seconds)  # RD counts in minutes
        if limits.reset > 2 * window:
            return  # no such window is known of: better no word than that one
        self._base = max(self._quota.interval, window / max(1, limits.limit)) * _AIR
        self._follow_window(now, limits, in_flight)
        self._mine += counted
        tick = window / 60  # what headers that count in whole seconds cannot tell
        left = limits.remaining - (in_flight + _RESERVE if self._shared else 0)
        over = (self._ends or now) - now
        if not counted or left <= 0:
            self.hold(now, over if limits.reset >= tick else max(over, tick))
            self._interval = self._base
        elif self._shared:
            self._interval = max(self._base, over / left)
        else:
            self._interval = self._base

    def throttled(self, now: float, seconds: float, *, told: bool) -> None:
        """The account's quota was used up: wait until its next window, `seconds` from now.

        Where the headers do not tell how much is left (`told` is false), only this tells that
        others use the quota: the pace becomes what the last window let us have.
        """
        if self.held(now) > 0:
            return  # others left before the first of them was answered: the same news
        self._shared = 2
        if self._quota is not None and not told:
            if self._free_since is not None:
                mine = max(1, self._taken - 1)
                self._interval = max(self._base, self._quota.seconds / mine * 1.015)
            self._free_since, self._taken = now + seconds, 0
        self.hold(now, seconds)

    def _follow_window(self, now: float, limits: Limits, in_flight: int) -> None:
        """Tell windows apart by their use, which only falls where a new one begins."""
        used = limits.limit - limits.remaining
        ends = now + limits.reset
        over = self._ends is None or (now >= self._ends and used < self._used)
        if over or used < self._used - in_flight - _RESERVE:
            others = self._used - self._mine
            slack = _RESERVE + limits.limit / 50 + in_flight
            self._shared = 2 if others > slack else max(0, self._shared - 1)
            self._ends, self._mine = ends, 0
        elif self._ends is None or now >= self._ends:
            self._ends = ends
        else:
            self._ends = min(self._ends, ends)
        self._used = used
