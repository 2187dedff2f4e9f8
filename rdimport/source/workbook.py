"""xlsx, xlsm, xlsb and xls: cells as the text that a person meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fastexcel
import polars as pl

from rdimport.errors import SourceError
from rdimport.row import ROW
from rdimport.source.xls_marks import xls_notes
from rdimport.source.xlsx_marks import xlsx_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.source.files import InputFile


class CalamineBook:
    """A workbook that the calamine library reads. Raises SourceError when it cannot."""

    def __init__(self, file: InputFile, kind: str) -> None:
        self._file = file
        self.kind = kind
        try:
            source = file.whole() if file.packed else file.path
            self._reader = fastexcel.read_excel(source)
        except fastexcel.FastExcelError as error:
            raise self._damaged() from error

    @property
    def sheets(self) -> Sequence[str]:
        """The names of the sheets, in order."""
        return list(self._reader.sheet_names)

    @property
    def hidden(self) -> Sequence[str]:
        """Unknown before a sheet is loaded, so found out by loading nothing of it."""
        return [name for name in self.sheets if not self._is_visible(name)]

    def _is_visible(self, sheet: str) -> bool:
        try:
            loaded = self._reader.load_sheet(sheet, header_row=None, n_rows=0)
        except fastexcel.FastExcelError:
            return True
        return loaded.visible == "visible"

    def cells(self, sheet: str) -> pl.DataFrame:
        """Every cell from row 1 on as text."""
        try:
            # skip_rows=0 is not the default: that one skips blank rows at the top, and with them
            # the row numbers.
            loaded = self._reader.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
            frame = loaded.to_polars()
        except fastexcel.FastExcelError as error:
            raise self._damaged() from error
        frame.columns = [f"c{i}" for i in range(frame.width)]
        return frame.with_row_index(ROW, offset=1).select(
            pl.col(ROW).cast(pl.UInt32), as_meant(pl.col(pl.String))
        )

    def notes(self, sheet: str) -> Sequence[str]:
        """Hidden rows, error cells, formulas without a value (not of xlsb)."""
        if self.kind == "xls":
            return xls_notes(self._file.whole(), sheet)
        return xlsx_notes(self._file, sheet) if self.kind in ("xlsx", "xlsm") else ()

    def _damaged(self) -> SourceError:
        return SourceError(
            f"{self._file.name} is a damaged workbook ({self.kind}).",
            "Open it in a spreadsheet program, which can often repair it, and save it again.",
        )


def as_meant(cell: pl.Expr) -> pl.Expr:
    """A time without the day, and a date without the midnight, that the format adds."""
    time = cell.str.replace(r"^1899-12-3[01] (\d\d:\d\d:\d\d)(?:\.\d+)?$", "$1")
    date = time.str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00$", "$1")
    return pl.when(date != "").then(date)
