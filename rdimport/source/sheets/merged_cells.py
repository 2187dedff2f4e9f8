"""Cells merged with one above, of which only the top one has the text: the others are empty.

The text is not repeated, because it may be meant for the first row only. It is mentioned, because
in the spreadsheet program every row seems to have it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.messages import ngettext
from rdimport.core.row import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import polars as pl

MOST_MERGED: Final = 1 << 16
"""Merged ranges of a sheet that are examined."""


class Merged(NamedTuple):
    """Merged cells: their first and last row as the program shows them, and their column, the
    number of a column of `Sheet.cells`.
    """

    first: int
    last: int
    column: int


def merged_notes(
    rows: pl.DataFrame, columns: Mapping[int, str], merged: Iterable[Merged]
) -> Iterator[str]:
    """The sentence about data cells that are empty because of that, if there are any. `columns` has
    the names of the book's columns that are in `rows`.
    """
    numbers = rows[ROW].to_list()
    empty: dict[str, list[int]] = {}
    number, found = 0, None
    for first, last, at in islice(sorted(merged), MOST_MERGED):
        column = columns.get(at)
        if column is None or last <= first:
            continue
        if column not in empty:  # the number of empty cells above each row
            empty[column] = [0, *rows[column].is_null().cum_sum()]
        above, top, end = empty[column], bisect_left(numbers, first), bisect_right(numbers, last)
        if top == len(numbers) or numbers[top] != first or above[top] < above[top + 1]:
            continue  # a heading, a row that is no data, or all of it is empty
        number += (covered := above[end] - above[top + 1])
        found = found or ((first, last, column) if covered else None)
    if found is not None:
        first, last, column = found
        yield ngettext(
            "{number} cell is empty because it is merged with one above it: column “{column}”, "
            "rows {first} to {last}, where only row {first} has the text. To import it in every "
            "row, unmerge the cells and fill it in.",
            "{number} cells are empty because they are merged with one above them: the first in "
            "column “{column}”, rows {first} to {last}, where only row {first} has the text. To "
            "import it in every row, unmerge the cells and fill it in.",
            number,
            column=column,
            first=first,
            last=last,
        )
