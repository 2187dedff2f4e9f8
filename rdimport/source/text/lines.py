"""Classifies and splits all lines of a chunk at once in polars."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.source.text.records import split_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MORE: Final = "__rdimport_more__"
"""Column for what follows the last cell of a line."""


class Shape(NamedTuple):
    """The format of a file's rows."""

    columns: Sequence[str]
    delimiter: str
    short_is_sound: bool = False
    """Short rows are well-formed: the program drops trailing empty cells."""
    surplus: int = 0
    """Number of superfluous delimiters at the end of every row."""
    addresses: tuple[int, ...] = ()
    """The columns of e-mail addresses, the one with most of them first."""

    @property
    def like_a_row(self) -> int | None:
        """The address column that distinguishes a row without its last cells from a fragment."""
        return self.addresses[0] if self.addresses else None


def marks_of(records: pl.Series, shape: Shape) -> pl.DataFrame:
    """For each text: is it a well-formed record, is its number of quotation marks odd, does it have
    the width of a row?
    """
    last, text = len(shape.columns) - 1, pl.col("line")

    def fits(delimiters: pl.Expr) -> pl.Expr:
        may_be_short = shape.short_is_sound and shape.like_a_row is None
        return delimiters <= last if may_be_short else delimiters == last

    # Every quoted cell becomes \x02; one that touches anything but a delimiter is malformed.
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
    """The same for lines without quotation marks, from their cells."""
    no_more = pl.col(_MORE).is_null()
    wide = no_more & pl.col(shape.columns[-1]).is_not_null()
    if not shape.short_is_sound:
        return cells.select(sound=wide, odd=pl.lit(value=False), wide=wide)
    sound = no_more & pl.col(shape.columns[0]).is_not_null()
    if shape.like_a_row is not None:  # the last line of a chunk is examined separately
        row = pl.col(shape.columns[shape.like_a_row]).str.contains("@", literal=True)
        several = len(shape.addresses) > 1
        short = pl.lit(value=False) if several else row & (row | wide).shift(-1)
        sound = no_more & (wide | short.fill_null(value=False))
    return cells.select(sound=sound, odd=pl.lit(value=False), wide=wide)


def split(records: pl.Series, shape: Shape) -> pl.DataFrame:
    """Records without quotation marks, split into cells; `_MORE` has the excess."""
    names = (*shape.columns, _MORE)
    frame = records.str.splitn(shape.delimiter, len(names)).struct.unnest()
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def cells_quoted(records: pl.Series, shape: Shape, text: bytes | None) -> pl.DataFrame:
    """Records with quoted cells, split one by one if polars finds another number of them."""
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
    """The lines without the superfluous empty cells at the end."""
    if not shape.surplus:
        return lines
    line, tail = pl.col("line"), shape.delimiter * shape.surplus
    count = line.str.replace_all('"[^"]*"', "").str.count_matches(shape.delimiter, literal=True)
    has_it = (count == len(shape.columns) - 1 + shape.surplus) & line.str.ends_with(tail)
    cut = line.str.head(-shape.surplus)
    return lines.to_frame("line").select(pl.when(has_it).then(cut).otherwise(line))["line"]


def lines_of(data: bytes) -> pl.Series:
    """The lines of a UTF-8 text without line ends; blank lines are null."""
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
