"""Builds frames from rows of cells collected one by one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rdimport.core.row import ROW
from rdimport.source.limits import MOST_COLUMNS, MOST_ROWS, is_vast
from rdimport.source.refusals import vast

Rows = list[tuple[int, Sequence[str | None]]]
"""The non-empty rows of a sheet with their numbers."""


def frame_of(rows: Rows, where: str) -> pl.DataFrame:
    """`row.ROW`, c0, c1 ... as wide as the longest row; empty text is null.

    Raises SourceError if the rectangle is out of proportion; `where` names the sheet.
    """
    width = max((len(cells) for _, cells in rows), default=0)
    if is_vast(len(rows), width, sum(len(cells) for _, cells in rows)):
        raise vast(where)
    columns: list[list[str | None]] = [[] for _ in range(width)]
    for _, cells in rows:
        for column, cell in zip(columns, cells, strict=False):
            column.append(cell or None)
        for column in columns[len(cells) :]:
            column.append(None)
    numbers = pl.Series(ROW, [number for number, _ in rows], dtype=pl.UInt32)
    texts = [pl.Series(f"c{i}", column, dtype=pl.String) for i, column in enumerate(columns)]
    return pl.DataFrame([numbers, *texts])


def checked_place(row: int, column: int, where: str) -> None:
    """Raise SourceError if no sheet can have such a row or column."""
    if row > MOST_ROWS or column > MOST_COLUMNS:
        raise vast(where)


def times(text: str | None) -> int:
    """A repeat count. Raises ValueError unless it is a number from 1 on."""
    number = int(text or "1")
    if number < 1:
        raise ValueError
    return number


def date_text(value: str) -> str:
    """An ISO date and time as meant: no midnight, no fractions of a second, no day zero.

    >>> date_text("2026-03-04T00:00:00.000"), date_text("1899-12-31T08:30:00")
    ('2026-03-04', '08:30:00')
    """
    day, _, time = value.partition("T")
    time = time.split(".")[0]
    if day in ("1899-12-30", "1899-12-31"):
        return time or "00:00:00"
    return day if time in ("", "00:00:00") else f"{day} {time}"
