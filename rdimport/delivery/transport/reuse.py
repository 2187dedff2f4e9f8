"""How long may a connection be idle and still be reused? Pure; learnt from observations.

When a server closes an idle connection, a request may already be on its way to it. That request may
or may not have arrived, and cannot be repeated safely. So a connection is reused only if another
one has been seen to survive twice the time until the request will arrive.
"""

from __future__ import annotations

from typing import Final

_FEW: Final = 3
"""Idle connections closed by the server after which that counts as its habit."""

_OFTEN: Final = 0.01
"""Closed connections per response above which it is a habit: some are closed by chance."""


class Reuse:
    """What is known about one endpoint."""

    def __init__(self) -> None:
        self._survived = 0.0
        self._closed: list[float] = []
        """The shortest idle times, in seconds, after which the server closed a connection."""
        self._closings = self._answers = 0

    def answered(self) -> None:
        """A connection became idle."""
        self._answers += 1

    def worth_a_look(self, rest: float) -> bool:
        """Whether it would be new that a connection survived `rest` seconds."""
        return rest > 1.25 * self._survived

    def survived(self, rest: float) -> None:
        """A connection that has been idle for `rest` seconds is still open."""
        self._survived = max(self._survived, rest)

    def closed(self, rest: float) -> None:
        """The server closed a connection after at most `rest` idle seconds."""
        self._closings += 1
        self._closed = sorted([*self._closed, rest])[:_FEW]

    def allows(self, rest: float, took: float) -> bool:
        """Whether a connection may be reused after `rest` idle seconds, if its last exchange took
        `took` seconds.
        """
        safe = self._survived
        if self._closings >= _FEW and self._closings >= _OFTEN * self._answers:
            safe = min(safe, self._closed[-1])
        return 2 * (rest + took) <= safe
