"""When is it wrong to go on? Pure: from what was seen and when, it names a reason to stop."""

from __future__ import annotations

from typing import Final

from rdimport.core.stop import StopReason
from rdimport.destination.verdict import Action, Evidence, judge

DOUBTS_IN_A_ROW: Final = 5
"""Answers not understood one after the other: each leaves a row that nobody dares to send again."""

SAME_REFUSALS: Final = 50
"""Rows refused from the start for the same reason: it is the mapping or the account, not them."""

TURNED_AWAY: Final = 100
"""Answers in a row that a quota is used up, the account's or the leads', without one row that was
read between them."""

_STOPS: Final = {
    Evidence.KEY_REFUSED: StopReason.KEY_REFUSED,
    Evidence.KEY_OF_CRM: StopReason.KEY_OF_CRM,
    Evidence.WRONG_ENDPOINT: StopReason.WRONG_ENDPOINT,
}
_QUOTAS: Final = {
    Evidence.ACCOUNT_QUOTA: StopReason.ACCOUNT_QUOTA,
    Evidence.LEAD_QUOTA: StopReason.LEAD_QUOTA,
}
_NO_REPLY: Final = (Evidence.NOT_CONNECTED, Evidence.UNAVAILABLE)


class CircuitBreaker:
    """Watches the answers of a run; `patience` is how many seconds an endpoint may be down."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._down_since: float | None = None
        self._doubts = 0
        self._turned_away: dict[Evidence, int] = {}
        self._refusals = 0
        self._refused_for: frozenset[tuple[str, str]] | None = None
        self._one_passed = False

    def saw(
        self, evidence: Evidence, reasons: frozenset[tuple[str, str]], now: float
    ) -> StopReason | None:
        """Take note of one answer. `reasons` are the code and field of each of its problems."""
        action = judge(evidence).action
        if action is Action.STOP:
            return _STOPS[evidence]
        if evidence in _NO_REPLY:
            self._down_since = now if self._down_since is None else self._down_since
            return StopReason.ENDPOINT_DOWN if now - self._down_since >= self._patience else None
        self._down_since = None
        self._doubts = self._doubts + 1 if action is Action.DOUBT else 0
        if self._doubts >= DOUBTS_IN_A_ROW:
            return StopReason.ENDPOINT_UNCLEAR
        if evidence in _QUOTAS:
            times = self._turned_away[evidence] = self._turned_away.get(evidence, 0) + 1
            return _QUOTAS[evidence] if times >= TURNED_AWAY else None
        if self._turned_away:
            self._turned_away = {}
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
