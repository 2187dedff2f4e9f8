"""Uncertain conversions, and evidence that they arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from rdimport.ledger.hashes import digests_of
from rdimport.ledger.sql import Ask, Asked

PROVED: Final = "proved."
"""Prefix of the codes of rows whose arrival was proved later."""


class ClockRange(NamedTuple):
    """By how many seconds the endpoint's clock was ahead of this machine's during a run, at least
    and at most; negative if it was behind.
    """

    least: float
    most: float


class Doubt(NamedTuple):
    """A conversion that may have arrived. `left_at` is the time of its request by the endpoint's
    clock, or slightly earlier, in milliseconds since the Unix epoch; `run` and `name` identify the
    run that sent it.
    """

    identity: bytes
    run: int
    name: str
    file: int
    row: int
    left_at: int


class Accepted(NamedTuple):
    """The effect of proofs: the number of conversions that were still uncertain, and the names of
    the runs whose rows are accepted now.
    """

    conversions: int
    runs: frozenset[str]


class Complete(NamedTuple):
    """A declaration that a list is complete: it contains all conversions with one of these
    identifiers (hashes) made from `since` to `until`.
    """

    since: int
    until: int
    identifiers: frozenset[bytes]


CLOCKS: Final = 60.0
"""Seconds by which the endpoint's clock and this machine's may differ."""

AFTER: Final = 900_000
"""Milliseconds within which RD shows a conversion on the timeline: the list must be complete until
this long after the request was sent.
"""

_NOT_YET: Final = """
DELETE FROM rdimport.complete WHERE destination = %(destination)s AND until > %(until)s
"""


def forget_what_was_to_come(ask: Ask, destination: int, begun: datetime) -> None:
    """Forget lists declared complete for times after a run begins: they cannot contain the rows
    that the run sends, and a clock is or was wrong.
    """
    until = int(begun.timestamp() * 1000) + AFTER
    ask(_NOT_YET, {"destination": destination, "until": until})


def identifier_hash(ledger: Asked, identifier: str) -> bytes:
    """The hash under which a ledger knows a conversion_identifier."""
    return digests_of(ledger.key, identifier)[0]


def started_ms(moment: str) -> int:
    """A time of the ledger in milliseconds since the Unix epoch."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
