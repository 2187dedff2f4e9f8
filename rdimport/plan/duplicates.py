"""Rows of the input that are the same conversion, and which of them is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self

import polars as pl

from rdimport.core.row import FILE, ROW
from rdimport.plan.spool import Spool

IDENTITY: Final = "__rdimport_identity__"
"""Binary: what makes two rows the same conversion, or the ledger's keyed hash of it."""

UNCHANGED: Final = "__rdimport_unchanged__"
"""Boolean: an earlier run sent this very payload, and it was accepted."""

AT: Final = "__rdimport_at__"
"""UInt32: the position of a row among all rows added, from 0."""

MOST_ROWS: Final = 250_000
"""The number of rows held in memory, at 29 bytes each, before the index moves to disk."""

_PARTS: Final = 16
"""Partitions on disk. A hash keeps the rows of one conversion in one partition; of 10 million rows,
each has about 625,000, which take 18 MB.
"""

_PART: Final = "part"

Keep = Literal["first", "last"]


class Choice(NamedTuple):
    """The choice among the rows of some conversions.

    `losers` has `FILE`, `ROW` and the winner's as `instead_file`, `instead_row`. `groups` has the
    rows of conversions with several rows: their `AT`, and whether each one `wins`. `unchanged` is
    the number of winners that need not be sent. `dropped` has the `AT` of all rows that are not
    sent: losers and unchanged winners.
    """

    losers: pl.DataFrame
    groups: pl.DataFrame
    unchanged: int
    dropped: pl.Series


class Index:
    """The rows that may be sent, by conversion; in memory while they are few, then on disk."""

    def __init__(
        self, directory: Path | None = None, most_rows: int = MOST_ROWS, *, digests: bool = True
    ) -> None:
        """With `digests`, an `IDENTITY` is a digest of 16 bytes, otherwise the text itself."""
        self._halves = _DIGEST if digests else _HASH
        self._spool = Spool(directory)
        self._most = most_rows
        self._held: list[pl.DataFrame] = []
        self._parts: list[list[int]] = [[] for _ in range(_PARTS)]
        self._rows = 0
        self._kept = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__()

    def add(self, rows: pl.DataFrame) -> None:
        """Add one batch, with at least `FILE`, `ROW`, `IDENTITY` and `UNCHANGED`.

        Raises LedgerError if the disk is full.
        """
        at = pl.int_range(self._rows, self._rows + rows.height, dtype=pl.UInt32).alias(AT)
        self._held.append(rows.select(at, FILE, ROW, UNCHANGED, *self._halves))
        self._rows += rows.height
        if self._rows - self._kept > self._most:
            self._put_away()

    def choose(self, keep: Keep) -> Iterator[Choice]:
        """Choose the first or last row of each conversion, one partition at a time."""
        if not self._kept:
            yield _choice(pl.concat([_NONE, *self._held]), keep)
            return
        self._put_away()
        for places in self._parts:
            yield _choice(pl.concat([_NONE, *map(self._spool.frame, places)]), keep)

    def _put_away(self) -> None:
        together = pl.concat([_NONE, *self._held]).with_columns(
            (pl.col("high") % _PARTS).alias(_PART)
        )
        for rows in together.partition_by(_PART):
            self._parts[rows[_PART][0]].append(self._spool.put(rows.drop(_PART)))
        self._held.clear()
        self._kept = self._rows


_DIGEST: Final = tuple(
    pl.col(IDENTITY).bin.slice(at, 8).bin.reinterpret(dtype=pl.UInt64, endianness="little").alias(n)
    for at, n in ((0, "low"), (8, "high"))
)
_HASH: Final = tuple(pl.col(IDENTITY).hash(seed).alias(n) for seed, n in enumerate(("low", "high")))
"""Not cryptographic, which is enough for a check: a collision would send nothing."""

_NONE: Final = pl.DataFrame(
    schema={
        AT: pl.UInt32,
        FILE: pl.UInt32,
        ROW: pl.UInt32,
        UNCHANGED: pl.Boolean,
        "low": pl.UInt64,
        "high": pl.UInt64,
    }
)


def _choice(index: pl.DataFrame, keep: Keep) -> Choice:
    alike = index.filter(pl.col("low").is_duplicated())  # few; all others are alone
    winners = alike.unique(["low", "high"], keep=keep)
    lost = pl.col(AT).is_in(winners[AT].implode()).not_()
    losers = alike.filter(lost)
    twice = alike.join(losers, on=["low", "high"], how="semi").with_columns(wins=~lost)
    instead = twice.filter("wins").select(
        "low", "high", instead_file=pl.col(FILE), instead_row=pl.col(ROW)
    )
    idle = index.filter(UNCHANGED & pl.col(AT).is_in(losers[AT].implode()).not_())
    return Choice(
        losers=losers.join(instead, on=["low", "high"], maintain_order="left").select(
            FILE, ROW, "instead_file", "instead_row"
        ),
        groups=twice.select(AT, "wins"),
        unchanged=idle.height,
        dropped=pl.concat([losers[AT], idle[AT]]),
    )
