"""The lines of a chunk, all at once in polars: how they are marked, and how they are cut."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.source.text.records import split_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def marks_of(records: pl.Series, shape: Shape) -> pl.DataFrame:
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


def marks_of_cells(cells: pl.DataFrame, shape: Shape) -> pl.DataFrame:
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


def split(records: pl.Series, shape: Shape) -> pl.DataFrame:
    """Records without a quotation mark, cut into cells; `_MORE` is what is left over."""
    names = (*shape.columns, _MORE)
    frame = records.str.splitn(shape.delimiter, len(names)).struct.unnest()
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def cells_quoted(records: pl.Series, shape: Shape, text: bytes | None) -> pl.DataFrame:
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


def without_surplus(lines: pl.Series, shape: Shape) -> pl.Series:
    """The lines without the empty cells that stand at the end of every row beyond the columns."""
    if not shape.surplus:
        return lines
    line, tail = pl.col("line"), shape.delimiter * shape.surplus
    count = line.str.replace_all('"[^"]*"', "").str.count_matches(shape.delimiter, literal=True)
    has_it = (count == len(shape.columns) - 1 + shape.surplus) & line.str.ends_with(tail)
    cut = line.str.head(-shape.surplus)
    return lines.to_frame("line").select(pl.when(has_it).then(cut).otherwise(line))["line"]


def lines_of(data: bytes) -> pl.Series:
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
