"""Restores durations, which the calamine library returns as dates in 1900."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

_EARLY: Final = r"^(?:1899-12-3[01]|190[0-4]-\d\d-\d\d) \d\d:\d\d:\d\d(?:\.\d+)?$"
"""The years of day zero, on Windows (1899) and old Macs (1904): no list has times then."""
_LONG: Final = r"^(?:1899-12-30|190[0-4]-)"
_DAY: Final = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def with_durations(cells: pl.Series, load: Callable[[], pl.Series]) -> pl.Series:
    """A column of times, with durations of a day or more as hours, minutes, seconds: `36:00:00`.

    It is a column of times if it has a time of day in those years and no later date. Dates without
    a time, such as 1900-01-01 for an unknown date, are kept. `load` returns the same cells as
    durations, which takes as long as loading them the first time.
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
