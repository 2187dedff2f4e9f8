"""Text to records: which lines belong together, which are unsound, and none shifts its neighbour.

A quotation mark that never closes must cost one row, not the rest of the file. So every line is
first judged on its own, all at once in polars; only the lines that are no sound record by
themselves (rows with line breaks in a cell, and the broken ones) are looked at one by one.
"""

from __future__ import annotations

import io
import re
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.errors import SourceError
from rdimport.row import DEFECT, ROW
from rdimport.source.defects import STRAY_QUOTE, TOO_LONG, TOO_SHORT

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORD: Final = 1 << 20
"""Bytes: a quoted cell that is still open after so many was never meant to be one."""
MAX_LINE: Final = 64 << 20
"""Bytes: a line longer than this is no table of contacts."""


class Quotes(Enum):
    """What the quotation marks of a piece of text say about it."""

    SOUND = auto()
    OPEN = auto()
    STRAY = auto()


class _Patterns(NamedTuple):
    cell: re.Pattern[str]
    opening: re.Pattern[str]
    unclosed: re.Pattern[str]


@cache
def _patterns(delimiter: str) -> _Patterns:
    end = rf"(?={re.escape(delimiter)}|\Z)"
    return _Patterns(
        re.compile(rf' *"([^"]*(?:""[^"]*)*)" *{end}'),
        re.compile(r' *"'),
        re.compile(r' *"[^"]*(?:""[^"]*)*\Z'),
    )


def split_record(text: str, delimiter: str) -> tuple[list[str], Quotes]:
    """One record's cells, and whether its quotation marks make sense.

    Marks in the middle of an unquoted cell are text when they come in pairs (`Ana "Nina" Reis`).
    Without sense the text is cut at every delimiter.
    """
    if '"' not in text:
        return text.split(delimiter), Quotes.SOUND
    cell, opening, unclosed = _patterns(delimiter)
    cells, at, quotes = [], 0, Quotes.SOUND
    while True:
        if quoted := cell.match(text, at):
            cells.append(quoted[1].replace('""', '"'))
            at = quoted.end()
        elif opening.match(text, at):
            is_open = unclosed.match(text, at)
            return text.split(delimiter), Quotes.OPEN if is_open else Quotes.STRAY
        else:
            stop = text.find(delimiter, at)
            stop = len(text) if stop < 0 else stop
            plain = text[at:stop]
            if plain.count('"') % 2:
                quotes = Quotes.STRAY
            cells.append(plain)
            at = stop
        if at >= len(text):
            break
        at += 1
    return (cells, quotes) if quotes is Quotes.SOUND else (text.split(delimiter), quotes)


class _Odd(NamedTuple):
    """A record that needed a closer look: its first and last line in the chunk, what it holds."""

    first: int
    last: int
    defect: str | None
    cells: list[str | None]


class Splitter:
    """Turns UTF-8 text, fed in chunks, into frames of `row.ROW`, `row.DEFECT` and the columns.

    `short_is_sound` says that the writing program leaves out empty cells at the end of a row.
    `first_line` is the number of the first line that will be fed.
    """

    def __init__(
        self,
        columns: Sequence[str],
        delimiter: str,
        *,
        first_line: int,
        short_is_sound: bool = False,
    ) -> None:
        self._columns = list(columns)
        self._width = len(columns)
        self._delimiter = delimiter
        self._short_is_sound = short_is_sound
        self._line = first_line
        self._rest = b""

    def feed(self, data: bytes, *, final: bool) -> pl.DataFrame:
        """The records that are complete now; what may go on in the next chunk waits for it."""
        data = self._rest + data
        if not final:
            cut = data.rfind(b"\n") + 1
            data, self._rest = data[:cut], data[cut:]
            if len(self._rest) > MAX_LINE:
                raise SourceError(
                    f"Line {self._line} is longer than {MAX_LINE >> 20} MiB.",
                    "This is probably not a table; check the file, or name its --delimiter.",
                )
        lines = _lines(data)
        sound, odd, used = self._judge(lines, data, final=final)
        if used < len(lines):
            exact = data.split(b"\n")
            self._rest = b"\n".join(exact[used:]) + self._rest
        frame = self._frame(lines, sound, odd)
        self._line += used
        return frame

    def _judge(
        self, lines: pl.Series, data: bytes, *, final: bool
    ) -> tuple[pl.Series, list[_Odd], int]:
        """Which lines are records as they stand, the other records, and how many lines are used."""
        marks = self._marks(lines, quoted=b'"' in data)
        suspects = marks.filter(~pl.col("sound"))
        if suspects.is_empty():
            return marks["sound"], [], len(lines)
        return self._look_closer(marks["sound"], suspects, data, final=final)

    def _marks(self, lines: pl.Series, *, quoted: bool) -> pl.DataFrame:
        """Per line: is it a sound record by itself, and does it have an odd number of marks?"""
        line, last = pl.col("line"), self._width - 1
        frame = lines.to_frame("line").with_row_index("at")

        def fits(delimiters: pl.Expr) -> pl.Expr:
            return delimiters <= last if self._short_is_sound else delimiters == last

        if not quoted:
            count = line.str.count_matches(self._delimiter, literal=True)
            return frame.select("at", sound=fits(count).fill_null(value=False), odd=False)
        # Every quoted cell shrinks to \x02; one that touches anything but a delimiter is unsound.
        bare = line.str.replace_all('"[^"]*"', "\x02")
        touching = (
            f"[^{re.escape(self._delimiter)}\x02]\x02|\x02[^{re.escape(self._delimiter)}\x02]"
        )
        good = (
            fits(bare.str.count_matches(self._delimiter, literal=True))
            & ~bare.str.contains('"', literal=True)
            & ~bare.str.contains(touching)
        )
        odd = line.str.count_matches('"', literal=True) % 2 == 1
        return frame.select("at", sound=good.fill_null(value=False), odd=odd.fill_null(value=False))

    def _look_closer(
        self, sound: pl.Series, suspects: pl.DataFrame, data: bytes, *, final: bool
    ) -> tuple[pl.Series, list[_Odd], int]:
        exact = data.split(b"\n")
        count = len(sound)
        keep = sound.to_list()
        odd_lines = suspects.filter("odd")["at"].to_list()
        records: list[_Odd] = []
        next_free, seek = 0, 0
        for at in suspects["at"].to_list():
            if at < next_free:
                continue
            while seek < len(odd_lines) and odd_lines[seek] <= at:
                seek += 1
            closing = odd_lines[seek] if seek < len(odd_lines) else None
            record = self._record(exact, at, closing)
            if record is None:
                open_bytes = sum(len(line) + 1 for line in exact[at:count])
                if not final and open_bytes <= MAX_RECORD:
                    return pl.Series(keep[:at], dtype=pl.Boolean), records, at
                record = self._unsound(at, at, _text(exact, at, at), STRAY_QUOTE)
            next_free = record.last + 1
            keep[at + 1 : next_free] = [False] * (record.last - at)
            if any(record.cells):
                records.append(record)
        return pl.Series(keep, dtype=pl.Boolean), records, count

    def _record(self, exact: list[bytes], at: int, closing: int | None) -> _Odd | None:
        """The record that begins on this line; None when its last line is not among these."""
        text = _text(exact, at, at)
        cells, quotes = split_record(text, self._delimiter)
        if quotes is Quotes.STRAY:
            return self._unsound(at, at, text, STRAY_QUOTE)
        if quotes is Quotes.SOUND:
            return self._sized(at, at, text, cells)
        if closing is None:
            return None
        whole = _text(exact, at, closing)
        cells, quotes = split_record(whole, self._delimiter)
        if quotes is not Quotes.SOUND or self._hides_rows(exact, at, closing, cells):
            return self._unsound(at, at, text, STRAY_QUOTE)
        return self._sized(at, closing, whole, cells)

    def _hides_rows(self, exact: list[bytes], first: int, last: int, cells: list[str]) -> bool:
        """Would taking these lines as one record swallow lines that are rows themselves?

        When the cells fit, only lines that all look like rows of three or more cells are too many
        to be a coincidence. When they do not fit, one such line after the first is enough.
        """
        mark, wanted = self._delimiter.encode(), self._width - 1
        like_rows = [exact[at].count(mark) == wanted for at in range(first, last + 1)]
        if len(cells) == self._width:
            return self._width >= 3 and all(like_rows)
        return any(like_rows[1:])

    def _sized(self, first: int, last: int, text: str, cells: list[str]) -> _Odd:
        surplus = len(cells) - self._width
        if surplus > 0 and any(cell.strip() for cell in cells[self._width :]):
            return self._unsound(first, last, text, TOO_LONG, cells)
        if surplus < 0 and not self._short_is_sound and any(cell.strip() for cell in cells):
            return self._unsound(first, last, text, TOO_SHORT, cells)
        return _Odd(first, last, None, self._fit(cells[: self._width]))

    def _unsound(
        self, first: int, last: int, text: str, defect: str, cells: list[str] | None = None
    ) -> _Odd:
        """What could be read: cells as they come, all that is left over in the last column."""
        cells = text.split(self._delimiter) if cells is None else cells
        if len(cells) > self._width:
            rest = self._delimiter.join(cells[self._width - 1 :])
            cells = [*cells[: self._width - 1], rest]
        return _Odd(first, last, defect, self._fit(cells))

    def _fit(self, cells: list[str]) -> list[str | None]:
        return [cell or None for cell in cells] + [None] * (self._width - len(cells))

    def _frame(self, lines: pl.Series, sound: pl.Series, odd: list[_Odd]) -> pl.DataFrame:
        numbered = lines.head(len(sound)).to_frame("line").with_row_index(ROW, offset=self._line)
        kept = numbered.filter(sound)
        number, no_defect = kept[ROW].cast(pl.UInt32), pl.lit(None, pl.String).alias(DEFECT)
        frame = self._cells(kept["line"]).select(number, no_defect, pl.all())
        if not odd:
            return frame
        schema = {ROW: pl.UInt32, DEFECT: pl.String, **dict.fromkeys(self._columns, pl.String)}
        extra = [(self._line + o.first, o.defect, *o.cells) for o in odd]
        return pl.concat([frame, pl.DataFrame(extra, schema=schema, orient="row")]).sort(ROW)

    def _cells(self, lines: pl.Series) -> pl.DataFrame:
        """Sound lines cut into cells; an empty cell is null."""
        quoted = bool(lines.str.contains('"', literal=True).any())
        frame = self._cells_quoted(lines) if quoted else self._cells_plain(lines)
        cell = pl.col(self._columns)
        return frame.select(pl.when(cell != "").then(cell))

    def _cells_plain(self, lines: pl.Series) -> pl.DataFrame:
        frame = lines.str.split_exact(self._delimiter, self._width - 1).struct.unnest()
        return frame.rename(dict(zip(frame.columns, self._columns, strict=True)))

    def _cells_quoted(self, lines: pl.Series) -> pl.DataFrame:
        if self._short_is_sound:
            lines = self._padded(lines)
        frame = pl.read_csv(
            io.BytesIO("\n".join(lines).encode()),
            separator=self._delimiter,
            has_header=False,
            schema=dict.fromkeys(self._columns, pl.String),
        )
        if frame.height != len(lines):
            raise SourceError(
                f"The lines from {self._line} on fall into {frame.height} records where "
                f"{len(lines)} were counted.",
                "This is a defect of rdimport; please report it with those lines.",
            )
        return frame

    def _padded(self, lines: pl.Series) -> pl.Series:
        bare = lines.str.replace_all('"[^"]*"', "")
        missing = self._width - 1 - bare.str.count_matches(self._delimiter, literal=True)
        pad = missing.map_elements(lambda n: self._delimiter * n, return_dtype=pl.String)
        return lines + pad


def _text(exact: list[bytes], first: int, last: int) -> str:
    return b"\n".join(exact[first : last + 1]).decode().removesuffix("\r")


def _lines(data: bytes) -> pl.Series:
    """The lines of some UTF-8 text without their ends; blank lines are null."""
    if not data:
        return pl.Series("line", [], dtype=pl.String)
    for separator in "\x01\x1f\x1e\x00":
        if separator.encode() not in data:
            frame = pl.read_csv(
                io.BytesIO(data),
                separator=separator,
                quote_char=None,
                has_header=False,
                schema={"line": pl.String},
            )
            return frame["line"]
    lines = data.decode().removesuffix("\n").split("\n")
    return pl.Series("line", [line.removesuffix("\r") or None for line in lines], dtype=pl.String)
