"""Quota arithmetic: when may the next request leave?

Pure: every method is given the present as a number of seconds (any monotonic start) and answers
with seconds; it neither asks for the time nor waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from rdimport.core.quota import Limits, Quota

_AIR: Final = 1.005
"""Even spacing, this much wider: then no fixed window, wherever it begins, holds one too many."""

_RESERVE: Final = 3
"""Requests left to others in a window that is shared, beside those that are expected of them; fewer
as it comes to its end.
"""

_QUIET: Final = 14
"""Windows without a 429 before a share that nobody tells us is tried a little larger: at 120 a
minute one refusal in so many windows is 0.1 % of the requests."""

_GROWTH: Final = 0.1
"""Requests by which such a share grows first; with the square of the windows that stay quiet."""

_STEP: Final = 0.25
"""How far a share goes at once to what one window let through: the next may be another one."""

_LEAST: Final = 0.5
"""Requests by which it goes down for a 429; twice that when the last one is not long ago."""

_AT_IT: Final = 0.8
"""Share of its slots that a run must have used for a 429 to tell its part of the window: who began
late, or had to wait, took little for other reasons.
"""

_FLOOR: Final = 0.05
"""Share of the quota that is never given up, whatever 429s say."""

_LONGEST: Final = 3600.0
"""Seconds of a window that are believed; a larger number is taken for a slip."""

_RECENT: Final = 1 / 3
"""Weight of the last window among those by which the others' use is told."""

_SEEN: Final = 1 / 6
"""Share of a window that has to be seen before it tells how much others use."""

_SPREAD: Final = 1.0
"""How many times its usual scatter the others' use of a window may lie above what one 429 told."""

NEVER: Final = float("-inf")
"""A moment that is not known, or long ago."""


@dataclass(slots=True)
class QuotaState:
    """Where an account stands with its quota: all that runs of one account have to agree on.

    Moments are seconds of one clock. `next` is the moment of the next free slot. By headers are
    known: `interval` between two slots where others use the quota too, how long a `window` is, when
    this one `ends`, how much of it is `used` and how much by us (`mine`), since when (`since`) and
    until when (`last`) that was seen, and what `others` use of a window (below 0: not known). By
    429s alone: the beginning of the next window (`turn`), the requests
    `taken` in this one, our `share` of a window and how many windows it was `quiet` since.
    """

    next: float = NEVER
    held_until: float = NEVER
    interval: float = 0.0
    ends: float = NEVER
    window: float = 0.0
    used: float = 0.0
    mine: float = 0.0
    since: float = NEVER
    last: float = NEVER
    others: float = -1.0
    turn: float = NEVER
    taken: float = 0.0
    share: float = float("inf")
    quiet: float = 0.0


class RateLimiter(Protocol):
    """When the next row may leave; `EvenPacer` and `SharedPacer` say what each means."""

    def wait(self, now: float) -> float:
        """Seconds until the next slot, 0 when it is there."""

    def acquire(self, now: float) -> object:
        """Use the slot that is there."""

    def hold(self, now: float, seconds: float) -> None:
        """Let nobody leave for so many seconds."""

    def held(self, now: float) -> float:
        """Seconds for which the whole run still has to wait, 0 when it may go on."""

    def learn(self, now: float, limits: Limits, in_flight: int, *, counted: bool) -> None:
        """Take an answer's headers into account."""

    def on_quota_exceeded(self, now: float, seconds: float, *, blind: bool) -> None:
        """The account's quota was used up: wait until its next window, `seconds` from now."""


class EvenPacer:
    """An even pace, one interval apart, that gives way to others and to the endpoint's word.

    Even spacing fills a fixed window without knowing where it begins; bursts are what gateways
    punish first. Where the headers of answers show that somebody else uses the quota too, what they
    used of the last windows is left to them, and what is left besides is spread over the time that
    is left of the window. Where there are no headers, only a 429 shows it: see `throttled`. Nothing
    that an answer says makes the pace faster than the quota, less what is reserved for others.
    """

    def __init__(self, quota: Quota | None) -> None:
        self._quota = quota
        self._base = quota.interval * _AIR if quota else 0.0
        self.state = QuotaState()

    @property
    def interval(self) -> float:
        """Seconds from one slot to the next as things stand."""
        state = self.state
        share = state.share
        if self._quota is None or share == float("inf"):
            return max(self._base, state.interval)
        grown = share + _GROWTH * max(0.0, state.quiet - _QUIET) ** 2
        return max(self._base, state.interval, self._quota.seconds * _AIR / grown)

    def wait(self, now: float) -> float:
        """Seconds until the next slot, 0 when it is there."""
        return max(0.0, self.state.next - now, self.state.held_until - now)

    def acquire(self, now: float) -> float:
        """Use the next slot; returns its moment.

        A request that leaves a little late does not push the later ones back, or the small
        delays of a long run would add up to unused quota. It never makes up more than half a slot.
        """
        self._turn(now)
        state = self.state
        slot = max(state.next, now - self._base / 2)
        state.next = slot + self.interval
        state.taken += 1
        return slot

    def hold(self, now: float, seconds: float) -> None:
        """Let nobody leave for so many seconds."""
        state = self.state
        state.held_until = max(state.held_until, now + seconds)
        state.next = max(state.next, state.held_until)

    def held(self, now: float) -> float:
        """Seconds for which the whole run still has to wait, 0 when it may go on."""
        return max(0.0, self.state.held_until - now)

    def learn(self, now: float, limits: Limits, in_flight: int, *, counted: bool) -> None:
        """Take an answer's headers into account. `counted`: it was not a refusal for the quota;
        `in_flight` requests have left and are not answered yet.
        """
        quota, state = self._quota, self.state
        if quota is None or limits.reset > _LONGEST or self._is_old(now, limits):
            return  # no such window is known of: better no word than that one
        self._follow_window(now, limits)
        state.mine += counted
        state.last = now
        length = state.window or quota.seconds
        whole = max(1, limits.limit)
        even = max(quota.interval, length / whole / (1 - quota.reserve))
        self._base = min(even, quota.seconds) * _AIR
        tick = min(1.0, quota.seconds / 60)  # what headers that count in whole seconds cannot tell
        theirs = self._others(whole, in_flight)
        over = state.ends - now
        air = _RESERVE * max(0.0, over) / length
        left = limits.remaining - (in_flight + air if theirs else 0)
        if not counted or left <= 0:
            held = over if limits.reset >= tick else max(over, tick)
            self.hold(now, min(held, 2 * quota.seconds))  # a longer one has to be told again
            state.interval = 0.0
        elif theirs:
            least = _FLOOR * whole * over / length
            theirs = max(theirs, quota.reserve * whole) * over / length
            state.interval = min(over / max(left - theirs, least, 1e-9), quota.seconds)
        else:
            state.interval = 0.0

    def on_quota_exceeded(self, now: float, seconds: float, *, blind: bool) -> None:
        """The account's quota was used up: wait until its next window, `seconds` from now.

        `blind`: the endpoint named that moment, but its headers do not say how much is left. Then
        a 429 is all that ever shows that others use the quota, or that it is smaller than we were
        named. What this window let through is what we take for our share of the next ones; it is
        tried larger, slowly and then faster, when no further 429 comes.
        """
        if self.held(now) > 0:
            return  # others left before the first of them was answered: the same news
        state = self.state
        if self._quota is not None and blind and seconds <= self._quota.seconds:
            self._turn(now)
            self._take_for_share(self._quota, self._quota.seconds - seconds)
            state.turn, state.taken, state.quiet = now + seconds, 0, 0
        self.hold(now, seconds)

    def _take_for_share(self, quota: Quota, gone: float) -> None:
        """The quota was used up `gone` seconds after its window began: how much of it is ours?"""
        state = self.state
        past = gone / quota.seconds
        if past < 0.1:  # somebody's burst; it says little of the rest
            return
        reached = quota.seconds * _AIR / self.interval
        ours = gone / self.interval
        at_it = state.taken - 1 >= _AT_IT * ours
        if state.share != float("inf"):
            found = ours
            if past < 0.95:
                # had others not been turned away for the rest of the window, they had taken more
                found = max(ours * 0.85, quota.requests - (quota.requests - ours) / past)
            down = (reached - found) * _STEP if at_it else 0.0
            least = _LEAST if state.quiet > _QUIET else 2 * _LEAST
            state.share = max(_FLOOR * quota.requests, reached - max(least, down))
        elif at_it:
            ours = min(ours, state.taken - 1)
            others = (quota.requests - ours) / past
            # one window tells little: the next may see more, by as much as counts scatter
            found = max(ours / 2, quota.requests - others - _SPREAD * others**0.5)
            state.share = max(_FLOOR * quota.requests, min(found, reached - _LEAST))

    def _turn(self, now: float) -> None:
        """Begin a new window of those that only a 429 has revealed, when it is time."""
        state, quota = self.state, self._quota
        if quota is None or state.turn == NEVER or now < state.turn:
            return
        windows = (now - state.turn) // quota.seconds + 1
        state.turn += windows * quota.seconds
        state.quiet += windows
        state.taken = 0

    def _is_old(self, now: float, limits: Limits) -> bool:
        """Whether an answer speaks of the window before: another one was quicker."""
        state = self.state
        early = state.ends - max(state.window / 2, 1.0)
        return state.since <= now < state.ends and now + limits.reset < early

    def _follow_window(self, now: float, limits: Limits) -> None:
        """Tell windows apart by their use, which only falls where a new one begins."""
        state = self.state
        used = limits.limit - limits.remaining
        ends = now + limits.reset
        fallen = used < state.used
        if state.ends == NEVER:  # who used what was used before is not known
            state.mine, state.since, state.ends = used - 1, now, ends
        elif fallen and (now >= state.ends or ends > state.ends + state.window / 2):
            self._window_over(max(1, limits.limit))
            state.mine, state.since, state.ends = 0, state.ends, ends
        elif now >= state.ends:
            state.ends = ends
        else:
            state.ends = min(state.ends, ends)
        state.used = used
        state.window = max(state.window, limits.reset)

    def _window_over(self, whole: int) -> None:
        """What others used of the window that has ended, or would have used of all of it."""
        state = self.state
        seen = min(1.0, (state.last - state.since) / max(state.window, 1e-9))
        if seen < _SEEN:
            return
        theirs = min(max(0.0, state.used - state.mine) / seen, whole)
        if state.others < 0:
            state.others = theirs
        else:
            state.others += (theirs - state.others) * _RECENT

    def _others(self, whole: int, in_flight: int) -> float:
        """What others are expected to use of a window; 0 where they seem to use nothing."""
        state = self.state
        theirs, slack = state.others, 1 + whole / 100 + in_flight / 2
        if theirs < 0:  # the first window: by what was seen of it
            seen = (state.last - state.since) / max(state.window, 1e-9)
            found = state.used - state.mine
            if seen < _SEEN or found < _RESERVE + in_flight + whole / 50:
                return 0.0
            theirs = found / seen
        return min(theirs, whole) if theirs > slack else 0.0
