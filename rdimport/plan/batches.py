"""Batches of a table on their way to the plan: known rows taken out, the others prepared."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from rdimport.core.ahead import ahead
from rdimport.plan.known_rows import NO_SOURCES
from rdimport.prepare import Bound, Prepared, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from rdimport.plan.known_rows import KnownRows


class PreparedBatch(NamedTuple):
    """A batch of `rows` rows without the `recalled` ones; `prepared` is None if none is left."""

    rows: int
    recalled: int
    batch: pl.DataFrame
    sources: pl.DataFrame
    prepared: Prepared | None


def prepared_batches(
    batches: Iterator[pl.DataFrame], bound: Bound, recall: KnownRows | None
) -> Iterator[PreparedBatch]:
    """All batches in order, each prepared in a thread while the one before it is planned."""
    if recall is None:
        yield from ahead(_prepared(batches, bound, None), "prepare")
        return
    one_by_one = _prepared(recall.pieces(batches), bound, recall)
    yield from islice(one_by_one, 1)  # what it teaches decides about the others
    yield from ahead(one_by_one, "prepare")


def _prepared(
    batches: Iterator[pl.DataFrame], bound: Bound, recall: KnownRows | None
) -> Iterator[PreparedBatch]:
    for batch in batches:
        fresh, sources = recall.part(batch, bound) if recall else (batch, NO_SOURCES)
        prepared = prepare(fresh, bound) if fresh.height or recall is None else None
        yield PreparedBatch(batch.height, batch.height - fresh.height, fresh, sources, prepared)
