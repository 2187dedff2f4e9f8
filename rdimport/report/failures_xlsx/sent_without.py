"""The sheet of rows sent without an invalid cell: `invalid: {field: drop}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdimport.core.messages.reasons import explain
from rdimport.core.row import DROPPED, REPORTED, REPORTED_IN, Problem
from rdimport.report.failures_xlsx.formats import CellFormats, for_print
from rdimport.report.failures_xlsx.text_rows import TextRows, cut
from rdimport.report.rows import columns

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook

    from rdimport.ledger import Input, Run
    from rdimport.report.words import Words

_ADDED: Final = ("rdimport_row", "rdimport_file", "rdimport_field", "rdimport_value", "reason")
"""Not all columns that identify a failure report: these rows must not be sent again."""

_MOST: Final = 1_048_575
_WIDTH: Final = 22


def _headings(words: Words) -> tuple[str, ...]:
    """The added columns in the reader's language."""
    headings = dict(zip(REPORTED, REPORTED_IN.get(words.lang, REPORTED), strict=True))
    reason = headings["rdimport_reason"].removeprefix("rdimport_")
    return (*(headings[name] for name in _ADDED[:-1]), reason)


def sent_without(
    book: Workbook, run: Run, inputs: dict[int, Input], words: Words, formats: CellFormats
) -> None:
    """Add the sheet if there is such a row."""
    sheet, own = None, columns(inputs)
    at = 0
    styles = [formats.text] * len(own) + [formats.added] * len(_ADDED)
    for end in run.sent_without():
        table = inputs[end.file]
        cells = dict(zip(table.columns, end.cells, strict=False))
        for problem in end.warnings:
            if problem.code != DROPPED or at >= _MOST:
                continue
            if sheet is None:
                sheet = book.add_worksheet(words("without_sheet"))
                texts = TextRows(sheet, len(styles))
                headers = [formats.header] * len(own) + [formats.added_header] * len(_ADDED)
                texts.write(0, list(map(cut, (*own, *_headings(words)))), headers)
                sheet.freeze_panes(1, 0)
            at += 1
            reason = explain(Problem(problem.detail, *problem[1:4]), words.lang)
            added = (str(end.row), table.name, problem.field, problem.value, reason)
            texts.write(at, [cut(cell or "") for cell in (*map(cells.get, own), *added)], styles)
    if sheet is not None:
        sheet.autofilter(0, 0, at, len(styles) - 1)
        sheet.set_column(0, len(styles) - 1, _WIDTH)
        for_print(sheet, [_WIDTH] * len(styles), at)
        sheet.repeat_rows(0)
