"""Optional cells that are not valid: the row is sent without them (`invalid: drop`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from rdimport.core.row import DROPPED

if TYPE_CHECKING:
    from rdimport.prepare.binding import Bound


class Without(NamedTuple):
    """The frame without those cells, the remaining failures, and the dropped cells."""

    frame: pl.DataFrame
    failures: pl.DataFrame
    dropped: pl.DataFrame


def without_invalid(frame: pl.DataFrame, failures: pl.DataFrame, bound: Bound) -> Without:
    """Empty the failing cells of the fields for which the mapping says `drop`."""
    optional = pl.col("target").is_in(list(bound.mapping.dropped))
    if failures.is_empty() or not bound.mapping.dropped:
        return Without(frame, failures, failures.clear())
    gone = failures.filter(optional).unique(["index", "target"], maintain_order=True)
    position = pl.int_range(pl.len(), dtype=pl.UInt32)
    for (target,), cells in gone.partition_by("target", as_dict=True).items():
        kept = position.is_in(cells["index"].implode()).not_()
        frame = frame.with_columns(pl.when(kept).then(pl.col(str(target))))
    warnings = gone.with_columns(detail=pl.col("code"), code=pl.lit(DROPPED))
    return Without(frame, failures.filter(~optional), warnings)
