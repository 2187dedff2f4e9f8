"""When is it wrong to go on? Pure: from what was seen and when, it names a reason to stop."""

from __future__ import annotations

from typing import Final

from rdimport.core.stop import StopReason
from rdimport.destination.verdict import Action, Evidence, decide

DOUBTS_IN_A_ROW: Final = 5
"""Rows in doubt one after the other, in the order in which they left: each is one that nobody dares
to send again. They stop a run whose rows before them are clear.
"""

CLEAR_BEFORE: Final = 100
"""So many rows before them. Where losses are scattered, five of them meet by chance one day."""

STRETCH: Final = 20
"""Rows one after the other of which half are in doubt stop any run."""

SAME_REFUSALS: Final = 50
"""Rows refused from the start for the same reason: it is the mapping or the account, not them."""

TURNED_AWAY: Final = 100
"""Answers in a row that a quota is used up, the account's or the leads', without one row that was
read between them."""

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
    """Which rows are in doubt, in the order in which they left; not in that in which it is noticed:
    lost rows are noticed together when their time is over, and quicker than the others' answers
    where connections break. A row that is still open counts as one that is not in doubt.
    """

    _REMEMBERED: Final = 1 << 17

    def __init__(self) -> None:
        self._ends = bytearray()
        """For each row: 0 open or answered, 1 in doubt, 2 nobody read it."""
        self._forgotten = 0

    def note(self, number: int, evidence: Evidence) -> bool:
        """Take in the end of the row that left as the `number`th; is it one too many in doubt?"""
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
        """Looks at each stretch of rows that ends with a doubt and holds the one at `at`."""
        before = self._ends[:at].replace(b"\2", b"")[-(CLEAR_BEFORE + STRETCH) :]
        rows = before + self._ends[at : at + 8 * STRETCH].replace(b"\2", b"")[:STRETCH]
        return any(
            _stops(rows[: end + 1]) for end in range(len(before), len(rows)) if rows[end] == 1
        )


def _stops(rows: bytearray) -> bool:
    """Whether the last of these rows, in the order of sending, are too many doubts."""
    together = rows[-DOUBTS_IN_A_ROW:].count(1)
    before = rows[-DOUBTS_IN_A_ROW - CLEAR_BEFORE : -DOUBTS_IN_A_ROW].count(1)
    if together == DOUBTS_IN_A_ROW and before == 0:
        return True
    stretch = rows[-STRETCH:]
    return stretch.count(1) >= max(DOUBTS_IN_A_ROW, len(stretch) / 2)


class CircuitBreaker:
    """Watches the answers of a run; `patience` is how many seconds an endpoint may be down."""

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
        """Take note of one answer. `reasons` are the code and field of each of its problems,
        `number` tells which one in the order of sending its row was; the next, if it is left out.
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
