"""Settings of a run's delivery, its constants, and the protocols that it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from rdimport.core.row import Problem

LONGEST_WAIT: Final = 3600.0
"""Seconds that an endpoint may ask to wait at most; a larger number is an error."""

LEAD_PERIOD: Final = 86_400.0
"""Seconds until a lead's own quota is renewed (RD's page `limite-de-requisicoes-da-api`)."""

WORTH_WAITING: Final = 60.0
"""Seconds for which a run waits for parked rows when nothing else is left to send."""

BATCH_WAIT: Final = 0.002
"""Seconds for which a free place waits for others, so that one commit covers many rows."""

BATCH_SIZE: Final = 64
"""The largest number of rows recorded by one commit. They are sent within a few milliseconds, but a
crash before that leaves all of them uncertain.
"""

NONE: Final[frozenset[tuple[str, str]]] = frozenset()

LOOKS_EVERY: Final = 10.0
"""Seconds between checks of the clock by a run that ends at a time of day: the clock may have been
set, or the machine asleep.
"""

REPEATS: Final = 5
"""How many times an uncertain row is repeated if its endpoint is idempotent."""


class Trace(Protocol):
    """Adds the place in the input where the value of a field comes from."""

    def __call__(self, problem: Problem, file: int, cells: Sequence[str | None]) -> Problem:
        """Returns the problem with its source column and value."""


class RandomSource(Protocol):
    """The part of `random.Random` that jitter needs."""

    def random(self) -> float:
        """A number in the interval [0, 1)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of a run.

    `concurrency`: open requests. `patience`: seconds for which the endpoint may be unavailable.
    `limit`: rows to send, `max_seconds`: duration of the run, `until`: its end by the clock; None
    means unlimited. `timeout`: seconds to wait for one response. `canary`: the rows are a trial.
    """

    concurrency: int = 64
    patience: float = 120.0
    limit: int | None = None
    max_seconds: float | None = None
    until: datetime | None = None
    timeout: float = 60.0
    canary: bool = False

    def after(self, seconds: float) -> Settings:
        """The settings of a run after `seconds` have passed."""
        if self.max_seconds is None:
            return self
        return replace(self, max_seconds=max(0.0, self.max_seconds - seconds))
