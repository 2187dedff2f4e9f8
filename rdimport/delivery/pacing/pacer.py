"""Quota arithmetic: when may the next request be sent?

Pure: times are seconds of any monotonic clock, passed in by the caller. Nothing here reads a clock
or sleeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

from rdimport.core.quota import Limits, Quota

_AIR: Final = 1.005
"""Factor on the even interval, so that no fixed window gets one request too many wherever it
begins.
"""

_RESERVE: Final = 3
"""Requests of a shared window left to other clients in addition to their expected use; the number
decreases towards the end of the window.
"""

_QUIET: Final = 14
"""Windows without a 429 before an inferred share is raised. At 120 requests a minute, one refusal
in 14 windows is less than 0.1 % of the requests.
"""

_GROWTH: Final = 0.1
"""Requests by which such a share grows at first; growth is quadratic in the number of quiet
windows.
"""

_STEP: Final = 0.25
"""Fraction of the way to a window's measurement that the share moves: windows differ."""

_LEAST: Final = 0.5
"""Requests by which a 429 reduces the share at least."""

_SOON: Final = 0.7
"""The same if the previous window had a 429 too, as a multiple of the square root of what others
use, which is how far their counts scatter.
"""

_AT_IT: Final = 0.8
"""Fraction of its slots that a run must have used for a 429 to be evidence of its share of the
window: a run that started late or was paused used few for other reasons.
"""

_FLOOR: Final = 0.05
"""Fraction of the quota that 429s never take away."""

_LONGEST: Final = 3600.0
"""The longest plausible window, in seconds; a larger number is taken as an error."""

_RECENT: Final = 1 / 3
"""Weight of the last window in the moving average of the other clients' use."""

_SEEN: Final = 1 / 6
"""Fraction of a window that must be observed before it is used to estimate other clients."""

_SPREAD: Final = 1.0
"""Standard deviations added to the other clients' use when it is estimated from a single 429."""

NEVER: Final = float("-inf")
"""A time that is unknown or long past."""


@dataclass(slots=True)
class QuotaState:
    """What all runs of one account share about its quota. Times are seconds of one clock.

    `next` is the time of the next free slot, `held_until` the end of a pause. From the quota
    headers: `interval` between slots while other clients use the quota; the length of the `window`,
    when it `ends`, how many of its requests are `used`, and how many of those are ours (`own`),
    observed from `since` to `last`; and the `others`' use of a window (negative: unknown). From
    429s alone: the start of the next window (`turn`), requests `taken` in the current one, our
    `share` of a window, and the number of windows without a 429 (`quiet`).
    """

    next: float = NEVER
    held_until: float = NEVER
    interval: float = 0.0
    ends: float = NEVER
    window: float = 0.0
    used: float = 0.0
    own: float = 0.0
    since: float = NEVER
    last: float = NEVER
    others: float = -1.0
    turn: float = NEVER
    taken: float = 0.0
    share: float = float("inf")
    quiet: float = 0.0


class RateLimiter(Protocol):
    """Decides when the next row may be sent; implemented by `EvenPacer` and `SharedPacer`."""

    def wait(self, now: float) -> float:
        """Seconds until the next slot; 0 if it is available."""

    def acquire(self, now: float) -> object:
        """Use the available slot."""

    def hold(self, now: float, seconds: float) -> None:
        """Pause this run for `seconds`."""

    def held(self, now: float) -> float:
        """Seconds for which the run is still paused; 0 if it is not."""

    def learn(self, now: float, limits: Limits, in_flight: int, *, counted: bool) -> None:
        """Take the quota headers of a response into account."""

    def on_quota_exceeded(self, now: float, seconds: float, *, blind: bool) -> None:
        """Pause until the account's next window, `seconds` from now."""


class EvenPacer:
    """Spaces requests evenly, and slows down for other clients of the same quota.

    Even spacing fills a fixed window without knowing when it begins, and avoids the bursts that
    gateways penalise. If the quota headers show that other clients use the quota too, their use in
    recent windows is left to them, and the rest is spread over what remains of the window. Without
    headers, only a 429 reveals other clients: see `on_quota_exceeded`. No response ever makes the
    pace faster than the quota minus its reserve.
    """

    def __init__(self, quota: Quota | None) -> None:
        self._quota = quota
        self._base = quota.interval * _AIR if quota else 0.0
        self.state = QuotaState()

    @property
    def interval(self) -> float:
        """The current interval between slots, in seconds."""
        state = self.state
        share = state.share
        if self._quota is None or share == float("inf"):
            return max(self._base, state.interval)
        grown = share + _GROWTH * max(0.0, state.quiet - _QUIET) ** 2
        return max(self._base, state.interval, self._quota.seconds * _AIR / grown)

    def wait(self, now: float) -> float:
        """Seconds until the next slot; 0 if it is available."""
        return max(0.0, self.state.next - now, self.state.held_until - now)

    def acquire(self, now: float) -> float:
        """Use the next slot, and return its time.

        A request that is sent slightly late does not delay the later ones, or the small delays of a
        long run would add up to unused quota. At most half a slot is made up for.
        """
        if self._quota is None:
            return now
        self._turn(now)
        state = self.state
        slot = max(state.next, now - self._base / 2)
        state.next = slot + self.interval
        state.taken += 1
        return slot

    def hold(self, now: float, seconds: float) -> None:
        """Pause for `seconds`."""
        state = self.state
        state.held_until = max(state.held_until, now + seconds)
        state.next = max(state.next, state.held_until)

    def held(self, now: float) -> float:
        """Seconds for which the run is still paused; 0 if it is not."""
        return max(0.0, self.state.held_until - now)

    def learn(self, now: float, limits: Limits, in_flight: int, *, counted: bool) -> None:
        """Take the quota headers of a response into account.

        `counted`: the request counted against the quota (it was not refused for it). `in_flight`:
        the number of requests sent and not answered yet.
        """
        quota, state = self._quota, self.state
        if quota is None or limits.reset > _LONGEST or self._is_old(now, limits):
            return  # implausible or outdated headers are worse than none
        self._follow_window(now, limits)
        state.own += counted
        state.last = now
        length = state.window or quota.seconds
        limit = max(1, limits.limit)
        even = max(quota.interval, length / limit / (1 - quota.reserve))
        self._base = min(even, quota.seconds) * _AIR
        tick = min(1.0, quota.seconds / 60)  # resolution of headers that count whole seconds
        by_others = self._others(limit, in_flight)
        over = state.ends - now
        air = _RESERVE * max(0.0, over) / length
        left = limits.remaining - (in_flight + air if by_others else 0)
        if not counted or left <= 0:
            held = over if limits.reset >= tick else max(over, tick)
            self.hold(now, min(held, 2 * quota.seconds))  # a longer pause needs another response
            state.interval = 0.0
        elif by_others:
            least = _FLOOR * limit * over / length
            by_others = max(by_others, quota.reserve * limit) * over / length
            state.interval = min(over / max(left - by_others, least, 1e-9), quota.seconds)
        else:
            state.interval = 0.0

    def on_quota_exceeded(self, now: float, seconds: float, *, blind: bool) -> None:
        """Pause until the account's next window, `seconds` from now.

        `blind`: the endpoint gave that time, but its headers do not say how much of the quota is
        left. Then a 429 is the only evidence that other clients use the quota, or that it is
        smaller than configured. What this window let through becomes our share of the following
        windows. The share is raised, slowly at first, while no further 429 arrives.
        """
        if self.held(now) > 0:
            return  # a request sent before the first 429 arrived: nothing new
        state = self.state
        if self._quota is not None and blind and seconds <= self._quota.seconds:
            self._turn(now)
            self._take_for_share(self._quota, self._quota.seconds - seconds)
            state.turn, state.taken, state.quiet = now + seconds, 0, 0
        self.hold(now, seconds)

    def _take_for_share(self, quota: Quota, elapsed: float) -> None:
        """Estimate our share from a quota that was exhausted `elapsed` seconds into its window."""
        state = self.state
        past = elapsed / quota.seconds
        if past < 0.1:  # a burst of another client says little about the rest of the window
            return
        reached = quota.seconds * _AIR / self.interval
        ours = elapsed / self.interval
        at_it = state.taken - 1 >= _AT_IT * ours
        if state.share != float("inf"):
            found = ours
            if past < 0.95:
                # the others were refused for the rest of the window, or they would have used more
                found = max(ours * 0.85, quota.requests - (quota.requests - ours) / past)
            down = (reached - found) * _STEP if at_it else 0.0
            least = self._least_step_down(quota.requests - reached)
            state.share = max(_FLOOR * quota.requests, reached - max(least, down))
        elif at_it:
            ours = min(ours, state.taken - 1)
            others = (quota.requests - ours) / past
            # one window is a small sample: allow for the scatter of counts
            found = max(ours / 2, quota.requests - others - _SPREAD * others**0.5)
            state.share = max(_FLOOR * quota.requests, min(found, reached - _LEAST))

    def _least_step_down(self, others: float) -> float:
        """Requests by which a 429 reduces the share at least, if `others` use that many of a
        window.
        """
        quiet = self.state.quiet
        if quiet > _QUIET:  # back to the share of the last quiet window
            return _LEAST + 2 * _GROWTH * (quiet - _QUIET)
        if quiet > 1:
            return 2 * _LEAST
        return _SOON * math.sqrt(max(1.0, others))

    def _turn(self, now: float) -> None:
        """Start the next inferred window when its time has come."""
        state, quota = self.state, self._quota
        if quota is None or state.turn == NEVER or now < state.turn:
            return
        windows = (now - state.turn) // quota.seconds + 1
        state.turn += windows * quota.seconds
        state.quiet += windows
        state.taken = 0

    def _is_old(self, now: float, limits: Limits) -> bool:
        """Whether a response belongs to the previous window and was overtaken by another one."""
        state = self.state
        early = state.ends - max(state.window / 2, 1.0)
        return state.since <= now < state.ends and now + limits.reset < early

    def _follow_window(self, now: float, limits: Limits) -> None:
        """Detect a new window: the used count falls only when one begins."""
        state = self.state
        used = limits.limit - limits.remaining
        ends = now + limits.reset
        fallen = used < state.used
        if state.ends == NEVER:  # the earlier use cannot be attributed
            state.own, state.since, state.ends = used - 1, now, ends
        elif fallen and (now >= state.ends or ends > state.ends + state.window / 2):
            self._window_over(max(1, limits.limit))
            state.own, state.since, state.ends = 0, state.ends, ends
        elif now >= state.ends:
            state.ends = ends
        else:
            state.ends = min(state.ends, ends)
        state.used = used
        state.window = max(state.window, limits.reset)

    def _window_over(self, limit: int) -> None:
        """Update the other clients' use from the window that ended, scaled up to a whole window."""
        state = self.state
        seen = min(1.0, (state.last - state.since) / max(state.window, 1e-9))
        if seen < _SEEN:
            return
        by_others = min(max(0.0, state.used - state.own) / seen, limit)
        if state.others < 0:
            state.others = by_others
        else:
            state.others += (by_others - state.others) * _RECENT

    def _others(self, limit: int, in_flight: int) -> float:
        """Expected use of a window by other clients; 0 if they appear to use nothing."""
        state = self.state
        by_others, slack = state.others, 1 + limit / 100 + in_flight / 2
        if by_others < 0:  # in the first window, extrapolate from the part observed
            seen = (state.last - state.since) / max(state.window, 1e-9)
            found = state.used - state.own
            if seen < _SEEN or found < _RESERVE + in_flight + limit / 50:
                return 0.0
            by_others = found / seen
        return min(by_others, limit) if by_others > slack else 0.0
