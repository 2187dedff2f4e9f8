"""A request in flight, and what its outcome means for the ledger, the observer and the report."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from rdimport.core.events import RowFinished
from rdimport.core.messages.codes import Code
from rdimport.core.row import Problem, State
from rdimport.delivery.transport import NotAnswered, NotConnected, Reply, classify_error
from rdimport.destination import Answer
from rdimport.destination.verdict import Action, Evidence
from rdimport.ledger import PendingRow

STATES: Final = {
    Action.ACCEPT: State.ACCEPTED,
    Action.REFUSE: State.REFUSED,
    Action.DOUBT: State.UNCERTAIN,
}
SETTLED: Final = {state: RowFinished(state) for state in State}


def unanswered(error: Exception, mask: Callable[[str], str]) -> Answer:
    """The answer for a row without a response. `mask` hides secrets in its detail.

    Re-raises `error` if it is not a transport error, which means a bug.
    """
    why = error if isinstance(error, NotAnswered) else classify_error(error, mask)
    if isinstance(why, NotConnected) and _untrusted(error):
        return Answer(Evidence.NOT_TRUSTED, problems=(Problem("unsent", detail=str(why)),))
    if isinstance(why, NotConnected):
        return Answer(Evidence.NOT_CONNECTED, problems=(Problem("unsent", detail=str(why)),))
    problem = Problem(Code.UNCERTAIN_NOT_ANSWERED, detail=str(why))
    return Answer(Evidence.NOT_ANSWERED, problems=(problem,))


def _untrusted(error: BaseException) -> bool:
    """Whether the endpoint's certificate was the cause."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ssl.SSLCertVerificationError):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def problems_found(answer: Answer, state: State) -> tuple[Problem, ...]:
    """The problems of a row; an uncertain one has one, with the endpoint's codes as detail."""
    if state is not State.UNCERTAIN or answer.evidence is Evidence.NOT_ANSWERED:
        return answer.problems
    details = "; ".join(f"{p.code} {p.detail}".strip() for p in answer.problems)
    return (Problem(f"uncertain.{answer.evidence}", detail=details),)


class InFlightRequest:
    """A request without a response yet; also the callback that the transport calls with its
    outcome.

    `sent_at` is a monotonic time in seconds, `number` the position in the order of sending, and
    `at_capacity` whether all places were taken when it was sent.
    """

    __slots__ = ("_on_done", "at_capacity", "number", "pending", "sent_at")

    def __init__(
        self,
        pending: PendingRow,
        sent_at: float,
        number: int,
        at_capacity: bool,
        on_done: Callable[[InFlightRequest, Reply | Exception], None],
    ) -> None:
        self.pending = pending
        self.sent_at = sent_at
        self.number = number
        self.at_capacity = at_capacity
        self._on_done = on_done

    def __call__(self, end: Reply | Exception) -> None:
        """Called by the transport, once, with the response or the exception."""
        self._on_done(self, end)
