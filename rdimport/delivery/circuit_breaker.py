"""Circuit breaker: decides when a run has to stop. Pure: no clock and no I/O."""

from __future__ import annotations

from typing import Final

from rdimport.core.stop import StopReason
from rdimport.destination.verdict import Action, Evidence, decide

DOUBTS_IN_A_ROW: Final = 5
"""Consecutive uncertain rows, in the order of sending, that stop a run if the rows before them were
clear. Each of them is lost to the run: an uncertain row is never sent again by itself.
"""

CLEAR_BEFORE: Final = 100
"""Rows before those that must be free of doubt: scattered losses may be five in a row."""

STRETCH: Final = 20
"""Length of the window in which a share of one half uncertain rows stops any run."""

SAME_REFUSALS: Final = 50
"""Rows refused for the same reason from the start of a run: the mapping or the account is wrong."""

TURNED_AWAY: Final = 100
"""Consecutive responses saying that a quota (the account's or a lead's) is exhausted, with no row
processed in between.
"""

_STOPS: Final = {
    Evidence.NOT_TRUSTED: StopReason.CERTIFICATE,
    Evidence.KEY_REFUSED: StopReason.KEY_REFUSED,
    Evidence.KEY_OF_CRM: StopReason.KEY_OF_CRM,
    Evidence.WRONG_ENDPOINT: StopReason.WRONG_ENDPOINT,
    Evidence.REDIRECTED: StopReason.WRONG_ENDPOINT,
}
_QUOTAS: Final = {
    Evidence.ACCOUNT_QUOTA: StopReason.ACCOUNT_QUOTA,
    Evidence.LEAD_QUOTA: StopReason.LEAD_QUOTA,
}
_NO_REPLY: Final = (Evidence.NOT_CONNECTED, Evidence.UNAVAILABLE)


class Doubts:
    """The uncertain rows of a run, in the order of sending.

    The order in which results arrive would mislead: lost requests all time out together, and on a
    broken connection they fail before the other responses arrive. A request that is still open
    counts as not uncertain.
    """

    _REMEMBERED: Final = 1 << 17

    def __init__(self) -> None:
        self._ends = bytearray()
        """One byte per row: 0 open or answered, 1 uncertain, 2 not processed by the endpoint."""
        self._forgotten = 0

    def note(self, number: int, evidence: Evidence) -> bool:
        """Record the result of the `number`th request; returns whether doubts are too many."""
        at = number - self._forgotten
        if at < 0:
            return False
        self._ends.extend(bytes(max(0, at + 1 - len(self._ends))))
        doubt = decide(evidence).action is Action.DOUBT
        unread = evidence in _NO_REPLY or evidence in _QUOTAS
        self._ends[at] = 1 if doubt else 2 if unread else 0
        too_many = doubt and self._too_many(at)
        if len(self._ends) > self._REMEMBERED:
            half = len(self._ends) // 2
            del self._ends[:half]
            self._forgotten += half
        return too_many

    def _too_many(self, at: int) -> bool:
        """Check every window that contains the row at `at` and ends with an uncertain row."""
        before = self._ends[:at].replace(b"\2", b"")[-(CLEAR_BEFORE + STRETCH) :]
        rows = before + self._ends[at : at + 8 * STRETCH].replace(b"\2", b"")[:STRETCH]
        return any(
            _stops(rows[: end + 1]) for end in range(len(before), len(rows)) if rows[end] == 1
        )


def _stops(rows: bytearray) -> bool:
    """Whether the last of `rows` (in the order of sending) contain too many doubts."""
    together = rows[-DOUBTS_IN_A_ROW:].count(1)
    before = rows[-DOUBTS_IN_A_ROW - CLEAR_BEFORE : -DOUBTS_IN_A_ROW].count(1)
    if together == DOUBTS_IN_A_ROW and before == 0:
        return True
    stretch = rows[-STRETCH:]
    return stretch.count(1) >= max(DOUBTS_IN_A_ROW, len(stretch) / 2)


class CircuitBreaker:
    """Watches a run's results. `patience`: seconds for which the endpoint may be unavailable."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._down_since: float | None = None
        self._doubts = Doubts()
        self._seen = 0
        self._turned_away: dict[Evidence, int] = {}
        self._refusals = 0
        self._refused_for: frozenset[tuple[str, str]] | None = None
        self._one_passed = False

    def record(
        self,
        evidence: Evidence,
        reasons: frozenset[tuple[str, str]],
        now: float,
        number: int | None = None,
    ) -> StopReason | None:
        """Record one result. Returns a reason to stop, or None.

        `reasons` holds the code and field of each problem. `number` is the position of the request
        in the order of sending; None means the next one.
        """
        number = self._seen if number is None else number
        self._seen = max(self._seen, number + 1)
        if evidence in _STOPS:
            return _STOPS[evidence]
        too_many = self._doubts.note(number, evidence)
        if evidence in _NO_REPLY:
            self._down_since = now if self._down_since is None else self._down_since
            return StopReason.ENDPOINT_DOWN if now - self._down_since >= self._patience else None
        self._down_since = None
        if too_many:
            return StopReason.ENDPOINT_UNCLEAR
        if evidence in _QUOTAS:
            times = self._turned_away[evidence] = self._turned_away.get(evidence, 0) + 1
            return _QUOTAS[evidence] if times >= TURNED_AWAY else None
        if self._turned_away:
            self._turned_away = {}
        action = decide(evidence).action
        if action is Action.REFUSE:
            return self._refusal(reasons)
        self._one_passed = self._one_passed or action is Action.ACCEPT
        return None

    def _refusal(self, reasons: frozenset[tuple[str, str]]) -> StopReason | None:
        if self._one_passed:
            return None
        self._refused_for = reasons if self._refused_for is None else self._refused_for
        self._one_passed = reasons != self._refused_for
        self._refusals += 1
        stop = not self._one_passed and self._refusals >= SAME_REFUSALS
        return StopReason.ALL_REFUSED if stop else None
