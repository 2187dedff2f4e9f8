"""A guess of what one column contains, and its confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from rdimport.proposal.vocabulary import Holds


class Trust(IntEnum):
    """How well a heading fits."""

    VALUES = 1
    SLIP = 2
    PATTERN = 3
    EXACT = 4


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column probably contains, and why."""

    column: str
    holds: Holds
    trust: Trust
    rank: int
    why: str

    def adding(self, why: str) -> Guess:
        """A copy with one more reason."""
        return replace(self, why=f"{self.why}, {why}")
