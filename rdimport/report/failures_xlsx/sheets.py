"""failures.xlsx: the failure report, to be corrected in place and imported again.

All cells are text: no formula in the data is ever run, and no phone or document number loses a
zero. Rows are written one by one in constant memory.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import starmap, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.core.messages.reasons import explain, remedy
from rdimport.core.names import fold
from rdimport.core.row import FAILED, REPORTED, REPORTED_IN, Problem
from rdimport.ledger import Input, Run
from rdimport.report.data import ReportData
from rdimport.report.failures_xlsx.formats import CellFormats, for_print
from rdimport.report.failures_xlsx.sent_without import sent_without
from rdimport.report.failures_xlsx.summary_sheet import COMMENTED, summary_sheet
from rdimport.report.failures_xlsx.text_rows import LONGEST, TextRows, cut
from rdimport.report.leftovers import scratch_of
from rdimport.report.private_files import private
from rdimport.report.rows import Advance, Begin, Line, columns, lines, quietly
from rdimport.report.words import Words

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

FILE_NAME: Final = "failures.xlsx"

SHEET_ROWS: Final = 1_048_575
"""Maximum rows below the header of one sheet (Excel's limit)."""

_WIDEST: Final = 36
_REASON: Final = 54
"""Maximum column widths in characters: of the reason, and of others. Longer text wraps."""

_LINE: Final = 15.0
"""Height of a line in points."""

_MOST_LINES: Final = 12

_MEASURED: Final = 1_000
"""Number of rows from which column widths are computed."""


def write(
    run: Run,
    path: Path,
    data: ReportData,
    lang: str = "en",
    *,
    sheet_rows: int = SHEET_ROWS,
    begin: Begin = quietly,
    advance: Advance = quietly,
) -> int:
    """Write the failures of a run.

    Returns the number of rows. Raises ReportError if the file cannot be written.
    """
    import xlsxwriter  # noqa: PLC0415  only reports need it
    from xlsxwriter.exceptions import XlsxWriterException  # noqa: PLC0415

    with private(path) as half, scratch_of(half) as scratch:
        options = {"constant_memory": True, "use_zip64": True, "tmpdir": str(scratch)}
        if _is_bare(run, data):  # true on most nights, which then do not wait for files
            options = {"in_memory": True}
        book = xlsxwriter.Workbook(half, options)
        try:
            rows = _fill(book, run, data, Words(lang), most=sheet_rows, advance=advance)
            begin("packing", 0)
            book.close()
        except XlsxWriterException as error:
            cause = next(iter(error.args), None)
            raise cause if isinstance(cause, OSError) else OSError(str(error)) from error
        finally:
            _close_rows(book)
    return rows


def _close_rows(book: Workbook) -> None:
    """Close what an error left open: Windows deletes no open file, and these have people's data."""
    for sheet in book.worksheets():
        if sheet.row_data_fh is not None:
            with suppress(OSError):  # the disk is full
                sheet.row_data_fh.close()


def _is_bare(run: Run, data: ReportData) -> bool:
    """Whether there is no row to show."""
    failed = any(data.summary.counts[state] for state in FAILED)
    return not failed and next(iter(run.sent_without()), None) is None


def _fill(
    book: Workbook, run: Run, data: ReportData, words: Words, *, most: int, advance: Advance
) -> int:
    inputs = run.inputs()
    formats = CellFormats(book)
    first = book.add_worksheet(words("summary_sheet"))
    sheets = Sheets(book, inputs, data.mapping.choices, words=words, formats=formats, most=most)
    for line in lines(run, inputs, words.lang, data.reread):
        sheets.add(line)
        advance(1)
    sheets.finish()
    sent_without(book, run, inputs, words, formats)
    summary_sheet(first, data, sheets.places, sheets.names, words=words, formats=formats)
    book.set_properties({"title": words("run", run=run.name), "author": "rdimport"})
    return sheets.rows


class Sheets:
    """The row sheets; a new one begins at Excel's limit.

    `places` has the cells of the first rows with a problem of each code.
    """

    PLACES: Final = 3

    def __init__(
        self,
        book: Workbook,
        inputs: dict[int, Input],
        choices: Mapping[str, tuple[str, ...]],
        *,
        words: Words,
        formats: CellFormats,
        most: int,
    ) -> None:
        self._book = book
        self._words = words
        self._formats = formats
        self._most = most
        own = columns(inputs)
        names = [*own, *REPORTED]
        names.insert(min(1, len(own)), names.pop())  # the reason follows the first column
        self._at = {name: i for i, name in enumerate(names)}
        self._from = [[*own, *REPORTED].index(name) for name in names]
        self._reason = self._at[REPORTED[-1]]
        self._state = self._at["rdimport_state"]
        headings = REPORTED_IN.get(words.lang, REPORTED)
        self._headings = {self._at[n]: text for n, text in zip(REPORTED, headings, strict=True)}
        self._wrapping = len(own) + 1  # columns whose cells wrap: of the input, and the reason
        self._added = frozenset(self._at[name] for name in REPORTED)
        self._base = sheet_name(inputs, words)
        self._lists = {self._at[name]: choices[fold(name)] for name in own if fold(name) in choices}
        self._widths = [min(max(len(name) + 3, 8), _WIDEST) for name in names]
        self._widths[self._reason] = _REASON
        self._styles = [self._style(i) for i in range(len(names))]
        self._sheet: Worksheet | None = None
        self._texts: TextRows
        self._row = 0
        self.rows = 0
        self.names: list[str] = []
        self.places: dict[str, list[tuple[str, int, int]]] = {}

    def add(self, line: Line) -> None:
        """Append one row."""
        if self._sheet is None or self._row >= self._most:
            self._begin()
        self._row += 1
        self.rows += 1
        wrong = self._placed(line.end.problems)
        suspect = self._placed(line.end.warnings)
        styles = self._styles.copy()
        for i in suspect:
            styles[i] = self._formats.suspect
        for i, problems in wrong.items():
            styles[i] = self._formats.wrong[line.end.state]
            for problem in problems:
                self._note_place(problem.code, i)
        cells = [line.cells[at] for at in self._from]
        cells[self._state] = self._words.one(line.end.state)
        height = self._height(cells)
        fitting = self._fitting(cells, height)
        if self.rows <= COMMENTED:
            for i in wrong | suspect:
                self._explain(i, [*wrong.get(i, ()), *suspect.get(i, ())], height)
        self._texts.write(self._row, fitting, styles, height)

    def _height(self, cells: Sequence[str]) -> float:
        """The height of a row with text that wraps, otherwise 0; the first rows also determine the
        widths of the columns.
        """
        if self.rows <= _MEASURED:
            sizes = (len(cell) + 3 for cell in cells)
            self._widths = [
                min(max(pair), _WIDEST) for pair in zip(self._widths, sizes, strict=True)
            ]
            self._widths[self._reason] = _REASON
        pairs = zip(cells[: self._wrapping], self._widths, strict=False)
        wrapped = [pair for pair in pairs if len(pair[0]) > pair[1] - 2 or "\n" in pair[0]]
        tallest = max(starmap(_lines, wrapped), default=1)
        return _LINE * min(tallest, _MOST_LINES) if tallest > 1 else 0

    def _fitting(self, cells: list[str], height: float) -> list[str]:
        """The cells, cut with a comment where they are longer than Excel allows."""
        if max(map(len, cells)) <= LONGEST // 2:
            return cells
        fitting = list(map(cut, cells))
        for i, (whole, fits) in enumerate(zip(cells, fitting, strict=True)):
            if len(fits) < len(whole):
                self._comment(i, self._words("cut"), 1, height)
        return fitting

    def finish(self) -> None:
        """Finish the last sheet, and write the values of the drop-down lists."""
        if self._sheet is None:
            self._begin()
        self._end()
        if not self._lists or not self.rows:
            return
        lists = self._book.add_worksheet(self._words("lists_sheet"))
        lists.hide()
        texts = TextRows(lists, len(self._lists))
        styles = [self._formats.text] * len(self._lists)
        for row, values in enumerate(zip_longest(*self._lists.values(), fillvalue="")):
            texts.write(row, values, styles)

    def _style(self, column: int) -> Format:
        """The format of a cell without a problem: input, reason, or another added column."""
        if column == self._reason:
            return self._formats.reason
        return self._formats.added if column in self._added else self._formats.text

    def _begin(self) -> None:
        if self._sheet is not None:
            self._end()
        number = len(self.names) + 1
        name = self._base if number == 1 else f"{self._base[:25]} ({number})"
        sheet = self._sheet = self._book.add_worksheet(name)
        self.names.append(name)
        self._row = 0
        self._texts = TextRows(sheet, len(self._at))
        headings = [cut(self._headings.get(i, name)) for name, i in self._at.items()]
        styles = [self._formats.header] * len(headings)
        for i in self._added:
            styles[i] = self._formats.added_header
        self._texts.write(0, headings, styles)

    def _end(self) -> None:
        """Finish a sheet when its last row is known: widths, filter, lists, printing."""
        sheet, last, right = self._sheet, self._row, len(self._at) - 1
        if sheet is None:
            return
        for i, width in enumerate(self._widths):
            sheet.set_column(i, i, width, self._styles[i])
        sheet.freeze_panes(1, self._reason + 1)
        sheet.autofilter(0, 0, max(last, 1), right)
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{last + 1}"})
        for_print(sheet, self._widths[: self._state + 1], last)
        sheet.repeat_rows(0)
        sheet.repeat_columns(0, self._reason)
        if last:  # most nights nothing fails, and a list takes as long as the rest of the file
            for at, (i, values) in enumerate(self._lists.items()):
                self._drop_down(sheet, i, at, len(values))

    def _drop_down(self, sheet: Worksheet, column: int, at: int, values: int) -> None:
        from xlsxwriter.utility import xl_range_abs  # noqa: PLC0415  as the rest of it

        source = f"='{self._words('lists_sheet')}'!{xl_range_abs(0, at, values - 1, at)}"
        sheet.data_validation(
            1,
            column,
            self._row,
            column,
            # cleaners accept more than the listed values, so the list does not restrict input
            {"validate": "list", "source": source, "show_error": False},
        )

    def _placed(self, problems: Sequence[Problem]) -> dict[int, list[Problem]]:
        """A row's problems by the cell that shows them; the state cell if they have no column."""
        found: dict[int, list[Problem]] = {}
        for problem in problems:
            i = self._at.get(problem.column, self._state)
            found.setdefault(i, []).append(problem)
        return found

    def _explain(self, i: int, problems: list[Problem], height: float) -> None:
        lang = self._words.lang
        texts = [f"{explain(p, lang)}\n→ {remedy(p.code, lang)}" for p in problems]
        self._comment(i, cut("\n\n".join(texts)), len(problems), height)

    def _comment(self, i: int, text: str, problems: int, height: float) -> None:
        if self._sheet is None:
            return
        if height:  # the place of a comment depends on it
            self._sheet.set_row(self._row, height)
        self._sheet.write_comment(self._row, i, text, self._formats.comment(problems))

    def _note_place(self, code: str, column: int) -> None:
        places = self.places.setdefault(code, [])
        if len(places) < self.PLACES:
            places.append((self.names[-1], self._row, column))


def _lines(cell: str, width: int) -> int:
    """Number of lines that a cell needs in a column of that width."""
    if len(cell) <= width - 2 and "\n" not in cell:
        return 1
    parts = cell[: _MOST_LINES * width].splitlines()
    return sum(len(textwrap.wrap(part, width - 2)) or 1 for part in parts) or 1


def sheet_name(inputs: dict[int, Input], words: Words) -> str:
    """The name of the input's sheet, so that a mapping that names it works for the report too."""
    named = next((table.sheet for table in inputs.values() if table.sheet), "")
    allowed = "".join(c for c in named if c not in "[]:*?/\\")[:31].strip("'").strip()
    is_reserved = fold(allowed).startswith("rdimport") or fold(allowed) == "history"
    return words("rows_sheet") if not allowed or is_reserved else allowed
