"""Uncertain rows known not to have arrived, because a complete list of conversions lacks them."""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.ledger import AFTER, Ledger, identifier_hash

BEFORE: Final = 60_000
"""Allowance for clock differences, in milliseconds: the list must be complete since this long
before the row's request was sent.
"""


class Absence:
    """The periods for which a destination's conversions are completely known."""

    def __init__(self, ledger: Ledger, destination: int) -> None:
        self._ledger = ledger
        self._spans = ledger.evidence.complete(destination)

    def __call__(self, payloads: pl.Series, left_at: pl.Series) -> pl.Series:
        """For each payload, whether it is known not to have arrived (Boolean)."""
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
