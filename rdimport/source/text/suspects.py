"""Lines that are no sound record by themselves, looked at one by one."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.source.defects import STRAY_QUOTE, TOO_LONG, TOO_SHORT
from rdimport.source.text.lines import Shape, marks_of
from rdimport.source.text.records import Quotes, split_record

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORD: Final = 1 << 20
"""Bytes: a quoted cell that is still open after so many was never meant to be one."""


class Odd(NamedTuple):
    """A record that needed a closer look: its first and last line in the chunk, what it holds."""

    first: int
    last: int
    defect: str | None
    cells: list[str | None]


class Judged(NamedTuple):
    """A chunk's records: lines that are one each, texts of several lines with the first's place,
    odd ones; and how many lines were used."""

    sound: pl.Series
    joined: list[tuple[int, str]]
    odd: list[Odd]
    used: int


class Suspects:
    """The lines of a chunk that are no sound record by themselves, and what they are then."""

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
        """Walk over the suspects. A record that may go on in the next chunk waits for it."""
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
                record = record or self._unsound(at, at, self._text(at, at), STRAY_QUOTE)
                next_free = record.last + 1
                if any(record.cells):
                    odd.append(record)
            sound[at + 1 : next_free] = [False] * (next_free - at - 1)
        return Judged(pl.Series(sound, dtype=pl.Boolean), joined, odd, len(sound))

    def _is_sound_pair(self, at: int, seek: int) -> bool:
        """Do this odd line and the next odd one enclose a record that is sound as a whole?"""
        if seek >= len(self._pairs) or self._odd_lines[seek] != at:
            return False
        is_sound = bool(self._pair_is_sound[seek])
        return is_sound and not self._are_rows(at, self._odd_lines[seek + 1])

    def _are_rows(self, first: int, last: int) -> bool:
        """Are all these lines like rows, and too many (three cells or lines) for a coincidence?"""
        width, lines = len(self._shape.columns), last + 1 - first
        rows = self._rows_before[last + 1] - self._rows_before[first]
        return bool(rows == lines and width >= 2 and (width >= 3 or lines >= 3))

    def _may_go_on(self, at: int) -> bool:
        return sum(len(line) + 1 for line in self._exact[at:]) <= MAX_RECORD

    def _record(self, at: int, seek: int) -> Odd | None:
        """The record that begins on this line; None when its last line is not among these."""
        text = self._text(at, at)
        cells, quotes = split_record(text, self._shape.delimiter)
        if quotes is Quotes.STRAY:
            return self._unsound(at, at, text, STRAY_QUOTE)
        if quotes is Quotes.SOUND:
            return self._sized(at, at, text, cells)
        if seek + 1 >= len(self._odd_lines):
            return None
        last, whole = self._odd_lines[seek + 1], self._pairs[seek]
        cells, quotes = split_record(whole, self._shape.delimiter)
        if quotes is not Quotes.SOUND or self._hides_rows(at, last, cells):
            return self._unsound(at, at, text, STRAY_QUOTE)
        return self._sized(at, last, whole, cells)

    def _hides_rows(self, first: int, last: int, cells: list[str]) -> bool:
        """Would these lines as one record swallow lines that are rows themselves?

        When the cells do not fit, one line like a row after the first is reason enough.
        """
        if len(cells) == len(self._shape.columns):
            return self._are_rows(first, last)
        return bool(self._rows_before[last + 1] > self._rows_before[first + 1])

    def _sized(self, first: int, last: int, text: str, cells: list[str]) -> Odd | None:
        """The record, if it is as wide as it should be; None while the next line must be seen."""
        width = len(self._shape.columns)
        if any(cell.strip() for cell in cells[width:]):
            return self._unsound(first, last, text, TOO_LONG, cells)
        if len(cells) < width and any(cell.strip() for cell in cells):
            sound = self._is_whole(cells, last)
            if sound is None:
                return None
            if not sound:
                return self._unsound(first, last, text, TOO_SHORT, cells)
        return Odd(first, last, None, self._fit(cells[:width]))

    def _is_whole(self, cells: list[str], last: int) -> bool | None:
        """Is a short record a row whose last cells are blank, or a piece of a torn one?

        It is a row where an address stands in its place and another row follows. None while the
        line that follows is not among these.
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
        """May so many cells and those below be a torn row, with its second address in the place of
        the first?
        """
        shape = self._shape
        place = cells - 1 + (shape.like_a_row or 0)
        return cells + below == len(shape.columns) + 1 and place in shape.addresses

    def _completes(self, cells: int) -> bool:
        """Is this the second piece of the row whose first piece was just refused?"""
        torn, self._torn = self._torn, 0
        return bool(torn) and torn + cells == len(self._shape.columns) + 1

    def _unsound(
        self, first: int, last: int, text: str, defect: str, cells: list[str] | None = None
    ) -> Odd:
        """What could be read: cells as they come, all that is left over in the last column."""
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
