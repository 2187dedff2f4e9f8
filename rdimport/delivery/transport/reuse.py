"""How long may a connection rest and still carry the next request? Pure: learnt from what is seen.

A server closes connections at rest, and its word of that is on its way while ours is: a request
that meets it may have arrived, and nobody dares to send it again. So a connection is only used
where another one has been seen to survive twice the time until the request will be there.
"""

from __future__ import annotations

from typing import Final

_FEW: Final = 3
"""So many connections that a server closed at rest make a habit of it."""

_OFTEN: Final = 0.01
"""Closed connections for each answer from which on it is one: some are closed by chance."""


class Reuse:
    """What is known of one endpoint."""

    def __init__(self) -> None:
        self._survived = 0.0
        self._closed: list[float] = []
        """The shortest rests at whose end a connection was closed."""
        self._closings = self._answers = 0

    def answered(self) -> None:
        """A connection came to rest."""
        self._answers += 1

    def worth_a_look(self, rest: float) -> bool:
        """Whether it would be news that a connection has survived so many seconds."""
        return rest > 1.25 * self._survived

    def survived(self, rest: float) -> None:
        """A connection at rest for so many seconds is still there."""
        self._survived = max(self._survived, rest)

    def closed(self, rest: float) -> None:
        """The server closed one after so many seconds of rest, or less."""
        self._closings += 1
        self._closed = sorted([*self._closed, rest])[:_FEW]

    def allows(self, rest: float, took: float) -> bool:
        """Whether a connection may be used that has been at rest for so many seconds, and whose
        last answer took so many.
        """
        safe = self._survived
        if self._closings >= _FEW and self._closings >= _OFTEN * self._answers:
            safe = min(safe, self._closed[-1])
        return 2 * (rest + took) <= safe
