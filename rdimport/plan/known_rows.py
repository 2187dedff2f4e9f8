"""Rows imported by an earlier run, recognised by the text of their cells before any processing.

A list that an ERP exports every night is nearly identical to the previous one. The cells and the
mapping alone decide what a row means. So a row whose cells are known to produce an accepted
conversion ends as `already_imported` without cleaning, validation or encoding. This halves the CPU
time of a run over known rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, reduce
from hashlib import blake2b
from operator import xor
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
"""Int64: keyed hash of the cells of a row that the mapping uses."""

NO_SOURCES: Final = pl.DataFrame(schema={ROW: pl.UInt32, SOURCE: pl.Int64})

LONG: Final = 20_000
"""Rows in a list's first batch from which loading the known rows may pay off."""

SAMPLE: Final = 4
"""The first bytes of identities, out of 256, in the sample of the ledger that shows whether loading
all known rows pays off. Of 20,000 known rows it has 312, give or take 17.
"""


class UnknownRows(NamedTuple):
    """The rows of a batch that were not recognised, with the `ROW` and `SOURCE` of each."""

    batch: pl.DataFrame
    sources: pl.DataFrame


class KnownRows:
    """Looks up rows by their cells, where that is likely to pay off.

    `load` returns the sources of accepted conversions, all of them or a sample; `note` stores
    identities with their sources. `key` is the key of the hashes. Each hash covers `mapping`,
    `catalogue` and the releases of rdimport and polars, so a change of any of them invalidates all
    of them. A list is long if it has a batch of at least `long` rows.
    """

    def __init__(
        self,
        key: bytes,
        mapping: Mapping,
        catalogue: CustomFields | None,
        load: Callable[[int], pl.Series],
        note: Callable[[Sequence[bytes], Sequence[int]], None],
        *,
        long: int = LONG,
        sample: int = SAMPLE,
    ) -> None:
        means = (mapping.model_dump_json(), repr(catalogue), _our_version(), pl.__version__)
        self._key = blake2b(repr(means).encode(), key=key, digest_size=32).digest()
        self._load = load
        self._note = note
        self._known: pl.Series | None = None
        self._long, self._sample = long, sample

    @staticmethod
    def is_safe(mapping: Mapping, resend: frozenset[State]) -> bool:
        """Whether the cells of a row alone decide that it is imported.

        They do not if an expression may use the current time, if rows are merged, if changed rows
        are sent again (another row of the list may take its place), or if accepted rows are to be
        resent.
        """
        expressions = any(target.source.expr is not None for target in targets(mapping))
        alone = mapping.on_duplicate != "merge" and mapping.on_change == "skip"
        plain = mapping.where is None and not expressions
        return alone and plain and State.ACCEPTED not in resend

    def part(self, batch: pl.DataFrame, bound: Bound) -> UnknownRows:
        """Remove the rows of a batch that are known to be imported."""
        sources = self._sources(batch, bound)
        if self._known is None and batch.height >= self._long:
            self._known = self._load(256 if self._pays_off(sources[SOURCE]) else 0)
        if self._known is None or self._known.is_empty():
            return UnknownRows(batch, sources)
        wanted = sources[SOURCE].sort()  # sorted, as neighbours are looked up faster
        places = self._known.search_sorted(wanted).clip(0, self._known.len() - 1)
        missing = wanted.filter(self._known.gather(places) != wanted)
        if missing.is_empty() and batch[DEFECT].null_count() == batch.height:
            return UnknownRows(batch.clear(), sources.clear())  # most nights, most batches
        unknown = sources[SOURCE].is_in(missing.implode()) | batch[DEFECT].is_not_null()
        return UnknownRows(batch.filter(unknown), sources.filter(unknown))

    def _pays_off(self, sources: pl.Series) -> bool:
        """Whether most rows of a batch are known, judging by a sample of the ledger."""
        seen = sources.is_in(self._load(self._sample).implode()).sum()
        return 2 * seen * 256 > self._sample * sources.len()

    def _sources(self, batch: pl.DataFrame, bound: Bound) -> pl.DataFrame:
        """The hashes of the cells, each with the secret seed of its column, combined."""
        cells = list(dict.fromkeys(name for names in bound.columns.values() for name in names))
        hashes = [column(name).hash(self._seed(cells, name)) for name in cells]
        source = reduce(xor, hashes, pl.lit(self._seed(cells, None), pl.UInt64))
        return batch.select(ROW, source.reinterpret(signed=True).alias(SOURCE))

    def _seed(self, cells: Sequence[str], name: str | None) -> int:
        seed = blake2b(repr((cells, name)).encode(), key=self._key, digest_size=8)
        return int.from_bytes(seed.digest())

    def learn(self, imported: pl.DataFrame, sources: pl.DataFrame) -> None:
        """Note for the next run the rows of a long list that turned out to be imported after full
        processing. `imported` has `ROW` and `IDENTITY`.
        """
        if self._known is not None and imported.height:
            seen = imported.join(sources, on=ROW)
            self._note(seen[IDENTITY].to_list(), seen[SOURCE].to_list())


@cache
def _our_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  a check recalls nothing

    return version("rdimport")
