"""Rows of texts in a worksheet, written whole.

XlsxWriter takes ten times as long, because it handles each cell by itself, and keeps the height of
every row in memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

LONGEST: Final = 32_767
"""Maximum length of a cell in UTF-16 units (Excel's limit)."""

_MOST_COLUMNS: Final = 16_384
"""Excel's limit: the columns that a report adds may be beyond it."""

_MAYBE_SPECIAL: Final = re.compile("[&<>_\x00-\x08\x0b-\x1f\ufffe\uffff]")
_ESCAPED: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What XML cannot contain, and what Excel would read as such a character: `_x000D_`."""


class TextRows:
    """Writes rows to a sheet, from top to bottom. All of its rows must be written here."""

    def __init__(self, sheet: Worksheet, columns: int) -> None:
        from xlsxwriter.utility import xl_col_to_name  # noqa: PLC0415  as the rest of it

        self._sheet = sheet
        self._number = cache(_number)  # the library compares formats each time
        self._names = list(map(xl_col_to_name, range(min(columns, _MOST_COLUMNS))))
        sheet.dim_rowmin = sheet.dim_colmin = 0
        sheet.dim_colmax = len(self._names) - 1

    def write(
        self, row: int, cells: Sequence[str], styles: Sequence[Format], height: float = 0
    ) -> None:
        """Write a row; without a height, the program that opens it chooses one."""
        if not self._sheet.constant_memory:
            for i, (cell, style) in enumerate(zip(cells, styles, strict=True)):
                write_text(self._sheet, row, i, cell, style)
            return
        at = row + 1
        tall = f' ht="{height:g}" customHeight="1"' if height else ""
        texts = [
            f'<c r="{name}{at}" s="{self._number(style)}"{_content(cell)}'
            for name, style, cell in zip(self._names, styles, cells, strict=False)
        ]
        self._sheet.dim_rowmax = row
        self._sheet.fh.write(f'<row r="{at}"{tall}>{"".join(texts)}</row>')


def write_text(sheet: Worksheet, row: int, column: int, text: str, style: Format | None) -> None:
    """Write one cell. XlsxWriter takes `<r>...</r>` for markup, but escapes the parts of a text."""
    if text.startswith("<r>"):
        parts = (*text[:2], cut(text)[2:], *([style] if style else []))
        sheet.write_rich_string(row, column, *parts)
    else:
        sheet.write_string(row, column, text, style)


def cut(text: str) -> str:
    """As much of a text as fits into a cell."""
    if len(text) <= LONGEST // 2:
        return text
    return text.encode("utf-16-le")[: 2 * LONGEST].decode("utf-16-le", "ignore")


def _number(style: Format) -> int:
    """The number of a format in the workbook, which is assigned on first use."""
    number: int = style._get_xf_index()  # noqa: SLF001  nothing public assigns it
    return number


def _content(text: str) -> str:
    """The rest of the element of a cell."""
    if not text:
        return "/>"
    space = "" if text == text.strip() else ' xml:space="preserve"'
    if _MAYBE_SPECIAL.search(text):
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return f' t="inlineStr"><is><t{space}>{text}</t></is></c>'
