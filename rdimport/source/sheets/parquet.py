"""Parquet files, as written by databases and analysts: one table with typed columns."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.messages import _
from rdimport.core.row import ROW
from rdimport.source.limits import MOST_COLUMNS, MOST_RATIO, UNPACKED_FREE, is_vast
from rdimport.source.refusals import harmful, vast
from rdimport.source.sheets.book import Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source.files import InputFile

_WHOLE: Final = 1 << 53
"""Integers up to here are exact as floating-point numbers."""

_BETWEEN: Final = ";"
"""Separator between the items of a list."""


class ParquetBook:
    """A Parquet file as a Book with one nameless sheet and its header in row 1."""

    kind = "parquet"
    sheets: Sequence[str] = ("",)

    def __init__(self, file: InputFile) -> None:
        self._file = file
        data = file.whole()
        self._size = len(data)
        frame = pl.scan_parquet(io.BytesIO(data), glob=False, hive_partitioning=False)
        columns = len(frame.collect_schema())
        rows: int = frame.select(pl.len()).collect().item()
        if columns > MOST_COLUMNS:
            raise vast(file.name)
        self._frame, self._rows, self._columns = frame, rows, columns

    def read(self, sheet: str) -> Sheet:
        """Its one sheet."""
        read = self._frame.collect()
        filled = self._rows * self._columns - sum(read.null_count().row(0)) if read.width else 0
        if is_vast(self._rows, self._columns, filled):
            raise vast(self._file.name)
        texts = read.select(_text(read[name]).alias(f"c{i}") for i, name in enumerate(read.columns))
        self._see_that_it_is_in_proportion(texts)
        header = {f"c{i}": [name] for i, name in enumerate(read.columns)}
        whole = pl.concat([pl.DataFrame(header, schema=texts.schema), texts])
        number = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias(ROW)
        return Sheet(whole.select(number, pl.all()))

    def _see_that_it_is_in_proportion(self, texts: pl.DataFrame) -> None:
        """Raise if the text would be out of proportion: one stored value may be in every row."""
        size = texts.select(pl.sum_horizontal(pl.all().str.len_bytes().sum())).item()
        if size > max(UNPACKED_FREE, MOST_RATIO * self._size):
            raise harmful(
                self._file.name, _("it unpacks to many times its size, more than any list does")
            )


def _text(cells: pl.Series) -> pl.Series:
    """Values as a spreadsheet would show them; empty ones are null."""
    kind = cells.dtype
    if isinstance(kind, pl.List) and not isinstance(kind.inner, pl.List | pl.Array | pl.Struct):
        texts = cells.cast(pl.List(pl.String)).list.join(_BETWEEN)
    elif isinstance(kind, pl.Struct):
        texts = cells.struct.json_encode().replace("null", None)
    elif isinstance(kind, pl.Datetime):
        texts = _moments(cells, zoned=kind.time_zone is not None)
    elif kind.is_float():
        texts = _numbers(cells)
    elif kind.is_nested() or kind in (pl.Binary, pl.Duration):
        texts = pl.Series([_shown(value) for value in cells], dtype=pl.String)
    else:
        texts = cells.cast(pl.String)
    return texts.to_frame("it").select(pl.when(pl.col("it") != "").then("it")).to_series()


def _numbers(cells: pl.Series) -> pl.Series:
    """Whole numbers without decimals: pandas stores integers next to empty cells as floats."""
    number = pl.col("it")
    is_whole = number.eq(number.floor()) & number.abs().le(_WHOLE)
    whole = pl.when(is_whole).then(number).cast(pl.Int64).cast(pl.String)
    text = pl.coalesce(whole, pl.when(number.is_not_nan()).then(number.cast(pl.String)))
    return cells.to_frame("it").select(text).to_series()


def _moments(cells: pl.Series, *, zoned: bool) -> pl.Series:
    """A date if the time is midnight; with the offset from UTC if there is a time zone."""
    if zoned:
        return cells.dt.to_string("%Y-%m-%dT%H:%M:%S%:z")
    return cells.dt.to_string("%Y-%m-%d %H:%M:%S").str.strip_suffix(" 00:00:00")


def _shown(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, pl.Series):
        return str(value.to_list())
    return None if value is None else str(value)
