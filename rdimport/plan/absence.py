"""Uncertain rows known not to have arrived, because a complete list of conversions lacks them."""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.ledger import AFTER, ClockRange, Ledger, identifier_hash

BEFORE: Final = 60_000
"""Allowance for clock differences, in milliseconds: the list must be complete since this long
before the row's request was sent.
"""


_RIGHT: Final = ClockRange(0.0, 0.0)


class Absence:
    """The periods for which a destination's conversions are completely known."""

    def __init__(self, ledger: Ledger, destination: int) -> None:
        self._ledger = ledger
        self._spans = ledger.evidence.complete(destination)
        self._clocks = ledger.evidence.clocks(destination)
        self._times = ledger.evidence.run_times(destination)

    def __call__(self, seen: pl.DataFrame) -> pl.Series:
        """For each row, whether it is known not to have arrived (Boolean). `seen` has its `payload`
        and what `schemas.KNOWN` has of it.
        """
        names = seen["payload"].str.json_path_match("$.conversion_identifier").to_list()
        hashes = {name: identifier_hash(self._ledger, name) for name in set(names) if name}
        sent = seen.select("run", "left_at", "refused").iter_rows()
        known = [
            name in hashes
            and (left := self._left(run, at, tried_again=refused is not None)) is not None
            and self._covers(hashes[name], *left)
            for name, (run, at, refused) in zip(names, sent, strict=True)
        ]
        return pl.Series(known, dtype=pl.Boolean)

    def _left(
        self, run: int | None, at: int | None, *, tried_again: bool
    ) -> tuple[int, int] | None:
        """The times of the first and the last request of a row by the endpoint's clock. None if
        they are not known: the clocks were set during the run, another run sent the row
        (`tried_again`) by a clock that may have been wrong, or the last one was killed.
        """
        if at is None:
            return None
        began, ended = self._times.get(run or 0, (at, None))
        last: int | None = at
        if at < began or (ended is not None and ended < at):  # it was sent by an earlier run, too
            last, tried_again = ended, True
        clock = self._clocks.get(run or 0, _RIGHT)
        if last is None or clock.least != clock.most or (tried_again and self._clocks):
            return None
        off = round(clock.most * 1000)
        return at + off, last + off

    def _covers(self, identifier: bytes, first: int, last: int) -> bool:
        spans = self._spans.get(identifier, [])
        return any(since <= first - BEFORE and last + AFTER <= until for since, until in spans)
