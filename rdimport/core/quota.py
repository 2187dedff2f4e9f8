"""The quota of an account, and its state as reported by an endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

from rdimport.core.arguments import see
from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.visible import cut

ENOUGH: Final = 10.0
"""Seconds of sending below which the share of the quota is not meaningful."""

_UNITS: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `requests` in `seconds`, of which `reserve` is left to other integrations."""

    requests: int
    seconds: float
    reserve: float = 0.0

    def __post_init__(self) -> None:
        see(Quota.__annotations__, {name: getattr(self, name) for name in Quota.__annotations__})
        if self.reserve >= 1:
            raise UsageError(_("The reserve leaves nothing of the quota."), _("Write 0.2 for 20%."))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse `120/min`, `2/s`, `500/h`; None for `none`. Raises ValueError for anything else."""
        if text.strip().lower() == "none":
            return None
        match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*([a-z]+)\s*", text.lower())
        if match is None or match[2] not in _UNITS or int(match[1]) == 0:
            raise ValueError(
                _("not a quota: “{text}” (write 120/min, 2/s, 500/h or none)", text=cut(text))
            )
        return cls(int(match[1]), _UNITS[match[2]])

    def leaving(self, reserve: str) -> Self:
        """A copy with a reserve, written `20%` or `0.2`. Raises ValueError."""
        match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*(%?)", reserve.strip())
        share = float(match[1]) / (100 if match[2] else 1) if match else 1.0
        if share >= 1:
            raise ValueError(
                _("not a share of the quota: “{reserve}” (write 20%)", reserve=cut(reserve))
            )
        return replace(self, reserve=share)

    @property
    def ours(self) -> float:
        """The number of requests that are not reserved."""
        return self.requests * (1 - self.reserve)

    @property
    def interval(self) -> float:
        """Seconds between two requests at an even pace."""
        return self.seconds / self.ours

    @property
    def per_second(self) -> float:
        """Requests per second at an even pace."""
        return self.ours / self.seconds

    def __str__(self) -> str:
        """The quota as written for the option; with a reserve, also the remaining rate."""
        unit = {1.0: "s", 60.0: "min", 3600.0: "h"}.get(self.seconds, f"{self.seconds:g}s")
        whole = f"{self.requests}/{unit}"
        return f"{self.ours:g}/{unit} (of {whole})" if self.reserve else whole


def share_used(requests: int, seconds: float, per_second: float | None) -> float | None:
    """The share of the quota used by `requests`; None without a quota, or for too short a time.
    The first one needs no time: forty a minute take as long as 39 pauses.
    """
    if not per_second or seconds < ENOUGH:
        return None
    return round(requests / (per_second * seconds + 1), 4)


class Limits(NamedTuple):
    """The account's window according to a response's headers: requests allowed in total, requests
    left, and seconds until the next window begins.
    """

    limit: int
    remaining: int
    reset: float
