"""The cell formats of failures.xlsx, created once per workbook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rdimport.core.row import State

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

COLOURS: Final = {
    State.INVALID: ("#FFC7CE", "#9C0006"),
    State.REFUSED: ("#FFD8A8", "#7A3E00"),
    State.UNCERTAIN: ("#E4DFEC", "#4B3A70"),
}
"""Fill and font colour of an offending cell, by the state of its row."""

SUSPECT: Final = ("#FFEB9C", "#7F6000")
"""The same for a cell that looks wrong but is not the reason for the failure."""

_INDENTED: Final = {"align": "left", "valign": "top", "indent": 1}
"""Texts next to a column of numbers."""


class CellFormats:
    """The formats of one workbook. All cells are text (`@`): Excel converts nothing typed."""

    def __init__(self, book: Workbook) -> None:
        cell = {"num_format": "@", "valign": "top", "text_wrap": True}
        self.text = book.add_format(cell)
        self.reason = book.add_format(cell)
        self.added = book.add_format({"num_format": "@", "valign": "top", "font_color": "#6B6B6B"})
        bold = {"bold": True, "num_format": "@", "font_color": "#FFFFFF", "bottom": 1}
        self.header = book.add_format({**bold, "bg_color": "#1F4E79"})
        self.added_header = book.add_format({**bold, "bg_color": "#6B6B6B"})
        self.wrong = {
            state: book.add_format({**cell, "bg_color": fill, "font_color": letters})
            for state, (fill, letters) in COLOURS.items()
        }
        self.suspect = book.add_format({**cell, "bg_color": SUSPECT[0], "font_color": SUSPECT[1]})
        self.state = {
            state: book.add_format({**_INDENTED, "bg_color": fill, "font_color": letters})
            for state, (fill, letters) in COLOURS.items()
        }
        self.legend = book.add_format(
            {**_INDENTED, "bg_color": SUSPECT[0], "font_color": SUSPECT[1]}
        )
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.section = book.add_format({"bold": True, "font_size": 11, "bottom": 1, "indent": 1})
        self.bold = book.add_format({"bold": True})
        self.number = book.add_format({"num_format": "#,##0", "valign": "top"})
        self.total = book.add_format({"num_format": "#,##0", "bold": True, "top": 1})
        self.bold_top = book.add_format({"bold": True, "top": 1, "indent": 1})
        self.wrapped = book.add_format({**_INDENTED, "text_wrap": True})
        self.sentence = book.add_format({"text_wrap": True, "valign": "top"})
        self.plain = book.add_format(_INDENTED)
        self.command = book.add_format(
            {"font_name": "Consolas", "bg_color": "#F2F2F2", "text_wrap": True, "valign": "top"}
        )
        self.link = book.add_format({"font_color": "#0563C1", "underline": 1, "valign": "top"})

    def comment(self, problems: int) -> dict[str, Any]:
        """The size of a comment with that many problems."""
        return {"author": "rdimport", "width": 280, "height": min(70 + 60 * problems, 400)}


_PAGE: Final = 160
"""Characters of a line that are legible on A4 in landscape."""


def for_print(sheet: Worksheet, widths: Sequence[int], last: int) -> None:
    """Set up printing of columns of those widths, down to the row `last`."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.set_footer("&C&P / &N")
    sheet.print_area(0, 0, last, len(widths) - 1)
    sheet.fit_to_pages(max(1, round(sum(widths) / _PAGE)), 0)
