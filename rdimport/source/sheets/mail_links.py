"""Cells that link to an e-mail address but show something else.

The text is not replaced by the address: it may be a name, and a link may be outdated. It is only
mentioned, because a column of clickable names looks as if it contained addresses.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from rdimport.core.messages import ngettext

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl


class Linked(NamedTuple):
    """A range of linked cells: first and last row and column, from 0."""

    first: int
    last: int
    column: int


def linked_texts(cells: pl.DataFrame, links: Iterable[Linked]) -> list[tuple[int, str]]:
    """Row number and text of linked cells whose text is not an address, without duplicates."""
    by_column: defaultdict[int, list[Linked]] = defaultdict(list)
    for link in links:
        if link.first < cells.height and 0 <= link.column < cells.width:
            by_column[link.column].append(link)
    found: list[tuple[int, str]] = []
    for column, parts in by_column.items():
        free = 0
        for first, last, _column in sorted(parts):
            start = max(first, free)
            free = max(free, last + 1)
            texts = cells.to_series(column).slice(start, max(last + 1 - start, 0))
            found += [(row, text) for row, text in enumerate(texts, start + 1) if text]
    return sorted((row, text) for row, text in found if "@" not in text)


def link_notes(found: list[tuple[int, str]]) -> Iterator[str]:
    """The sentence about such cells, if there are any."""
    if found:
        row, text = found[0]
        yield ngettext(
            "{number} cell, in row {row} (“{text}”), is a link to an e-mail address that its text "
            "does not show; only the text is read. To import the address, write it into a column "
            "of its own.",
            "{number} cells, the first in row {row} (“{text}”), are links to an e-mail address "
            "that their text does not show; only the text is read. To import the addresses, write "
            "them into a column of their own.",
            len(found),
            row=row,
            text=text[:40],
        )
