"""Workbooks as tables: one sheet, its cells as the text that a person meant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import fastexcel
import polars as pl

from rdimport.errors import SourceError
from rdimport.names import did_you_mean, fold
from rdimport.row import DEFECT, FILE, ROW
from rdimport.source import BATCH_ROWS, Facts, Hints
from rdimport.source.frames import without_blank_rows
from rdimport.source.header import FirstRow, Header, find_header, header_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastexcel import ExcelReader

    from rdimport.source.files import InputFile

SAMPLE_ROWS: Final = 1_000


class WorkbookTable:
    """One sheet of a workbook as a Table. The sheet's cells stay in memory while this does."""

    def __init__(self, file: InputFile, index: int, hints: Hints, kind: str) -> None:
        self._file = file
        self._index = index
        self._kind = kind
        reader = _opened(file)
        self._sheet, cells, self._header = _find_table(reader, hints, file.name)
        self._cells = _named(cells, self._header)
        if self._cells.is_empty():
            raise header_only(f"Sheet {self._sheet!r} of {file.name}", self._header)

    @property
    def name(self) -> str:
        """The file as a person names it."""
        return self._file.name

    @property
    def facts(self) -> Facts:
        """Format, sheet and header row."""
        return Facts(self._kind, self._header.row, sheet=self._sheet)

    @property
    def columns(self) -> tuple[str, ...]:
        """The header's names."""
        return self._header.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed, in sentences."""
        return ()

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """All rows in order; see the port."""
        origin = (
            pl.lit(self._index, pl.UInt32).alias(FILE),
            pl.col(ROW),
            pl.lit(None, pl.String).alias(DEFECT),
        )
        yield from self._cells.select(*origin, *self.columns).iter_slices(rows)


def _opened(file: InputFile) -> ExcelReader:
    file.fingerprint()
    try:
        return fastexcel.read_excel(file.path)
    except fastexcel.FastExcelError as error:
        raise SourceError(
            f"{file.name} is a workbook that cannot be opened: it is damaged or protected by a "
            "password.",
            "Open it in a spreadsheet program and save it again, without a password.",
        ) from error


def _find_table(reader: ExcelReader, hints: Hints, name: str) -> tuple[str, pl.DataFrame, Header]:
    """The sheet that holds the table, its cells from the first row on, and the header."""
    sheet = _sheet_name(reader.sheet_names, hints.sheet, name) if hints.sheet else None
    candidates = [sheet] if sheet else reader.sheet_names
    best: tuple[tuple[int, int], str, pl.DataFrame, Header] | None = None
    wanted = {fold(column) for column in hints.columns}
    for candidate in candidates:
        cells = _cells(reader, candidate)
        if not cells.width or not cells.height:
            continue
        header = find_header(_first_rows(cells), hints, f"Sheet {candidate!r} of {name}")
        cells, header = _without_empty_columns(cells, header)
        known = sum(fold(column) in wanted for column in header.columns)
        score = (known, cells.height if known else 0)
        if best is None or score > best[0]:
            best = (score, candidate, cells, header)
    if best is None:
        raise SourceError(
            f"{name} has no sheet with anything in it.",
            "Check that it is the right file and that its export was finished.",
        )
    return best[1:]


def _sheet_name(names: list[str], wanted: str, file: str) -> str:
    for name in names:
        if fold(name) == fold(wanted):
            return name
    guess = did_you_mean(wanted, names)
    raise SourceError(
        f"{file} has no sheet {wanted!r}" + (f"; did you mean {guess!r}?" if guess else "."),
        f"Its sheets are: {', '.join(names)}.",
    )


def _cells(reader: ExcelReader, sheet: str) -> pl.DataFrame:
    """Every cell from row 1 on as text; columns c0, c1 …, and `row.ROW`."""
    loaded = reader.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
    frame = loaded.to_polars()
    frame.columns = [f"c{i}" for i in range(frame.width)]
    return frame.with_row_index(ROW, offset=1).with_columns(
        pl.col(ROW).cast(pl.UInt32), _as_meant(pl.col(pl.String))
    )


def _as_meant(cell: pl.Expr) -> pl.Expr:
    """Dates without the midnight that the file format adds; empty text is null."""
    date = cell.str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00$", "$1")
    time = date.str.replace(r"^1899-12-3[01] (\d\d:\d\d:\d\d)$", "$1")
    return pl.when(time != "").then(time)


def _first_rows(cells: pl.DataFrame) -> list[FirstRow]:
    rows = (FirstRow(row[0], row[0], row[1:]) for row in cells.head(SAMPLE_ROWS).iter_rows())
    return [row for row in rows if not row.is_blank]


def _without_empty_columns(cells: pl.DataFrame, header: Header) -> tuple[pl.DataFrame, Header]:
    """Columns without a name and without a value go; one with values but no name gets a name."""
    names = [*header.names, *[""] * (cells.width - 1 - len(header.names))]
    data = cells.filter(pl.col(ROW) >= header.first_data)
    kept = [
        i
        for i, name in enumerate(names)
        if name.strip() or data[f"c{i}"].null_count() < data.height
    ]
    frame = cells.select(ROW, *(pl.col(f"c{i}").alias(f"c{at}") for at, i in enumerate(kept)))
    return frame, replace(header, names=tuple(names[i] for i in kept))


def _named(cells: pl.DataFrame, header: Header) -> pl.DataFrame:
    """The data rows under the header's names."""
    names = {f"c{i}": name for i, name in enumerate(header.columns)}
    data = cells.filter(pl.col(ROW) >= header.first_data).select(ROW, *names).rename(names)
    return without_blank_rows(data, header.columns)
