"""Which uncertain rows did not arrive: those that a complete source of proofs has not."""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.ledger import Ledger, identifier_hash

BEFORE: Final = 60_000
"""Milliseconds by which the clocks may differ: the source has to be complete since so long before a
row's request left.
"""

AFTER: Final = 900_000
"""Milliseconds in which RD has put on the timeline whatever arrived: so long it has to be complete
after that.
"""


class Absence:
    """What complete sources say of a destination."""

    def __init__(self, ledger: Ledger, destination: int) -> None:
        self._ledger = ledger
        self._spans = ledger.evidence.complete(destination)

    def __call__(self, payloads: pl.Series, left_at: pl.Series) -> pl.Series:
        """For each payload whether it is known not to have arrived."""
        names = payloads.str.json_path_match("$.conversion_identifier").to_list()
        hashes = {name: identifier_hash(self._ledger, name) for name in set(names) if name}
        known = [
            name in hashes and left is not None and self._covers(hashes[name], left)
            for name, left in zip(names, left_at, strict=True)
        ]
        return pl.Series(known, dtype=pl.Boolean)

    def _covers(self, identifier: bytes, left: int) -> bool:
        spans = self._spans.get(identifier, [])
        return any(since <= left - BEFORE and left + AFTER <= until for since, until in spans)


def absence(ledger: Ledger, destination: int) -> Absence:
    """What is known of rows that did not arrive."""
    return Absence(ledger, destination)
