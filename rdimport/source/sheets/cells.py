"""Rows of cells, gathered one by one, as the frame that a Book hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rdimport.core.row import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence


def frame_of(rows: Sequence[tuple[int, Sequence[str | None]]]) -> pl.DataFrame:
    """`row.ROW`, c0, c1 … as wide as the longest row; empty text is null."""
    width = max((len(cells) for _, cells in rows), default=0)
    columns: list[list[str | None]] = [[] for _ in range(width)]
    for _, cells in rows:
        for column, cell in zip(columns, cells, strict=False):
            column.append(cell or None)
        for column in columns[len(cells) :]:
            column.append(None)
    numbers = pl.Series(ROW, [number for number, _ in rows], dtype=pl.UInt32)
    texts = [pl.Series(f"c{i}", column, dtype=pl.String) for i, column in enumerate(columns)]
    return pl.DataFrame([numbers, *texts])


def date_text(value: str) -> str:
    """An ISO date and time as people mean it: no midnight, no parts of a second, no day zero.

    >>> date_text("2026-03-04T00:00:00.000"), date_text("1899-12-31T08:30:00")
    ('2026-03-04', '08:30:00')
    """
    day, _, time = value.partition("T")
    time = time.split(".")[0]
    if day in ("1899-12-30", "1899-12-31"):
        return time or "00:00:00"
    return day if time in ("", "00:00:00") else f"{day} {time}"
