"""Values that say how many requests an account may make."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

_UNITS: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


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
