"""What every reader does with its frames before it hands them over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def without_blank_rows(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Rows without a visible character are no data rows; the numbers of the others stay."""
    blank = pl.col(columns).str.strip_chars().fill_null("") == ""
    return frame.filter(~pl.all_horizontal(blank))


def rebatched(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of `rows` each; only the last may be shorter, none is empty."""
    held: list[pl.DataFrame] = []
    count = 0
    for frame in frames:
        held.append(frame)
        count += frame.height
        if count < rows:
            continue
        whole = pl.concat(held)
        full = count - count % rows
        for start in range(0, full, rows):
            yield whole.slice(start, rows)
        held, count = [whole.slice(full)], count - full
    if count:
        yield pl.concat(held)
