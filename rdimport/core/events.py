"""Events of a run for its observers. The final numbers never come from events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rdimport.core.row import State


class RowsRead(NamedTuple):
    """`rows` more rows of a file were read, cleaned and validated."""

    file: str
    rows: int


class SendingStarted(NamedTuple):
    """The plan is complete. `rows`: rows to send, within the limit; `per_second`: the maximum rate,
    None without a quota.
    """

    rows: int
    per_second: float | None


class RowFinished(NamedTuple):
    """A row that was to be sent reached its final state."""

    state: State


class Waiting(NamedTuple):
    """The run waits; `reason` is a detail for `reasons.detail`."""

    reason: str
    seconds: float


class Stopping(NamedTuple):
    """No new rows are started; `in_flight` requests still wait for their answers."""

    in_flight: int


class StopRequested(NamedTuple):
    """A stop was requested while rows are read, or while the report is written."""

    during: Literal["reading", "report"]


@dataclass(frozen=True, slots=True)
class SendingFinished:
    """Nothing more will be sent in this run."""


class ReportStage(NamedTuple):
    """The report reached the stage `name`: `counting`, `failures.csv`, `failures.xlsx`, `packing`
    or `report.html`. `rows`: the number of rows to write; 0 if it is not written row by row.
    """

    name: str
    rows: int


class RowsReported(NamedTuple):
    """More rows were written to the file of the last stage."""

    rows: int


@dataclass(frozen=True, slots=True)
class ReportFinished:
    """All files of the report are written, or one of them could not be."""


@dataclass(frozen=True, slots=True)
class PlanFinished:
    """All of the input was read; nothing has been sent yet."""


Event = (
    RowsRead
    | PlanFinished
    | SendingStarted
    | RowFinished
    | Waiting
    | Stopping
    | StopRequested
    | SendingFinished
    | ReportStage
    | RowsReported
    | ReportFinished
)
Observer = Callable[[Event], None]


class LastTrouble:
    """Forwards events, and keeps the reason of the current wait until a row finishes again."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.trouble = ""

    def __call__(self, event: Event) -> None:
        """Record the event and forward it."""
        if isinstance(event, Waiting):
            self.trouble = event.reason
        elif isinstance(event, RowFinished):
            self.trouble = ""
        self._observer(event)


def ignore_events(_event: Event) -> None:
    """An observer that does nothing."""


def best_effort(observer: Observer) -> Observer:
    """The observer, until its output is closed or full; then it does nothing. No run depends on
    whether its progress can be shown. Another error ends the run, which the observer must not
    interrupt a second time: nobody would release the account.
    """
    working = True

    def notify(event: Event) -> None:
        nonlocal working
        if working:
            try:
                observer(event)
            except (OSError, ValueError):  # ValueError: the file is closed
                working = False
            except StopIteration as error:  # no future can hold it: its run would never end
                working = False
                raise RuntimeError("on_event raised StopIteration") from error
            except BaseException:
                working = False
                raise

    return notify
