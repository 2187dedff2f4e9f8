"""What a run tells its observers while it works. The final numbers never come from these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rdimport.row import State


@dataclass(frozen=True, slots=True)
class RowsRead:
    """So many more rows of a file were read, cleaned and validated."""

    file: str
    rows: int


@dataclass(frozen=True, slots=True)
class SendingStarted:
    """The plan is made; `rows` will be sent, at `per_second` at most (None: no quota)."""

    rows: int
    per_second: float | None


@dataclass(frozen=True, slots=True)
class RowSettled:
    """One row that was to be sent has come to its state."""

    state: State


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run waits; `reason` is a sentence for people."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopping:
    """No new rows are taken; so many requests are open and are waited for."""

    in_flight: int


@dataclass(frozen=True, slots=True)
class SendingFinished:
    """Nothing more will be sent in this run."""


Event = RowsRead | SendingStarted | RowSettled | Waiting | Stopping | SendingFinished
Observer = Callable[[Event], None]


def silent(_event: Event) -> None:
    """The observer that shows nothing."""


def forgiving(observer: Observer) -> Observer:
    """The same, until what it writes to is closed or full: then it is silent. No run depends on
    whether anybody can see it.
    """
    working = True

    def told(event: Event) -> None:
        nonlocal working
        if working:
            try:
                observer(event)
            except (OSError, ValueError):  # a closed file is a ValueError
                working = False

    return told
