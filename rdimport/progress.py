"""Observers that show a run at work on standard error; they show, and never count for a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

from rdimport.clock import Clock
from rdimport.events import (
    Event,
    Observer,
    RowSettled,
    RowsRead,
    SendingFinished,
    SendingStarted,
    Stopping,
    Waiting,
    forgiving,
)
from rdimport.row import State

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_EVERY: Final = 30.0
"""Seconds between two lines where standard error is no terminal."""

_REDRAW: Final = 0.1


class Forecast:
    """How long the rest will take: by what was seen, and never faster than the quota."""

    def __init__(self, rows: int, per_second: float | None, started: float) -> None:
        self.rows = rows
        self.done = 0
        self.states: Counter[State] = Counter()
        self._per_second = per_second
        self._started = started

    def settled(self, state: State) -> None:
        """One more row came to its end."""
        self.done += 1
        self.states[state] += 1

    def seconds(self, now: float) -> float | None:
        """Seconds that are left, None while nothing tells."""
        seen = self.done / (now - self._started) if now > self._started else 0.0
        rate = min(seen or float("inf"), self._per_second or float("inf"))
        if self.done < 5 and self._per_second:
            rate = self._per_second  # the first rows say more about the start than about the rest
        return (self.rows - self.done) / rate if 0 < rate < float("inf") else None

    def told(self, now: float) -> str:
        """The states so far and the time that is left, for people."""
        states = ", ".join(f"{rows} {state}" for state, rows in sorted(self.states.items()))
        left = self.seconds(now)
        return ", ".join(filter(None, (states, f"{duration(left)} left" if left else "")))


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`, `2 days 4 h`: as people say it."""
    whole = timedelta(seconds=round(seconds))
    hours, minutes = whole.seconds // 3600, whole.seconds % 3600 // 60
    if whole.days:
        return f"{whole.days} day{'s' if whole.days > 1 else ''} {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    if minutes:
        return f"{minutes} min" if minutes >= 10 else f"{minutes} min {whole.seconds % 60:02d} s"
    return f"{seconds:.1f} s" if seconds < 10 else f"{whole.seconds} s"


class Bars:
    """tqdm on a terminal: one bar while the input is read, one while rows are sent."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        from tqdm import tqdm  # noqa: PLC0415  only who sees bars pays for them

        self._new = tqdm
        self._out = out
        self._clock = clock
        self._bar: tqdm[NoReturn] | None = None
        self._forecast: Forecast | None = None
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, RowSettled):
            self._settled(event.state)
        elif isinstance(event, RowsRead):
            if self._bar is None:
                self._bar = self._new(
                    desc="Reading and checking", unit=" rows", file=self._out, dynamic_ncols=True
                )
            self._bar.update(event.rows)
        elif isinstance(event, SendingStarted):
            self._start(event)
        elif isinstance(event, Waiting):
            if self._bar is not None:
                self._bar.set_postfix_str(f"waiting {duration(event.seconds)}: {event.reason}")
        elif isinstance(event, Stopping):
            if self._bar is not None:
                self._bar.write(_stopping(event), file=self._out)
        else:
            self.close()

    def close(self) -> None:
        """Leave the last picture on the screen."""
        if self._bar is not None:
            self._redraw()
            self._bar.close()
            self._bar = None

    def _start(self, event: SendingStarted) -> None:
        self.close()
        self._forecast = Forecast(event.rows, event.per_second, self._clock.monotonic())
        self._bar = self._new(
            desc="Sending",
            total=event.rows,
            file=self._out,
            dynamic_ncols=True,
            bar_format="{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} {rate_fmt}{postfix}",
            unit=" rows",
        )
        self._redraw()

    def _settled(self, state: State) -> None:
        if self._forecast is not None:
            self._forecast.settled(state)
            if self._clock.monotonic() - self._drawn >= _REDRAW:
                self._redraw()

    def _redraw(self) -> None:
        if self._bar is None or self._forecast is None:
            return
        self._drawn = self._clock.monotonic()
        self._bar.set_postfix_str(self._forecast.told(self._drawn), refresh=False)
        self._bar.update(self._forecast.done - self._bar.n)
        self._bar.refresh()


class Lines:
    """A line every so often, for log files and cron."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out = out
        self._clock = clock
        self._forecast: Forecast | None = None
        self._read = 0
        self._said = clock.monotonic()

    def __call__(self, event: Event) -> None:
        """Show one event, if it is time."""
        if isinstance(event, RowsRead):
            self._read += event.rows
            self._now_and_then(f"{self._read} rows read and checked")
        elif isinstance(event, SendingStarted):
            self._forecast = Forecast(event.rows, event.per_second, self._clock.monotonic())
            left = self._forecast.seconds(self._clock.monotonic())
            self._say(f"{event.rows} rows to send" + (f", about {duration(left)}" if left else ""))
        elif isinstance(event, RowSettled) and self._forecast is not None:
            self._forecast.settled(event.state)
            self._now_and_then(self._sent())
        elif isinstance(event, Waiting):
            self._now_and_then(f"waiting {duration(event.seconds)}: {event.reason}")
        elif isinstance(event, Stopping):
            self._say(_stopping(event))
        elif isinstance(event, SendingFinished) and self._forecast is not None:
            self._say(self._sent())

    def close(self) -> None:
        """Nothing is left open."""

    def _sent(self) -> str:
        forecast = self._forecast
        if forecast is None:
            return ""
        told = forecast.told(self._clock.monotonic())
        return f"{forecast.done} of {forecast.rows} rows sent" + (f": {told}" if told else "")

    def _now_and_then(self, text: str) -> None:
        if self._clock.monotonic() - self._said >= LINE_EVERY:
            self._say(text)

    def _say(self, text: str) -> None:
        self._said = self._clock.monotonic()
        print(text, file=self._out, flush=True)


def _stopping(event: Stopping) -> str:
    return (
        f"Stopping: {event.in_flight} request(s) are waited for, 10 seconds at most. Ctrl+C again"
        " leaves at once, and their rows uncertain."
    )


def both(first: Observer, second: Observer) -> Observer:
    """Two observers as one; neither falls silent when the other cannot go on."""
    ones = forgiving(first), forgiving(second)

    def told(event: Event) -> None:
        for one in ones:
            one(event)

    return told


@contextmanager
def shown(out: TextIO, clock: Clock) -> Iterator[Observer]:
    """The observer that suits `out`: bars on a terminal, else lines."""
    observer = Bars(out, clock) if out.isatty() else Lines(out, clock)
    try:
        yield observer
    finally:
        with suppress(OSError, ValueError):  # nobody looks any more
            observer.close()
