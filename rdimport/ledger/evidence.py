"""Doubt that becomes knowledge: uncertain conversions, and the evidence that they arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from rdimport.ledger.hashes import Keyed, digests_of

PROVED: Final = "proved."
"""What the codes of a row begin with whose arrival was proved later."""


class Doubt(NamedTuple):
    """A conversion that may have arrived. `left_at` is when its request left, or a little before,
    in milliseconds of the Unix epoch; `run` and `name` are of the run that sent it.
    """

    identity: bytes
    run: int
    name: str
    file: int
    row: int
    left_at: int


class Complete(NamedTuple):
    """What a source of proofs said of itself: all conversions with one of these identifiers (their
    hashes) that were made from `since` to `until` are in it.
    """

    since: int
    until: int
    identifiers: frozenset[bytes]


def identifier_hash(ledger: Keyed, identifier: str) -> bytes:
    """By what a ledger knows a conversion_identifier."""
    return digests_of(ledger.key, identifier)[0]


def started_ms(moment: str) -> int:
    """A moment of the ledger in milliseconds of the Unix epoch."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
