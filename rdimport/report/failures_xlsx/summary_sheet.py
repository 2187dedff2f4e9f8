"""The first sheet of failures.xlsx: what happened, what is wrong, and what to do."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from rdimport.core.messages.reasons import explain, remedy
from rdimport.core.row import FAILED, Problem, State
from rdimport.report.data import ReportData
from rdimport.report.failures_xlsx.formats import CellFormats, for_print
from rdimport.report.failures_xlsx.text_rows import write_text
from rdimport.report.next_steps import steps
from rdimport.report.stop_reason import why
from rdimport.report.summary import RunSummary
from rdimport.report.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

COMMENTED: Final = 5_000
"""Number of rows with comments. Comments are kept in memory, and slow down Excel."""

_WIDTHS: Final = (12, 36, 62, 62, 12, 8, 8)

_LINE: Final = 15.0
"""Height of one line in points."""


def summary_sheet(
    sheet: Worksheet,
    data: ReportData,
    places: dict[str, list[tuple[str, int, int]]],
    names: list[str],
    *,
    words: Words,
    formats: CellFormats,
) -> None:
    """Write the first sheet. `places` are cells of the first rows with each code."""
    summary = data.summary
    page = _Page(sheet, words, formats)
    for i, width in enumerate(_WIDTHS):
        sheet.set_column(i, i, width)
    page.line((words("run", run=summary.run_id), formats.title))
    page.line((", ".join(summary.files), formats.bold))
    stop = why(summary, words.lang)
    if stop:
        page.line((words("stopped", reason=stop.sentence), None))
        page.line((stop.remedy, None))
    page.blank()
    page.counts(summary, warned=data.warned)
    if data.unread:
        page.line((words.counted("unread", data.unread), None))
        page.blank()
    page.problems(data, places)
    page.way_back(summary, names)
    if sum(summary.counts[state] for state in FAILED) > COMMENTED:
        page.blank()
        page.line((words("more_comments", rows=words.number(COMMENTED)), None))
    page.finish()


class _Page:
    """Writes from top to bottom: in constant-memory mode, earlier rows cannot be changed."""

    def __init__(self, sheet: Worksheet, words: Words, formats: CellFormats) -> None:
        self._sheet = sheet
        self._words = words
        self._formats = formats
        self._row = 0

    def finish(self) -> None:
        """Set up printing, when all rows are written."""
        self._sheet.hide_gridlines(2)
        for_print(self._sheet, _WIDTHS, self._row - 1)

    def blank(self) -> None:
        """Leave a row empty."""
        self._row += 1

    def line(self, *cells: tuple[str | int, Any]) -> None:
        """Write texts and numbers from the left, each with its format."""
        for i, (value, style) in enumerate(cells):
            if isinstance(value, int):
                self._sheet.write_number(self._row, i, value, style)
            elif value:
                write_text(self._sheet, self._row, i, value, style)
        self._row += 1

    def header(self, *names: str) -> None:
        """Write the header of a table."""
        self.line(*((name, self._formats.section) for name in names))

    def counts(self, summary: RunSummary, *, warned: bool) -> None:
        """The number of rows in each state, with its meaning."""
        words, formats = self._words, self._formats
        self.header(words("rows"), words("state"), words("meaning"))
        for state in State:
            if summary.counts[state]:
                name = formats.state[state] if state in FAILED else formats.plain
                self.line(
                    (summary.counts[state], formats.number),
                    (words.state(state), name),
                    (words.means(state, sandbox=summary.sandbox), formats.plain),
                )
        total = words.total(read_to_end=summary.read_to_end)
        self.line((summary.rows, formats.total), (total, formats.bold_top))
        if warned:
            legend = (
                (words("colour.suspect"), formats.legend),
                (words("colour.means"), formats.plain),
            )
            self.line(("", None), *legend)
        if summary.left_out:
            self.line((words.counted("left_out", summary.left_out), None))
        self.blank()

    def problems(self, data: ReportData, places: dict[str, list[tuple[str, int, int]]]) -> None:
        """The problems, the most frequent first, with links to the first rows of each."""
        words, formats = self._words, self._formats
        if not data.examples:
            self.line((words("no_problems"), None))
            return
        titles = ("rows", "code", "problem", "remedy", "first_rows")
        self.header(*(words(title) for title in titles))
        for code, rows in data.summary.problems.items():
            problem = data.examples[code][0].problem
            self._links(places.get(code, ()))
            texts = (code, self._explanation(problem), remedy(code, words.lang))
            tallest = max(map(_lines, texts, _WIDTHS[1:]))
            self._sheet.set_row(self._row, _LINE * tallest + 1)
            self.line((rows, formats.number), *((text, formats.wrapped) for text in texts))
        self.blank()

    def _explanation(self, problem: Problem) -> str:
        sentence = explain(problem, self._words.lang)
        if not problem.column:
            return sentence
        where = self._words("column", column=problem.column)
        return self._words("example", where=where, sentence=sentence)

    def _links(self, places: Iterable[tuple[str, int, int]]) -> None:
        from xlsxwriter.utility import xl_rowcol_to_cell  # noqa: PLC0415  only for a workbook

        for i, (name, row, column) in enumerate(places, start=4):
            quoted = name.replace("'", "''")
            cell = xl_rowcol_to_cell(row, column)
            self._sheet.write_url(
                self._row, i, f"internal:'{quoted}'!{cell}", self._formats.link, cell
            )

    def _wide(self, text: str, style: Format) -> None:
        """A text across all columns, on as many lines as needed."""
        if not text:
            self._row += 1
            return
        lines = -(-len(text) // (sum(_WIDTHS) - 10))
        self._sheet.set_row(self._row, _LINE * lines + 1)
        last = len(_WIDTHS) - 1
        self._sheet.merge_range(self._row, 0, self._row, last, "", style)
        write_text(self._sheet, self._row, 0, text, style)
        self._row += 1

    def way_back(self, summary: RunSummary, names: list[str]) -> None:
        """How to correct the rows and send them."""
        words, formats = self._words, self._formats
        self.line((words("how"), formats.bold))  # an underline would cut through its letters
        for text in ("how.correct", "how.keep", "how.save", "how.uncertain"):
            if text != "how.uncertain" or summary.counts[State.UNCERTAIN]:
                self.line((words(text, sheet="”, “".join(names)), None))
        self.blank()
        for step in steps(summary, words):
            self._wide(step.sentence, formats.sentence)
            self._wide(step.command, formats.command)


def _lines(text: str, width: int) -> int:
    """Number of lines that a text needs in a column of that width.

    Widths are in digits. Most letters are narrower, which makes up for the indent.
    """
    return len(textwrap.wrap(text, width, break_on_hyphens=False)) or 1
