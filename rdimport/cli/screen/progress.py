"""Observers that show progress on standard error; reports never use their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

from rdimport.core.clock import Clock
from rdimport.core.events import (
    Event,
    Observer,
    ReportStage,
    RowFinished,
    RowsRead,
    RowsReported,
    SendingFinished,
    SendingStarted,
    Stopping,
    StopRequested,
    Waiting,
    best_effort,
)
from rdimport.core.messages.reasons import detail
from rdimport.core.row import State
from rdimport.report.words import Words

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_EVERY: Final = 30.0
"""Seconds between two lines if standard error is not a terminal."""

_REDRAW: Final = 0.1

_SHORTEST: Final = 8
"""Minimum width of the bar itself."""


class Forecast:
    """Estimates the remaining time from the rate so far, never faster than the quota."""

    def __init__(self, rows: int, per_second: float | None, started: float) -> None:
        self.rows = rows
        self.done = 0
        self.states: Counter[State] = Counter()
        self.over = False
        """No new rows are started; the rest is for another run."""
        self._per_second = per_second
        self._started = started

    def settled(self, state: State) -> None:
        """Count one finished row."""
        self.done += 1
        self.states[state] += 1

    def seconds(self, now: float) -> float | None:
        """Estimated seconds left; None if unknown."""
        seen = self.done / (now - self._started) if now > self._started else 0.0
        rate = min(seen or float("inf"), self._per_second or float("inf"))
        if self.done < 5 and self._per_second:
            rate = self._per_second  # the first rows are not representative
        return (self.rows - self.done) / rate if 0 < rate < float("inf") else None

    def text(self, now: float, words: Words, width: int | None = None) -> str:
        """The states so far and the remaining time; only the time if `width` is too small."""
        parts = [words.rows_in(state, rows) for state, rows in sorted(self.states.items())]
        left = None if self.over else self.seconds(now)
        parts += [words("left", time=words.duration(left))] if left else []
        while len(parts) > 1 and width is not None and len(", ".join(parts)) > width:
            del parts[0 if left else -1]
        return ", ".join(parts)

    def rate(self, now: float, words: Words) -> str:
        """Rows per second so far; empty if unknown."""
        if not self.done or now <= self._started:
            return ""
        return words("rows_a_second", rate=words.rate(self.done / (now - self._started)))


class Bars:
    """tqdm bars on a terminal, while reading, sending and writing reports. The last kind disappears
    when it is done, as the files are listed below it.
    """

    def __init__(self, out: TextIO, clock: Clock, words: Words) -> None:
        from tqdm import tqdm  # noqa: PLC0415  only progress bars need it

        self._new = partial(tqdm, file=out, dynamic_ncols=True, unit=f" {words('unit.rows')}")
        self._out = out
        self._clock = clock
        self._words = words
        self._bar: tqdm[NoReturn] | None = None
        self._forecast: Forecast | None = None
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, RowFinished):
            self._settled(event.state)
        elif isinstance(event, RowsRead | RowsReported):
            self._count(event.rows)
        elif isinstance(event, SendingStarted):
            self._start(event)
        elif isinstance(event, ReportStage):
            self._report(event)
        elif isinstance(event, Waiting):
            if self._bar is not None:
                self._bar.set_postfix_str(_waiting(event, self._words))
        elif isinstance(event, Stopping | StopRequested):
            self._stop(event)
        else:
            self.close()

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._forecast is not None:
            self._forecast.over = True
        if self._bar is not None:
            self._redraw()
            self._bar.close()
        self._bar = self._forecast = None

    def _count(self, rows: int) -> None:
        if self._bar is None:
            self._bar = self._new(
                desc=self._words("reading"), bar_format="{desc}: {n_fmt}{unit} [{elapsed}]"
            )
        self._bar.update(rows)

    def _start(self, event: SendingStarted) -> None:
        self.close()
        if not event.rows:
            return
        self._forecast = Forecast(event.rows, event.per_second, self._clock.monotonic())
        self._bar = self._new(
            desc=self._words("sending"),
            total=event.rows,
            bar_format="{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{postfix}",
        )
        self._redraw()

    def _report(self, event: ReportStage) -> None:
        self.close()
        counted = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}"
        self._bar = self._new(
            desc=self._words(f"stage.{event.name}"),
            total=event.rows or None,
            leave=False,
            bar_format=counted if event.rows else "{desc} …",
        )

    def _stop(self, event: Stopping | StopRequested) -> None:
        if self._forecast is not None:
            self._forecast.over = True
        said = _stopping(event, self._words)
        bar = self._bar  # the thread that reads, or writes the report, may be closing it
        if bar is None:
            print(said, file=self._out, flush=True)
        else:
            bar.write(said, file=self._out)
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
        self._bar.set_postfix_str(self._suffix(self._bar, self._forecast), refresh=False)
        self._bar.update(self._forecast.done - self._bar.n)
        self._bar.refresh()

    def _suffix(self, bar: tqdm[NoReturn], forecast: Forecast) -> str:
        """The text next to the bar, as far as there is room; the remaining time has priority."""
        columns = bar.format_dict["ncols"]
        progress = forecast.text(self._drawn, self._words)
        rate = forecast.rate(self._drawn, self._words)
        whole = ", ".join(filter(None, (rate, progress)))
        if columns is None:
            return whole
        counted = f"{bar.desc} 100% || {forecast.rows}/{forecast.rows}, "
        room = columns - len(counted) - _SHORTEST
        return whole if len(whole) <= room else forecast.text(self._drawn, self._words, room)


class Lines:
    """One line at intervals, for log files and cron."""

    def __init__(self, out: TextIO, clock: Clock, words: Words) -> None:
        self._out = out
        self._clock = clock
        self._words = words
        self._forecast: Forecast | None = None
        self._read = 0
        self._last_line_at = clock.monotonic()

    def __call__(self, event: Event) -> None:
        """Show one event, if it is time."""
        words = self._words
        if isinstance(event, RowsRead):
            self._read += event.rows
            self._now_and_then(lambda: words.counted("rows_read", self._read))
        elif isinstance(event, SendingStarted):
            self._forecast = Forecast(event.rows, event.per_second, self._clock.monotonic())
            left = self._forecast.seconds(self._clock.monotonic())
            parts = [words.counted("rows_to_send", event.rows)]
            parts += [words("about", time=words.duration(left))] if left else []
            self._say(", ".join(parts))
        elif isinstance(event, RowFinished) and self._forecast is not None:
            self._forecast.settled(event.state)
            self._now_and_then(self._sent)
        elif isinstance(event, Waiting):
            self._now_and_then(partial(_waiting, event, words))
        elif isinstance(event, Stopping | StopRequested):
            self._say(_stopping(event, words))
        elif isinstance(event, SendingFinished) and self._forecast is not None:
            self._forecast.over = True
            if self._forecast.rows:
                self._say(self._sent())

    def close(self) -> None:
        """Nothing to close."""

    def _sent(self) -> str:
        forecast, words = self._forecast, self._words
        if forecast is None:
            return ""
        sent = words.counted("rows_sent", forecast.rows, done=words.number(forecast.done))
        progress = forecast.text(self._clock.monotonic(), words)
        return ": ".join(filter(None, (sent, progress)))

    def _now_and_then(self, text: Callable[[], str]) -> None:
        if self._clock.monotonic() - self._last_line_at >= LINE_EVERY:
            self._say(text())

    def _say(self, text: str) -> None:
        self._last_line_at = self._clock.monotonic()
        print(text, file=self._out, flush=True)


def _waiting(event: Waiting, words: Words) -> str:
    reason = detail(event.reason, words.lang)
    return words("waiting", time=words.duration(event.seconds), reason=reason)


def _stopping(event: Stopping | StopRequested, words: Words) -> str:
    if isinstance(event, StopRequested):
        return words("stopping.report" if event.during == "report" else "stopping.reading")
    return words.counted("stopping", event.in_flight)


def both(first: Observer, second: Observer) -> Observer:
    """Two observers as one; a failure of one does not affect the other."""
    ones = best_effort(first), best_effort(second)

    def notify(event: Event) -> None:
        for one in ones:
            one(event)

    return notify


@contextmanager
def shown(out: TextIO, clock: Clock, lang: str = "en") -> Iterator[Observer]:
    """The observer for `out`: bars on a terminal, otherwise lines."""
    kind = Bars if out.isatty() else Lines
    observer = kind(out, clock, Words(lang))
    try:
        yield observer
    finally:
        with suppress(OSError, ValueError):  # the output was closed
            observer.close()
