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

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.core.row import DEFECT, ROW
from rdimport.source.defects import STRAY_QUOTE, TOO_LONG, TOO_SHORT
from rdimport.source.text.records import Quotes, split_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_RECORD: Final = 1 << 20
"""Bytes: a quoted cell that is still open after so many was never meant to be one."""
MAX_LINE: Final = 64 << 20
"""Bytes: a line longer than this is no table of contacts."""


MOST_UNSOUND: Final = 250_000
"""Lines that are blank or no sound rows, before it matters how many others there are."""


_MORE: Final = "__rdimport_more__"
"""What a line holds beyond its last column."""


class Shape(NamedTuple):
    """How the rows of a file relate to its columns."""

    columns: Sequence[str]
    delimiter: str
    short_is_sound: bool = False
    """The writing program leaves out empty cells at the end of a row."""
    surplus: int = 0
    """So many delimiters too many stand at the end of every row."""
    addresses: tuple[int, ...] = ()
    """The columns of e-mail addresses, the one with most of them first."""

    @property
    def like_a_row(self) -> int | None:
        """The column whose address tells a row without its last cells from a piece of one."""
        return self.addresses[0] if self.addresses else None


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
        self._line = self._first = first_line
        self._rest = b""
        self._unsound = 0

    def feed(self, data: bytes, *, final: bool) -> pl.DataFrame:
        """The records that are complete now; what may go on in the next chunk waits for it."""
        data = self._rest + data
        if not final:
            cut = data.rfind(b"\n") + 1
            data, self._rest = data[:cut], data[cut:]
            if len(self._rest) > MAX_LINE:
                raise SourceError(
                    _(
                        "Line {line} is longer than {max_line} MiB.",
                        line=self._line,
                        max_line=MAX_LINE >> 20,
                    ),
                    _("This is probably not a table; check the file, or name its --delimiter."),
                )
        lines = _without_surplus(_lines(data), self._shape)
        cells = None if b'"' in data else _split(lines, self._shape)
        judged = self._judge(lines, cells, data, final=final)
        if judged.used < len(lines):
            exact = data.split(b"\n")
            self._rest = b"\n".join(exact[judged.used :]) + self._rest
        frame = self._frame(lines, cells, judged, data)
        self._line += judged.used
        self._unsound += len(judged.sound) - int(judged.sound.sum()) - len(judged.joined)
        self._refuse_no_table()
        return frame

    def _refuse_no_table(self) -> None:
        """Blank and unsound lines cost more than rows do, and a table does not consist of them."""
        lines = self._line - self._first
        if self._unsound > MOST_UNSOUND and self._unsound > 0.9 * lines:
            raise SourceError(
                _(
                    "Of the first {lines} lines {unsound} are blank or no sound rows.",
                    lines=lines,
                    unsound=self._unsound,
                ),
                _("This is probably not a table; check the file, or name its --delimiter."),
            )

    def _judge(
        self, lines: pl.Series, cells: pl.DataFrame | None, data: bytes, *, final: bool
    ) -> _Judged:
        shape = self._shape
        marks = _marks(lines, shape) if cells is None else _marks_of_cells(cells, shape)
        if marks["sound"].all():
            return _Judged(marks["sound"], [], [], len(lines))
        return _Suspects(marks, data, self._shape, final=final).judged()

    def _frame(
        self, lines: pl.Series, cells: pl.DataFrame | None, judged: _Judged, data: bytes
    ) -> pl.DataFrame:
        count = len(judged.sound)
        at = judged.sound.arg_true()
        if cells is not None:
            whole = cells if len(at) == cells.height else cells.head(count).filter(judged.sound)
            parts = [self._numbered(at, whole.select(self._shape.columns))]
        else:
            text = data if len(at) == len(lines) and not self._shape.surplus else None
            parts = [self._part(at, lines.head(count).filter(judged.sound), text)]
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
        """Sound records, cut into cells. `text` is all of them, if known."""
        if records.str.contains('"', literal=True).any():
            return self._numbered(at, _cells_quoted(records, self._shape, text))
        return self._numbered(at, _split(records, self._shape).select(self._shape.columns))

    def _numbered(self, at: pl.Series, frame: pl.DataFrame) -> pl.DataFrame:
        """Cells with the numbers of their rows; an empty cell is null."""
        cell = pl.col(self._shape.columns)
        number = (at.cast(pl.UInt32) + self._line).alias(ROW)
        no_defect = pl.lit(None, pl.String).alias(DEFECT)
        return frame.select(number, no_defect, pl.when(cell != "").then(cell))


class _Suspects:
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
        self._pair_is_sound = _marks(pairs, shape)["sound"].to_list()

    def judged(self) -> _Judged:
        """Walk over the suspects. A record that may go on in the next chunk waits for it."""
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
                if record is None and not self._final and self._may_go_on(at):
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

    def _sized(self, first: int, last: int, text: str, cells: list[str]) -> _Odd | None:
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
        return _Odd(first, last, None, self._fit(cells[:width]))

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


def _has_address(cells: Sequence[str], at: int) -> bool:
    return at < len(cells) and "@" in cells[at]


def _marks(records: pl.Series, shape: Shape) -> pl.DataFrame:
    """Per text: is it a sound record, has it an odd number of marks, is it as wide as a row?"""
    last, text = len(shape.columns) - 1, pl.col("line")

    def fits(delimiters: pl.Expr) -> pl.Expr:
        may_be_short = shape.short_is_sound and shape.like_a_row is None
        return delimiters <= last if may_be_short else delimiters == last

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
    wide = text.str.count_matches(shape.delimiter, literal=True) == last
    return records.to_frame("line").select(
        sound=sound.fill_null(value=False),
        odd=odd.fill_null(value=False),
        wide=wide.fill_null(value=False),
    )


def _marks_of_cells(cells: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The marks of lines without a quotation mark, by the cells that they were cut into."""
    no_more = pl.col(_MORE).is_null()
    wide = no_more & pl.col(shape.columns[-1]).is_not_null()
    if not shape.short_is_sound:
        return cells.select(sound=wide, odd=pl.lit(value=False), wide=wide)
    sound = no_more & pl.col(shape.columns[0]).is_not_null()
    if shape.like_a_row is not None:  # the last line of a chunk is looked at more closely
        row = pl.col(shape.columns[shape.like_a_row]).str.contains("@", literal=True)
        several = len(shape.addresses) > 1
        short = pl.lit(value=False) if several else row & (row | wide).shift(-1)
        sound = no_more & (wide | short.fill_null(value=False))
    return cells.select(sound=sound, odd=pl.lit(value=False), wide=wide)


def _split(records: pl.Series, shape: Shape) -> pl.DataFrame:
    """Records without a quotation mark, cut into cells; `_MORE` is what is left over."""
    names = (*shape.columns, _MORE)
    frame = records.str.splitn(shape.delimiter, len(names)).struct.unnest()
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


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
