"""Examines, one by one, the lines that are not a well-formed record by themselves."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.core.messages.codes import Code
from rdimport.source.text.lines import Shape, marks_of
from rdimport.source.text.records import Quotes, split_record

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORD: Final = 1 << 20
"""Maximum bytes of a quoted cell; a longer one comes from an unclosed quotation mark."""


class Odd(NamedTuple):
    """A record that was examined: its first and last line in the chunk, and its cells."""

    first: int
    last: int
    defect: str | None
    cells: list[str | None]


class Judged(NamedTuple):
    """The records of a chunk: lines that are one record each, texts of several lines with the
    position of the first, examined ones, and the number of lines used.
    """

    sound: pl.Series
    joined: list[tuple[int, str]]
    odd: list[Odd]
    used: int


class Suspects:
    """The lines of a chunk that are not well-formed records by themselves."""

    def __init__(self, marks: pl.DataFrame, data: bytes, shape: Shape, *, final: bool) -> None:
        self._shape = shape
        self._final = final
        self._torn = 0
        self._exact = data.split(b"\n")
        self._sound = marks["sound"]
        suspects = marks.with_row_index("at").filter(~pl.col("sound"))
        self._at: list[int] = suspects["at"].to_list()
        self._odd_lines: list[int] = suspects.filter("odd")["at"].to_list()
        self._rows_before = [0, *accumulate(marks["wide"])]
        self._pairs = [
            self._text(first, last)
            for first, last in zip(self._odd_lines, self._odd_lines[1:], strict=False)
        ]
        pairs = pl.Series("line", self._pairs, dtype=pl.String)
        self._pair_is_sound = marks_of(pairs, shape)["sound"].to_list()

    def judged(self) -> Judged:
        """Examine all suspects. A record that may continue in the next chunk is left for later."""
        sound = self._sound.to_list()
        joined: list[tuple[int, str]] = []
        odd: list[Odd] = []
        next_free, seek = 0, 0
        for at in self._at:
            if at < next_free:
                continue
            while seek < len(self._odd_lines) and self._odd_lines[seek] < at:
                seek += 1
            if self._is_sound_pair(at, seek):
                joined.append((at, self._pairs[seek]))
                next_free = self._odd_lines[seek + 1] + 1
            else:
                record = self._record(at, seek)
                if record is None and not self._final and self._may_go_on(at):
                    return Judged(pl.Series(sound[:at], dtype=pl.Boolean), joined, odd, at)
                record = record or self._unsound(at, at, self._text(at, at), Code.ROW_STRAY_QUOTE)
                next_free = record.last + 1
                if any(record.cells):
                    odd.append(record)
            sound[at + 1 : next_free] = [False] * (next_free - at - 1)
        return Judged(pl.Series(sound, dtype=pl.Boolean), joined, odd, len(sound))

    def _is_sound_pair(self, at: int, seek: int) -> bool:
        """Whether this odd line and the next odd one enclose a well-formed record."""
        if seek >= len(self._pairs) or self._odd_lines[seek] != at:
            return False
        is_sound = bool(self._pair_is_sound[seek])
        return is_sound and not self._are_rows(at, self._odd_lines[seek + 1])

    def _are_rows(self, first: int, last: int) -> bool:
        """Whether all these lines look like rows, and have too many cells or lines for a
        coincidence.
        """
        width, lines = len(self._shape.columns), last + 1 - first
        rows = self._rows_before[last + 1] - self._rows_before[first]
        return bool(rows == lines and width >= 2 and (width >= 3 or lines >= 3))

    def _may_go_on(self, at: int) -> bool:
        return sum(len(line) + 1 for line in self._exact[at:]) <= MAX_RECORD

    def _record(self, at: int, seek: int) -> Odd | None:
        """The record that begins on this line; None if its last line is not in the chunk."""
        text = self._text(at, at)
        cells, quotes = split_record(text, self._shape.delimiter)
        if quotes is Quotes.STRAY:
            return self._unsound(at, at, text, Code.ROW_STRAY_QUOTE)
        if quotes is Quotes.SOUND:
            return self._sized(at, at, text, cells)
        if seek + 1 >= len(self._odd_lines):
            return None
        last, whole = self._odd_lines[seek + 1], self._pairs[seek]
        cells, quotes = split_record(whole, self._shape.delimiter)
        if quotes is not Quotes.SOUND or self._hides_rows(at, last, cells):
            return self._unsound(at, at, text, Code.ROW_STRAY_QUOTE)
        return self._sized(at, last, whole, cells)

    def _hides_rows(self, first: int, last: int, cells: list[str]) -> bool:
        """Whether a record of these lines would swallow lines that are rows themselves.

        If the number of cells does not fit, one such line after the first is enough.
        """
        if len(cells) == len(self._shape.columns):
            return self._are_rows(first, last)
        return bool(self._rows_before[last + 1] > self._rows_before[first + 1])

    def _sized(self, first: int, last: int, text: str, cells: list[str]) -> Odd | None:
        """The record if its width is right; None if the next line is needed to decide."""
        width = len(self._shape.columns)
        if any(cell.strip() for cell in cells[width:]):
            return self._unsound(first, last, text, Code.ROW_TOO_LONG, cells)
        if len(cells) < width and any(cell.strip() for cell in cells):
            sound = self._is_whole(cells, last)
            if sound is None:
                return None
            if not sound:
                return self._unsound(first, last, text, Code.ROW_TOO_SHORT, cells)
        return Odd(first, last, None, self._fit(cells[:width]))

    def _is_whole(self, cells: list[str], last: int) -> bool | None:
        """Whether a short record is a row with blank last cells, not a fragment of a torn row.

        It is if it has an address in the right column and is followed by another row. None if the
        following line is not in the chunk.
        """
        shape = self._shape
        if shape.like_a_row is None:
            return shape.short_is_sound
        if not _has_address(cells, shape.like_a_row) or self._completes(len(cells)):
            return False
        following = next((line for line in self._exact[last + 1 :] if line.strip()), None)
        if following is None:
            at_end = last + 1 < len(self._exact) or shape.short_is_sound
            return at_end if self._final else None
        text = following.decode().removesuffix("\r")
        if '"' in text:
            return "@" in text
        below = text.split(shape.delimiter)
        if self._are_one_row(len(cells), len(below)):
            self._torn = len(cells)
            return False
        return len(below) >= len(shape.columns) or _has_address(below, shape.like_a_row)

    def _are_one_row(self, cells: int, below: int) -> bool:
        """Whether these cells and those below may be one torn row, with a second address in the
        place of the first.
        """
        shape = self._shape
        place = cells - 1 + (shape.like_a_row or 0)
        return cells + below == len(shape.columns) + 1 and place in shape.addresses

    def _completes(self, cells: int) -> bool:
        """Whether this is the second fragment of the row whose first fragment was just rejected."""
        torn, self._torn = self._torn, 0
        return bool(torn) and torn + cells == len(self._shape.columns) + 1

    def _unsound(
        self, first: int, last: int, text: str, defect: str, cells: list[str] | None = None
    ) -> Odd:
        """A malformed record: its cells as they come, with the excess in the last column."""
        width, delimiter = len(self._shape.columns), self._shape.delimiter
        cells = text.split(delimiter) if cells is None else cells
        if len(cells) > width:
            cells = [*cells[: width - 1], delimiter.join(cells[width - 1 :])]
        return Odd(first, last, defect, self._fit(cells))

    def _fit(self, cells: list[str]) -> list[str | None]:
        return [cell or None for cell in cells] + [None] * (len(self._shape.columns) - len(cells))

    def _text(self, first: int, last: int) -> str:
        return b"\n".join(self._exact[first : last + 1]).decode().removesuffix("\r")


def _has_address(cells: Sequence[str], at: int) -> bool:
    return at < len(cells) and "@" in cells[at]
