"""What a run's sending is given: its bounds, and what it needs of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rdimport.core.row import Problem

LONGEST_WAIT: Final = 3600.0
"""Seconds for which an endpoint's word is taken; a larger number is taken for a slip."""

LEAD_PERIOD: Final = 86_400.0
"""Seconds after which one lead has its share again (page `limite-de-requisicoes-da-api`)."""

WORTH_WAITING: Final = 60.0
"""Seconds that a run stays for rows that were set aside, when nothing else is left to send."""

BATCH_WAIT: Final = 0.002
"""Seconds that a free place waits for others, so that one durable note serves many rows."""

BATCH_SIZE: Final = 64
"""Rows that are noted at once at most: what leaves within a few milliseconds. A crash leaves those
in doubt too that were noted and had not left yet.
"""

NONE: Final[frozenset[tuple[str, str]]] = frozenset()

REPEATS: Final = 5
"""How often a row in doubt is sent again where its endpoint takes repeats for one."""


class Trace(Protocol):
    """Where in the input a problem of a field comes from."""

    def __call__(self, problem: Problem, file: int, cells: Sequence[str | None]) -> Problem:
        """The problem with its source column and value."""


class Chance(Protocol):
    """What jitter needs of `random.Random`."""

    def random(self) -> float:
        """A number from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Bounds of a run: requests open at once, seconds for which the endpoint may be down, rows to
    send and seconds to spend (None: all of them, as long as it takes), seconds for one answer; with
    `canary` the rows are a trial.
    """

    concurrency: int = 64
    patience: float = 120.0
    limit: int | None = None
    max_seconds: float | None = None
    timeout: float = 60.0
    canary: bool = False
