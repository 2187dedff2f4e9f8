"""xlsx, xlsm, xlsb and xls: cells as the text that was meant."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import fastexcel
import polars as pl

from rdimport.core.errors import is_unexpected
from rdimport.core.messages import _
from rdimport.core.row import ROW
from rdimport.source.limits import MOST_COLUMNS, is_vast
from rdimport.source.refusals import damaged_workbook, vast
from rdimport.source.sheets.book import Sheet
from rdimport.source.sheets.durations import with_durations
from rdimport.source.sheets.mail_links import Linked, link_notes, linked_texts
from rdimport.source.sheets.xls_flags import is_intact, xls_mail_links, xls_marks
from rdimport.source.sheets.xlsb import with_columns, xlsb_marks
from rdimport.source.sheets.xlsx_cells import is_on_sheet
from rdimport.source.sheets.xlsx_flags import Marks, sentences, xlsx_mail_links, xlsx_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdimport.source.files import InputFile

for _library in ("calamine", "fastexcel"):  # they warn on standard error, and may quote a cell
    logging.getLogger(_library).setLevel(logging.CRITICAL)

_TIME: Final = r" \d\d:\d\d:\d\d"
"""Part of every date as the library writes it."""


class CalamineBook:
    """A workbook read by the calamine library. Raises SourceError if it cannot be read."""

    def __init__(self, file: InputFile, kind: str) -> None:
        self._file = file
        self.kind = kind
        self._marks: dict[str, Marks] = {}
        if not self._is_intact():
            raise damaged_workbook(file.name, kind)
        with self._reading():
            # the library trusts the file name, which may be wrong
            by_content = file.packed or not str(file.path).lower().endswith(f".{kind}")
            written = with_columns(file) if kind == "xlsb" else None
            plain = file.whole() if by_content else file.path
            self._reader = fastexcel.read_excel(written or plain)

    def _is_intact(self) -> bool:
        """Check for damage that would make the library crash."""
        if self.kind == "xls":
            return is_intact(self._file.whole())
        if self.kind == "xlsb":
            with self._file.package() as package:
                return package.testzip() is None
        return True

    @property
    def sheets(self) -> Sequence[str]:
        """The names of the sheets, in order."""
        return list(self._reader.sheet_names)

    def read(self, sheet: str) -> Sheet:
        """A sheet, with every row from 1 on.

        It has notes about hidden rows, links to e-mail addresses, and formulas without a value: for
        xlsb without links and formulas, for xls without formulas.
        """
        self._refuse_vast(sheet)
        loaded, frame = self._loaded(sheet)
        # columns before the first filled one are left out
        columns = loaded.available_columns()
        begin = columns[0].absolute_index if columns else 0
        links = [link._replace(column=link.column - begin) for link in self._mail_links(sheet)]
        marks = self.marks(sheet)
        merged = [m._replace(column=m.column - begin) for m in marks.merged if m.column >= begin]
        notes = (*sentences(marks.counts), *link_notes(linked_texts(frame, links)))
        is_hidden = loaded.visible != "visible"
        return Sheet(self._as_meant(sheet, frame), notes, marks.errors, merged, is_hidden)

    def _as_meant(self, sheet: str, frame: pl.DataFrame) -> pl.DataFrame:
        timed = frame.select(pl.all().str.contains(_TIME).any()).row(0) if frame.width else ()
        columns = [
            as_meant(with_durations(frame.to_series(at), partial(self._durations, sheet, at)))
            for at, has_times in enumerate(timed)
            if has_times
        ]
        filled = pl.when(pl.all() != "").then(pl.all())
        return frame.with_columns(columns).select(filled).with_row_index(ROW, offset=1)

    def _mail_links(self, sheet: str) -> list[Linked]:
        if self.kind == "xls":
            return xls_mail_links(self._file.whole(), sheet)
        return [] if self.kind == "xlsb" else xlsx_mail_links(self._file, sheet)

    def _durations(self, sheet: str, column: int) -> pl.Series:
        """One column's cells as durations, null for anything else."""
        with self._reading():
            loaded = self._reader.load_sheet(
                sheet,
                header_row=None,
                skip_rows=0,
                use_columns=[column],
                dtypes={column: "duration"},
            )
            return loaded.to_polars().to_series()

    def _loaded(self, sheet: str) -> tuple[fastexcel.ExcelSheet, pl.DataFrame]:
        """A sheet as the library has it, and its cells."""
        with self._reading():
            # skip_rows=0 is not the default, which skips blank rows at the top and so shifts
            # the row numbers.
            loaded = self._reader.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
            if loaded.width > MOST_COLUMNS:
                raise vast(_("Sheet “{sheet}” of {name}", sheet=sheet, name=self._file.name))
            frame = loaded.to_polars()
        frame.columns = [f"c{i}" for i in range(frame.width)]
        return loaded, frame

    def marks(self, sheet: str) -> Marks:
        """Flags in a sheet, cached; of xls without the extent."""
        if sheet not in self._marks and self.kind == "xls":
            self._marks[sheet] = xls_marks(self._file.whole(), sheet)
        if sheet not in self._marks:
            marks = xlsb_marks if self.kind == "xlsb" else xlsx_marks
            self._marks[sheet] = marks(self._file, sheet)
        return self._marks[sheet]

    def _refuse_vast(self, sheet: str) -> None:
        """Raise for a distant cell: the library allocates the rectangle, and may abort."""
        if self.kind == "xls":  # at most 256 columns
            return
        extent = self.marks(sheet).extent
        if is_vast(*extent[:3]) or not is_on_sheet(extent):
            raise vast(_("Sheet “{sheet}” of {name}", sheet=sheet, name=self._file.name))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Convert errors of the library to SourceError, including panics."""
        try:
            yield
        except fastexcel.FastExcelError as error:
            raise damaged_workbook(self._file.name, self.kind) from error
        except BaseException as error:
            if is_unexpected(error) and not isinstance(error, Exception):  # a panic
                raise damaged_workbook(self._file.name, self.kind) from error
            raise


def as_meant(cells: pl.Series) -> pl.Series:
    """A time without the day, or a date without the midnight, that the format adds."""
    if cells.str.starts_with("1899-12-3").any():
        cells = cells.str.replace(r"^1899-12-3[01] (\d\d:\d\d:\d\d)(?:\.\d+)?$", "$1")
    if cells.str.ends_with(" 00:00:00").any():
        cells = cells.str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00$", "$1")
    if cells.str.starts_with("1904-01-01 ").any():  # day zero on old Macs
        cells = cells.str.replace(r"^1904-01-01 (\d\d:\d\d:\d\d)(?:\.\d+)?$", "$1")
    return cells
