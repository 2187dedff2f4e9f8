"""Uncertain conversions, and evidence that they arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from rdimport.ledger.hashes import Keyed, digests_of

PROVED: Final = "proved."
"""Prefix of the codes of rows whose arrival was proved later."""


class Doubt(NamedTuple):
    """A conversion that may have arrived. `left_at` is the time of its request, or slightly
    earlier, in milliseconds since the Unix epoch; `run` and `name` identify the run that sent it.
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


def identifier_hash(ledger: Keyed, identifier: str) -> bytes:
    """The hash under which a ledger knows a conversion_identifier."""
    return digests_of(ledger.key, identifier)[0]


def started_ms(moment: str) -> int:
    """A time of the ledger in milliseconds since the Unix epoch."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
