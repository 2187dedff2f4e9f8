"""A failure report that comes back corrected: what is said of the first file is not so of it.

The mapping may name the sheet, the header row, the delimiter and the encoding of the list that it
was written for. A report of that list has its header in its first row, and whatever encoding the
program gave it that it was corrected with. So a file with the columns that only a report has is
found out anew, and what was said of the source does not hold for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rdimport.core.names import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rdimport.source.port import Hints

SHEET: Final = "rdimport"
"""How the names of those sheets of a report begin that hold no rows."""

_MARKS: Final = ("rdimport_row", "rdimport_state")
"""Enough of what a report adds to know it by: the other columns may have been deleted."""
_FIRST_LINE: Final = 1 << 16


def is_header(cells: Iterable[str | None]) -> bool:
    """Whether a row names the columns by which a failure report is known."""
    return {fold(cell) for cell in cells if cell}.issuperset(_MARKS)


def text_hints(head: bytes, hints: Hints) -> Hints:
    """What holds of a text file that begins with these bytes, in whatever encoding."""
    start = head[:_FIRST_LINE].replace(b"\0", b"")
    is_report = all(name.encode() in start for name in _MARKS)
    return _unsaid(hints) if is_report else hints


def sheet_hints(
    sheets: Sequence[str], first_row: Callable[[str], Iterable[str | None]], hints: Hints
) -> tuple[Hints, ...]:
    """What holds of each table of a workbook: one for an ordinary one.

    A report has one for each sheet of rows: Excel's longest sheet may be too short for them. One
    without the sheets that hold no rows is a workbook like any other, with a header that is known.
    """
    if not any(fold(name).startswith(SHEET) for name in sheets):
        return (hints,)
    rows = [name for name in sheets if is_header(first_row(name))]
    return tuple(replace(_unsaid(hints), sheet=name) for name in rows) or (hints,)


def _unsaid(hints: Hints) -> Hints:
    return replace(hints, sheet=None, sheets=None, header_row=None, delimiter=None, encoding=None)
