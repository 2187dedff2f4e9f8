"""Recognises a failure report that is used as input again after correction.

A mapping may specify the sheet, header row, delimiter and encoding of the list it was written for.
A report of that list has its header in the first row, and the encoding of whatever program was used
to correct it. So for a file with the columns of a report, those hints are ignored and detected
instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rdimport.core.names import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rdimport.source.port import Hints

SHEET: Final = "rdimport"
"""Prefixes of the report's sheets without rows."""

_MARKS: Final = (("rdimport_row", "rdimport_state"), ("rdimport_linha", "rdimport_estado"))
"""Columns by which a report is recognised, in each language; others may be missing."""
_FIRST_LINE: Final = 1 << 16


def is_header(cells: Iterable[str | None]) -> bool:
    """Whether a row has the columns that identify a failure report."""
    names = {fold(cell) for cell in cells if cell}
    return any(names.issuperset(marks) for marks in _MARKS)


def text_hints(head: bytes, hints: Hints) -> Hints:
    """The hints to use for a text file that begins with these bytes, in any encoding."""
    start = head[:_FIRST_LINE].replace(b"\0", b"")
    is_report = any(all(name.encode() in start for name in marks) for marks in _MARKS)
    return _unsaid(hints) if is_report else hints


def sheet_hints(
    sheets: Sequence[str], first_row: Callable[[str], Iterable[str | None]], hints: Hints
) -> tuple[Hints, ...]:
    """The hints to use for each table of a workbook: usually one.

    A report has several row sheets if one would exceed Excel's limit. If it has only row sheets, it
    is treated like any workbook, with a known header.
    """
    if not any(fold(name).startswith(SHEET) for name in sheets):
        return (hints,)
    rows = [name for name in sheets if is_header(first_row(name))]
    return tuple(replace(_unsaid(hints), sheet=name) for name in rows) or (hints,)


def _unsaid(hints: Hints) -> Hints:
    return replace(hints, sheet=None, sheets=None, header_row=None, delimiter=None, encoding=None)
