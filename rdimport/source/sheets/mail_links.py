"""Cells that show something else than the e-mail address that they link to.

The address is not put in the place of the text: that may be a name, and a link may be stale. But it
is mentioned, because a column of “e-mail” that can be clicked looks as if it held addresses.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl


def linked_texts(cells: pl.DataFrame, at: Iterable[tuple[int, int]]) -> list[tuple[int, str]]:
    """Row number and text of the cells `at` (row and column from 0) whose text is no address."""
    rows_in: defaultdict[int, list[int]] = defaultdict(list)
    for row, column in at:
        if row < cells.height and column < cells.width:
            rows_in[column].append(row)
    found = (
        (row + 1, text)
        for column, rows in rows_in.items()
        for row, text in zip(rows, cells.to_series(column).gather(rows).to_list(), strict=True)
    )
    return sorted((row, text) for row, text in found if text and "@" not in text)


def link_notes(found: list[tuple[int, str]]) -> Iterator[str]:
    """The sentence about such cells, if there are any."""
    if found:
        row, text = found[0]
        yield (
            f"{len(found)} cell(s), the first in row {row} (“{text[:40]}”), are links to an e-mail "
            "address that their text does not show; only the text is read. To import the "
            "addresses, write them into a column of their own."
        )
