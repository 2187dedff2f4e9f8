"""What every workbook format provides: its sheets, read one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rdimport.source.row_filter import ErrorCells

if TYPE_CHECKING:
    import polars as pl

    from rdimport.source.sheets.merged_cells import Merged


class Sheet(NamedTuple):
    """A sheet that was read.

    `cells` are all of its cells as text: `row.ROW` (from 1, as shown by the program), then c0, c1,
    ... Rows without a filled cell may be omitted. `notes` are sentences about anything unusual,
    `errors` are the cells that are empty because they contain an error value.
    """

    cells: pl.DataFrame
    notes: Sequence[str] = ()
    errors: ErrorCells = ErrorCells()
    merged: Sequence[Merged] = ()
    is_hidden: bool = False


class Book(Protocol):
    """The interface of each format."""

    @property
    def kind(self) -> str:
        """The format: `xlsx`, `ods`, ..."""

    @property
    def sheets(self) -> Sequence[str]:
        """The names of the sheets, in order."""

    def read(self, sheet: str) -> Sheet:
        """Read the sheet of that name. Raises SourceError."""
