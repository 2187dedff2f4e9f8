"""Text to records: which lines belong together, which are unsound, and none shifts its neighbour.

A quotation mark that never closes must cost one row, not the rest of the file. So every line is
first judged on its own, all at once in polars. What is left are records with line breaks in a
cell, judged as wholes, again all at once, and the few broken ones, looked at one by one.
"""

from __future__ import annotations

import io
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.errors import SourceError
from rdimport.row import DEFECT, ROW
from rdimport.source.defects import STRAY_QUOTE, TOO_LONG, TOO_SHORT
from rdimport.source.records import Quotes, split_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_RECORD: Final = 1 << 20
"""Bytes: a quoted cell that is still open after so many was never meant to be one."""
MAX_LINE: Final = 64 << 20
"""Bytes: a line longer than this is no table of contacts."""


class Shape(NamedTuple):
    """How the rows of a file relate to its columns."""

    columns: Sequence[str]
    delimiter: str
    short_is_sound: bool = False
    """The writing program leaves out empty cells at the end of a row."""
    surplus: int = 0
    """So many delimiters too many stand at the end of every row."""


class _Odd(NamedTuple):
    """A record that needed a closer look: its first and last line in the chunk, what it holds."""

    first: int
    last: int
    defect: str | None
    cells: list[str | None]


class _Judged(NamedTuple):
    """A chunk's records: lines that are one each, texts of several lines with the first's place,
    odd ones; and how many lines were used."""

    sound: pl.Series
    joined: list[tuple[int, str]]
    odd: list[_Odd]
    used: int


class Splitter:
    """Turns UTF-8 text, fed in chunks, into frames of `row.ROW`, `row.DEFECT` and the columns.

    `first_line` is the number of the first line that will be fed.
    """

    def __init__(self, shape: Shape, *, first_line: int) -> None:
        self._shape = shape
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
        lines = _without_surplus(_lines(data), self._shape)
        judged = self._judge(lines, data, final=final)
        if judged.used < len(lines):
            exact = data.split(b"\n")
            self._rest = b"\n".join(exact[judged.used :]) + self._rest
        frame = self._frame(lines, judged, data)
        self._line += judged.used
        return frame

    def _judge(self, lines: pl.Series, data: bytes, *, final: bool) -> _Judged:
        marks = _marks(lines, self._shape, quoted=b'"' in data)
        if marks["sound"].all():
            return _Judged(marks["sound"], [], [], len(lines))
        return _Suspects(marks, data, self._shape).judged(final=final)

    def _frame(self, lines: pl.Series, judged: _Judged, data: bytes) -> pl.DataFrame:
        numbered = lines.head(len(judged.sound)).to_frame("line").with_row_index("at")
        kept = numbered.filter(judged.sound)
        text = data if kept.height == len(lines) and not self._shape.surplus else None
        parts = [self._part(kept["at"].cast(pl.UInt32), kept["line"], text)]
        if judged.joined:
            at = pl.Series("at", [at for at, _ in judged.joined], dtype=pl.UInt32)
            parts.append(self._part(at, pl.Series("line", [text for _, text in judged.joined])))
        if judged.odd:
            schema = {ROW: pl.UInt32, DEFECT: pl.String}
            schema |= dict.fromkeys(self._shape.columns, pl.String)
            rows = [(self._line + odd.first, odd.defect, *odd.cells) for odd in judged.odd]
            parts.append(pl.DataFrame(rows, schema=schema, orient="row"))
        return parts[0] if len(parts) == 1 else pl.concat(parts).sort(ROW)

    def _part(self, at: pl.Series, records: pl.Series, text: bytes | None = None) -> pl.DataFrame:
        """Sound records, cut into cells; an empty cell is null. `text` is all of them, if known."""
        if records.str.contains('"', literal=True).any():
            frame = _cells_quoted(records, self._shape, text)
        else:
            frame = _cells(records, self._shape)
        cell = pl.col(self._shape.columns)
        number, no_defect = (at + self._line).alias(ROW), pl.lit(None, pl.String).alias(DEFECT)
        return frame.select(number, no_defect, pl.when(cell != "").then(cell))


class _Suspects:
    """The lines of a chunk that are no sound record by themselves, and what they are then."""

    def __init__(self, marks: pl.DataFrame, data: bytes, shape: Shape) -> None:
        self._shape = shape
        self._exact = data.split(b"\n")
        self._sound = marks["sound"]
        suspects = marks.with_row_index("at").filter(~pl.col("sound"))
        self._at: list[int] = suspects["at"].to_list()
        self._odd_lines: list[int] = suspects.filter("odd")["at"].to_list()
        wanted = len(shape.columns) - 1
        self._rows_before = [0, *accumulate((marks["delimiters"] == wanted).fill_null(value=False))]
        self._pairs = [
            self._text(first, last)
            for first, last in zip(self._odd_lines, self._odd_lines[1:], strict=False)
        ]
        pairs = pl.Series("line", self._pairs, dtype=pl.String)
        self._pair_is_sound = _marks(pairs, shape, quoted=True)["sound"].to_list()

    def judged(self, *, final: bool) -> _Judged:
        """Walk over the suspects. A record that is still open at the end waits, unless `final`."""
        sound = self._sound.to_list()
        joined: list[tuple[int, str]] = []
        odd: list[_Odd] = []
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
                if record is None and not final and self._may_go_on(at):
                    return _Judged(pl.Series(sound[:at], dtype=pl.Boolean), joined, odd, at)
                record = record or self._unsound(at, at, self._text(at, at), STRAY_QUOTE)
                next_free = record.last + 1
                if any(record.cells):
                    odd.append(record)
            sound[at + 1 : next_free] = [False] * (next_free - at - 1)
        return _Judged(pl.Series(sound, dtype=pl.Boolean), joined, odd, len(sound))

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

    def _record(self, at: int, seek: int) -> _Odd | None:
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

    def _sized(self, first: int, last: int, text: str, cells: list[str]) -> _Odd:
        width = len(self._shape.columns)
        if any(cell.strip() for cell in cells[width:]):
            return self._unsound(first, last, text, TOO_LONG, cells)
        short = len(cells) < width and not self._shape.short_is_sound
        if short and any(cell.strip() for cell in cells):
            return self._unsound(first, last, text, TOO_SHORT, cells)
        return _Odd(first, last, None, self._fit(cells[:width]))

    def _unsound(
        self, first: int, last: int, text: str, defect: str, cells: list[str] | None = None
    ) -> _Odd:
        """What could be read: cells as they come, all that is left over in the last column."""
        width, delimiter = len(self._shape.columns), self._shape.delimiter
        cells = text.split(delimiter) if cells is None else cells
        if len(cells) > width:
            cells = [*cells[: width - 1], delimiter.join(cells[width - 1 :])]
        return _Odd(first, last, defect, self._fit(cells))

    def _fit(self, cells: list[str]) -> list[str | None]:
        return [cell or None for cell in cells] + [None] * (len(self._shape.columns) - len(cells))

    def _text(self, first: int, last: int) -> str:
        return b"\n".join(self._exact[first : last + 1]).decode().removesuffix("\r")


def _marks(records: pl.Series, shape: Shape, *, quoted: bool) -> pl.DataFrame:
    """Per text: is it a sound record, has it an odd number of marks, how many delimiters?"""
    last, text = len(shape.columns) - 1, pl.col("line")
    count = text.str.count_matches(shape.delimiter, literal=True)

    def fits(delimiters: pl.Expr) -> pl.Expr:
        return delimiters <= last if shape.short_is_sound else delimiters == last

    if not quoted:
        sound, odd = fits(count), pl.lit(value=False)
    else:
        # Every quoted cell shrinks to \x02; one that touches anything but a delimiter is unsound.
        bare = text.str.replace_all('"[^"]*"', "\x02")
        other = f"[^{re.escape(shape.delimiter)}\x02]"
        sound = (
            fits(bare.str.count_matches(shape.delimiter, literal=True))
            & ~bare.str.contains('"', literal=True)
            & ~bare.str.contains(f"{other}\x02")
            & ~bare.str.contains(f"\x02{other}")
        )
        odd = text.str.count_matches('"', literal=True) % 2 == 1
    return records.to_frame("line").select(
        sound=sound.fill_null(value=False), odd=odd.fill_null(value=False), delimiters=count
    )


def _cells(records: pl.Series, shape: Shape) -> pl.DataFrame:
    """Records without a quotation mark."""
    frame = records.str.split_exact(shape.delimiter, len(shape.columns) - 1).struct.unnest()
    return frame.rename(dict(zip(frame.columns, shape.columns, strict=True)))


def _cells_quoted(records: pl.Series, shape: Shape, text: bytes | None) -> pl.DataFrame:
    """Records with quoted cells. Should polars count them otherwise, they are cut one by one."""
    schema = dict.fromkeys(shape.columns, pl.String)
    if not shape.short_is_sound:
        text = text or records.str.join("\n").item().encode()
        frame = pl.read_csv(text, separator=shape.delimiter, has_header=False, schema=schema)
        if frame.height == len(records):
            return frame
    width = len(shape.columns)
    cut = (split_record(record, shape.delimiter)[0] for record in records)
    rows = [cells + [""] * (width - len(cells)) for cells in cut]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _without_surplus(lines: pl.Series, shape: Shape) -> pl.Series:
    """The lines without the empty cells that stand at the end of every row beyond the columns."""
    if not shape.surplus:
        return lines
    line, tail = pl.col("line"), shape.delimiter * shape.surplus
    count = line.str.replace_all('"[^"]*"', "").str.count_matches(shape.delimiter, literal=True)
    has_it = (count == len(shape.columns) - 1 + shape.surplus) & line.str.ends_with(tail)
    cut = line.str.head(-shape.surplus)
    return lines.to_frame("line").select(pl.when(has_it).then(cut).otherwise(line))["line"]


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
    return pl.Series("line", list(_split_lines(data)), dtype=pl.String)


def _split_lines(data: bytes) -> Iterable[str | None]:
    for line in data.decode().removesuffix("\n").split("\n"):
        yield line.removesuffix("\r") or None
