"""Which rows of the input are the same conversion, and which of them is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import polars as pl

from rdimport.row import FILE, ROW

IDENTITY: Final = "__rdimport_identity__"
"""Binary, 16 bytes: the keyed hash of what makes two rows the same conversion."""

UNCHANGED: Final = "__rdimport_unchanged__"
"""Boolean: an earlier run sent this very payload, and it was accepted."""

Keep = Literal["first", "last"]


class Choice(NamedTuple):
    """What became of the rows of an index.

    `losers` has `FILE`, `ROW` and the winner's as `instead_file`, `instead_row`; `groups` the rows
    of conversions that have several, and whether each is the winner as `wins`. `unchanged` counts
    winners that need not be sent; `sends` marks, batch by batch, the rows that are.
    """

    losers: pl.DataFrame
    groups: pl.DataFrame
    unchanged: int
    sends: list[pl.Series]


class Index:
    """The rows that may be sent, by conversion: 33 bytes each, whatever they hold."""

    def __init__(self) -> None:
        self._batches: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """One batch, with at least `FILE`, `ROW`, `IDENTITY` and `UNCHANGED`."""
        halves = (
            pl.col(IDENTITY)
            .bin.slice(start, 8)
            .bin.reinterpret(dtype=pl.UInt64, endianness="little")
            .alias(name)
            for start, name in ((0, "low"), (8, "high"))
        )
        self._batches.append(rows.select(FILE, ROW, UNCHANGED, *halves))

    def choose(self, keep: Keep) -> Choice:
        """Choose the first or the last row of each conversion."""
        schema = {FILE: pl.UInt32, ROW: pl.UInt32, UNCHANGED: pl.Boolean}
        none = pl.DataFrame(schema={**schema, "low": pl.UInt64, "high": pl.UInt64})
        index = pl.concat([none, *self._batches]).with_row_index("at")
        winners = index.unique(["low", "high"], keep=keep, maintain_order=True)
        instead = winners.select(
            "low",
            "high",
            pl.col(FILE).alias("instead_file"),
            pl.col(ROW).alias("instead_row"),
        )
        losers = index.join(winners, on="at", how="anti").join(instead, on=["low", "high"])
        sent = winners.filter(~pl.col(UNCHANGED)).select("at", pl.lit(value=True).alias("send"))
        mask = index.join(sent, on="at", how="left", maintain_order="left")["send"]
        twice = losers.select("low", "high").unique()
        wins = pl.col("at").is_in(winners["at"].implode()).alias("wins")
        return Choice(
            losers=losers.select(FILE, ROW, "instead_file", "instead_row"),
            groups=index.with_columns(wins).join(twice, on=["low", "high"], how="semi"),
            unchanged=int(winners[UNCHANGED].sum()),
            sends=list(self._parted(mask.fill_null(value=False))),
        )

    def _parted(self, mask: pl.Series) -> Iterator[pl.Series]:
        start = 0
        for batch in self._batches:
            yield mask.slice(start, batch.height)
            start += batch.height
