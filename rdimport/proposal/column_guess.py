"""What one column probably holds, and how sure that is."""

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
    """What a column probably holds, and why."""

    column: str
    holds: Holds
    trust: Trust
    rank: int
    why: str

    def adding(self, why: str) -> Guess:
        """The same with one more reason."""
        return replace(self, why=f"{self.why}, {why}")
