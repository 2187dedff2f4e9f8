"""An account's fixed windows on a clock that only moves when something happens.

It simulates runs against RD's quota: a limit for each window, wherever that begins, another client
besides ours, delayed answers, and a 429 beyond the limit.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from rdimport.core.quota import Limits
from rdimport.delivery.pacing.pacer import RateLimiter

LIMIT = 120
WINDOW = 60.0


@dataclass
class Windows:
    """`others` is the share of the quota that another client takes, up to the window `gone`, at
    random moments or `steady`. Without `headers`, only a 429 carries information. `missed` is how
    many windows are not counted: a run has to see a 429 first. A window allows `limit` requests in
    `length` seconds.
    """

    windows: int = 60
    others: float = 0.0
    steady: bool = False
    headers: bool = True
    latency: float = 0.2
    seed: int = 1
    gone: float = math.inf
    missed: int = 1
    limit: int = LIMIT
    length: float = WINDOW
    taken: Counter[int] = field(default_factory=Counter)
    ours: Counter[tuple[int, int]] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    theirs: Counter[int] = field(default_factory=Counter)
    theirs_refused: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311  reproducible
        self._phase = self._rng.random() * self.length
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._open: Counter[int] = Counter()

    def play(self, runs: Sequence[RateLimiter], until: Sequence[float] = ()) -> Windows:
        """Let the runs send, each at its pace and up to its moment in `until`, if any."""
        ends = [*until, *[math.inf] * (len(runs) - len(until))]
        if self.others:
            self._at(0.0, self._other)
        for number, (pace, end) in enumerate(zip(runs, ends, strict=True)):
            self._at(number * 0.3, self._run(number, pace, end))
        while self._events and self._events[0][0] < self.windows * self.length:
            now, _, happens = heappop(self._events)
            happens(now)
        return self

    @property
    def counted(self) -> list[int]:
        """The windows that the runs saw from beginning to end."""
        return sorted(self.taken)[self.missed : -1]

    @property
    def used(self) -> float:
        """Share of the quota that was used, by any client."""
        return sum(self.taken[w] for w in self.counted) / self.limit / len(self.counted)

    @property
    def turned_away(self) -> float:
        """Share of our requests that were answered 429."""
        refused = sum(self.refused[w] for w in self.counted)
        return refused / (refused + sum(self.of(run) for run in {run for _, run in self.ours}))

    @property
    def others_turned_away(self) -> float:
        """Share of the others' requests that were answered 429."""
        refused = sum(self.theirs_refused[w] for w in self.counted)
        return refused / max(1, refused + sum(self.theirs[w] for w in self.counted))

    def of(self, run: int) -> int:
        """Requests of one run that were counted."""
        return sum(self.ours[w, run] for w in self.counted)

    def _at(self, moment: float, happens: Callable[[float], None]) -> None:
        heappush(self._events, (moment, next(self._order), happens))

    def _take(self, now: float) -> tuple[bool, Limits]:
        window = self._window(now)
        allowed = self.taken[window] < self.limit
        self.taken[window] += allowed
        left = math.ceil((window + 1) * self.length - now - self._phase)
        return allowed, Limits(self.limit, self.limit - self.taken[window], left)

    def _window(self, now: float) -> int:
        return int((now + self._phase) // self.length)

    def _other(self, now: float) -> None:
        if now < self.gone * self.length:
            allowed, _ = self._take(now)
            self.theirs[self._window(now)] += allowed
            self.theirs_refused[self._window(now)] += not allowed
            rate = self.others * self.limit / self.length
            apart = 1 / rate if self.steady else self._rng.expovariate(rate)
            self._at(now + apart, self._other)

    def _run(self, run: int, pace: RateLimiter, end: float) -> Callable[[float], None]:
        def ready(now: float) -> None:
            if now >= end:
                return
            wait = pace.wait(now)
            if wait > 0:  # an event loop wakes a little late
                self._at(now + wait + self._rng.uniform(1e-9, 0.002), ready)
                return
            pace.acquire(now)
            self._open[run] += 1
            travel = self.latency * self._rng.uniform(0.25, 0.75)
            self._at(now + travel, arrives)
            self._at(now, ready)

        def arrives(now: float) -> None:
            allowed, limits = self._take(now)
            window = self._window(now)
            self.ours[window, run] += allowed
            self.refused[window] += not allowed

            def answered(later: float) -> None:
                self._open[run] -= 1
                if self.headers:
                    pace.learn(later, limits, self._open[run], counted=allowed)
                if not allowed:
                    pace.on_quota_exceeded(later, limits.reset, blind=not self.headers)

            self._at(now + self.latency / 2, answered)

        return ready
