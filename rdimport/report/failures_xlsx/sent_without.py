"""The sheet of rows sent without an invalid cell: `invalid: {field: drop}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdimport.core.messages.reasons import explain
from rdimport.core.row import DROPPED, REPORTED, REPORTED_IN, Problem
from rdimport.report.failures_xlsx.formats import CellFormats, for_print
from rdimport.report.rows import columns

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook

    from rdimport.ledger import Input, Run
    from rdimport.report.words import Words

_ADDED: Final = ("rdimport_row", "rdimport_file", "rdimport_field", "rdimport_value", "reason")
"""Not all columns that identify a failure report: these rows must not be sent again."""

_MOST: Final = 1_048_575
_LONGEST: Final = 32_767
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
    for end in run.sent_without():
        table = inputs[end.file]
        cells = dict(zip(table.columns, end.cells, strict=False))
        for problem in end.warnings:
            if problem.code != DROPPED or at >= _MOST:
                continue
            if sheet is None:
                sheet = book.add_worksheet(words("without_sheet"))
                for i, name in enumerate((*own, *_headings(words))):
                    style = formats.header if i < len(own) else formats.added_header
                    sheet.write_string(0, i, name[:_LONGEST], style)
                sheet.freeze_panes(1, 0)
            at += 1
            reason = explain(Problem(problem.detail, *problem[1:4]), words.lang)
            added = (str(end.row), table.name, problem.field, problem.value, reason)
            for i, cell in enumerate((*(cells.get(name) or "" for name in own), *added)):
                sheet.write_string(
                    at, i, cell[:_LONGEST], formats.text if i < len(own) else formats.added
                )
    if sheet is not None:
        sheet.autofilter(0, 0, at, len(own) + len(_ADDED) - 1)
        sheet.set_column(0, len(own) + len(_ADDED) - 1, _WIDTH)
        for_print(sheet, [_WIDTH] * (len(own) + len(_ADDED)), at)
        sheet.repeat_rows(0)
