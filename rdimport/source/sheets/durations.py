"""Durations of a workbook: the library that reads its cells calls 36 hours a day in 1900."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

_EARLY: Final = r"^(?:1899-12-3[01]|190[0-4]-\d\d-\d\d) \d\d:\d\d:\d\d(?:\.\d+)?$"
"""Day 0 is in 1899, that of old Macs in 1904; no list of contacts has a moment of those years."""
_LONG: Final = r"^(?:1899-12-30|190[0-4]-)"
_DAY: Final = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def with_durations(cells: pl.Series, load: Callable[[], pl.Series]) -> pl.Series:
    """A column of times with those of a day and more as hours, minutes, seconds: `36:00:00`.

    A column is one of times when it has a time of the day in those early years and no later date;
    days alone, such as 1900-01-01 for a date that nobody knew, stay what they are. `load` gives
    the same cells as durations, which costs as much as the first load.
    """
    early = cells.str.contains(_EARLY).fill_null(value=False)
    long = early & cells.str.contains(_LONG) & ~cells.str.starts_with("1904-01-01 ")
    if not long.any() or not (early & ~cells.str.contains(" 00:00:00")).any():
        return cells
    if (cells.str.contains(_DAY).fill_null(value=False) & ~early).any():
        return cells
    texts = [None if span is None else _text(span) for span in load().dt.total_milliseconds()]
    return cells.zip_with(~long, pl.Series(texts, dtype=pl.String).fill_null(cells))


def _text(milliseconds: int) -> str:
    seconds = (abs(milliseconds) + 500) // 1000
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
