"""Rows imported by an earlier run, recognised by the text of their cells before any processing.

A list that an ERP exports every night is nearly identical to the previous one. The cells and the
mapping alone decide what a row means. So a row whose cells are known to produce an accepted
conversion ends as `already_imported` without cleaning, validation or encoding. This halves the CPU
time of a run over known rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from hashlib import blake2b
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
_BETWEEN: Final = "\x1f"

LONG: Final = 20_000
"""Rows in a list's first batch from which loading the known rows may pay off."""

TRIAL: Final = 1_000
"""Rows at the start of a long list that predict whether the rest is known."""


class UnknownRows(NamedTuple):
    """The rows of a batch that were not recognised, with the `ROW` and `SOURCE` of each."""

    batch: pl.DataFrame
    sources: pl.DataFrame


class Stage(Enum):
    """Whether lookups pay off: not for a short list, on trial, or decided."""

    SHORT = auto()
    TRIAL = auto()
    LONG = auto()


class KnownRows:
    """Looks up rows by their cells, where that is likely to pay off.

    `load` returns the sources of all accepted conversions; `note` stores identities with their
    sources. `key` is the key of the hashes. Each hash covers `mapping`, `catalogue` and the
    releases of rdimport and polars, so a change of any of them invalidates all of them. A list is
    long if its first batch has at least `long` rows; then the first `trial` rows are processed
    first.
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
        from importlib.metadata import version  # noqa: PLC0415  a check recalls nothing

        means = (mapping.model_dump_json(), repr(catalogue), version("rdimport"), pl.__version__)
        self._key = blake2b(repr(means).encode(), key=key, digest_size=32).digest()
        self._load = load
        self._note = note
        self._known: pl.Series | None = None
        self._long, self._trial = long, trial
        self._stage = Stage.SHORT

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

    def pieces(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The batches; the first of a long list is split, so that its trial rows come alone."""
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
        """Remove the rows of a batch that are known to be imported.

        A row with a cell that contains the separator has no source, as it could be mistaken for
        another.
        """
        sources = self._sources(batch, bound)
        if self._known is None:
            return UnknownRows(batch, sources)
        wanted = sources[SOURCE].drop_nulls().sort()  # neighbours are looked up quickly
        places = self._known.search_sorted(wanted).clip(0, self._known.len() - 1)
        missing = wanted.filter(self._known.gather(places) != wanted)
        sound = batch[DEFECT].null_count() == wanted.len() == batch.height
        if sound and missing.is_empty():  # most nights, most batches
            return UnknownRows(batch.clear(), sources.clear())
        unsure = sources[SOURCE].is_null() | batch[DEFECT].is_not_null()
        unknown = unsure | sources[SOURCE].is_in(missing.implode())
        return UnknownRows(batch.filter(unknown), sources.filter(unknown))

    def _sources(self, batch: pl.DataFrame, bound: Bound) -> pl.DataFrame:
        cells = list(dict.fromkeys(name for names in bound.columns.values() for name in names))
        seed = blake2b(repr(cells).encode(), key=self._key, digest_size=24).digest()
        texts = (column(name).fill_null("") for name in cells)
        joined = pl.concat_str(pl.lit(seed[8:].hex()), *texts, separator=_BETWEEN).alias(SOURCE)
        rows = batch.select(ROW, joined)  # joined once: polars would do it for each of its uses
        plain = pl.col(SOURCE).str.count_matches(_BETWEEN, literal=True) == len(cells)
        hashed = pl.col(SOURCE).hash(int.from_bytes(seed[:8], "little")).reinterpret(signed=True)
        return rows.select(ROW, pl.when(plain).then(hashed).alias(SOURCE))

    def learn(self, imported: pl.DataFrame, sources: pl.DataFrame, rows: int) -> None:
        """Take note of the rows of a batch that turned out to be imported after full processing.

        `imported` has `ROW` and `IDENTITY`, `rows` is the number of rows in the batch. If most
        trial rows are known, the following rows probably are too, and the stored sources are
        loaded. Rows after that are stored for the next run.
        """
        if self._stage is Stage.TRIAL:
            self._stage = Stage.LONG
            known = self._load() if 2 * imported.height > rows else NO_SOURCES[SOURCE]
            self._known = known if known.len() else None
        elif self._stage is Stage.LONG and imported.height:
            seen = imported.join(sources.drop_nulls(), on=ROW)
            self._note(seen[IDENTITY].to_list(), seen[SOURCE].to_list())
