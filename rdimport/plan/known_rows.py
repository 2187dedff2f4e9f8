"""Rows that an earlier run imported, known by the text of their cells, before any work on them.

The list that an ERP exports every night is nearly the same as last night's. What a row means is
decided by its cells and the mapping alone, so a row whose cells are known to mean a conversion
that was accepted needs no cleaning, validation or encoding to end as `already_imported`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from hashlib import blake2b
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.core.row import DEFECT, ROW, State
from rdimport.mapping.targets import targets
from rdimport.plan.duplicates import IDENTITY
from rdimport.prepare.clean.text import column

if TYPE_CHECKING:
    from rdimport.destination.rdstation.custom_fields import CustomFields
    from rdimport.mapping import Mapping
    from rdimport.prepare import Bound

SOURCE: Final = "__rdimport_source__"
"""Int64: the keyed hash of those cells of a row that the mapping uses."""

NO_SOURCES: Final = pl.DataFrame(schema={ROW: pl.UInt32, SOURCE: pl.Int64})
_BETWEEN: Final = "\x1f"

LONG: Final = 20_000
"""Rows of a list's first batch from which on it may be quicker to load what the ledger knows."""

TRIAL: Final = 1_000
"""First rows of a long list, by which it is judged whether the others are probably known too."""


class UnknownRows(NamedTuple):
    """The rows of a batch that are not recalled, and the `ROW` and `SOURCE` of each of them."""

    batch: pl.DataFrame
    sources: pl.DataFrame


class Stage(Enum):
    """Where a run stands: with a list that is not worth the look, on trial, or past that."""

    SHORT = auto()
    TRIAL = auto()
    LONG = auto()


class KnownRows:
    """What the ledger knows of rows by their cells; consulted only where it is likely to pay.

    `load` gives the sources of all accepted conversions, `note` takes identities and their
    sources. `key` keeps the hashes from telling whose they are; `mapping` and `catalogue` are part
    of every hash, as are the releases of rdimport and polars: after a change nothing is recalled.
    A list is long if its first batch has `long` rows or more; `trial` rows are tried first.
    """

    def __init__(
        self,
        key: bytes,
        mapping: Mapping,
        catalogue: CustomFields | None,
        load: Callable[[], pl.Series],
        note: Callable[[Sequence[bytes], Sequence[int]], None],
        *,
        long: int = LONG,
        trial: int = TRIAL,
    ) -> None:
        means = (mapping.model_dump_json(), repr(catalogue), version("rdimport"), pl.__version__)
        seed = blake2b(repr(means).encode(), key=key, digest_size=40).digest()
        self._seed, self._salt = int.from_bytes(seed[:8], "little"), seed[8:].hex()
        self._load = load
        self._note = note
        self._known: pl.Series | None = None
        self._long, self._trial = long, trial
        self._stage = Stage.SHORT

    @staticmethod
    def is_safe(mapping: Mapping, resend: frozenset[State]) -> bool:
        """Whether a row's cells alone decide that it is imported.

        They do not where an expression may look at the clock, where rows are merged, where a
        changed row is sent again (whether another row of the list takes its place must be known),
        and where a person wants accepted rows to be sent again.
        """
        expressions = any(target.source.expr is not None for target in targets(mapping))
        alone = mapping.on_duplicate != "merge" and mapping.on_change == "skip"
        plain = mapping.where is None and not expressions
        return alone and plain and State.ACCEPTED not in resend

    def pieces(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The same rows; the first of a long list come alone, to judge the others by."""
        first = next(batches, None)
        if first is None:
            return
        if self._stage is Stage.SHORT and first.height >= self._long:
            self._stage = Stage.TRIAL
            yield first[: self._trial]
            first = first[self._trial :]
        yield first
        yield from batches

    def part(self, batch: pl.DataFrame, bound: Bound) -> UnknownRows:
        """Take the rows out of a batch that were imported, judged by their cells.

        A row that could be taken for another one, because a cell holds what stands between cells,
        has no source.
        """
        cells = list(dict.fromkeys(name for names in bound.columns.values() for name in names))
        named = pl.lit(_BETWEEN.join([self._salt, *cells]))
        texts = (column(name).fill_null("") for name in cells)
        whole = pl.concat_str(named, *texts, separator=_BETWEEN)
        plain = whole.str.count_matches(_BETWEEN, literal=True) == 2 * len(cells)
        hashed = whole.hash(self._seed).reinterpret(signed=True)
        sources = batch.select(ROW, pl.when(plain).then(hashed).alias(SOURCE))
        if self._known is None:
            return UnknownRows(batch, sources)
        places = self._known.search_sorted(sources[SOURCE]).clip(0, self._known.len() - 1)
        known = (self._known.gather(places) == sources[SOURCE]) & batch[DEFECT].is_null()
        known = known.fill_null(value=False)
        return UnknownRows(batch.filter(~known), sources.filter(~known))

    def learn(self, imported: pl.DataFrame, sources: pl.DataFrame, rows: int) -> None:
        """Take note of those of a batch of `rows` rows that were found imported the long way.

        `imported` has `ROW` and `IDENTITY`. When most rows of the trial are known, those that
        follow probably are too, and what earlier runs noted is loaded. What comes after it is
        noted for the next run.
        """
        if self._stage is Stage.TRIAL:
            self._stage = Stage.LONG
            known = self._load() if 2 * imported.height > rows else NO_SOURCES[SOURCE]
            self._known = known if known.len() else None
        elif self._stage is Stage.LONG and imported.height:
            seen = imported.join(sources.drop_nulls(), on=ROW)
            self._note(seen[IDENTITY].to_list(), seen[SOURCE].to_list())
