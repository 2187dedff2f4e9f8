"""What a run tells its observers while it works. The final numbers never come from these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rdimport.core.row import State


@dataclass(frozen=True, slots=True)
class RowsRead:
    """So many more rows of a file were read, cleaned and validated."""

    file: str
    rows: int


@dataclass(frozen=True, slots=True)
class SendingStarted:
    """The plan is made; `rows` will be sent, as many as a limit lets through, at `per_second` at
    most (None: no quota).
    """

    rows: int
    per_second: float | None


@dataclass(frozen=True, slots=True)
class RowFinished:
    """A row that was to be sent reached its final state."""

    state: State


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run waits; `reason` is a detail that `reasons.detail` puts into words."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopping:
    """No new rows are started; `open` requests are still in flight."""

    in_flight: int


@dataclass(frozen=True, slots=True)
class SendingFinished:
    """Nothing more will be sent in this run."""


@dataclass(frozen=True, slots=True)
class ReportStage:
    """The report reached the stage `name`: `counting`, `failures.csv`, `failures.xlsx`, `packing`
    or `report.html`. `rows` go into it; 0 where it is not written row by row.
    """

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class RowsReported:
    """So many more rows were written into the file that the last stage named."""

    rows: int


@dataclass(frozen=True, slots=True)
class ReportFinished:
    """All files of the report are written, or one of them could not be."""


@dataclass(frozen=True, slots=True)
class PlanFinished:
    """All of the input was read, and nothing was sent yet."""


Event = (
    RowsRead
    | PlanFinished
    | SendingStarted
    | RowFinished
    | Waiting
    | Stopping
    | SendingFinished
    | ReportStage
    | RowsReported
    | ReportFinished
)
Observer = Callable[[Event], None]


class LastTrouble:
    """Passes events on, and remembers what trouble the run waits for: the detail of a `Waiting`,
    until a row finishes again.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.trouble = ""

    def __call__(self, event: Event) -> None:
        """Note it and pass it on."""
        if isinstance(event, Waiting):
            self.trouble = event.reason
        elif isinstance(event, RowFinished):
            self.trouble = ""
        self._observer(event)


def ignore_events(_event: Event) -> None:
    """The observer that shows nothing."""


def best_effort(observer: Observer) -> Observer:
    """The same, until what it writes to is closed or full: then it is silent. No run depends on
    whether anybody can see it.
    """
    working = True

    def notify(event: Event) -> None:
        nonlocal working
        if working:
            try:
                observer(event)
            except (OSError, ValueError):  # a closed file is a ValueError
                working = False

    return notify
