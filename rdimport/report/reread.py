"""Cells that the ledger lacks: those of rows in flight when a run was killed.

They are read from the input again, if it is still the same file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdimport.core.errors import SourceError
from rdimport.core.row import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdimport.ledger import Input, Run

Reread = dict[tuple[int, int], tuple[str | None, ...]]
"""Cells by file and row."""


def reread(run: Run, inputs: dict[int, Input]) -> tuple[Reread, int]:
    """The cells that could be read, and the number of rows without cells. There are at most as many
    as requests were open at once.
    """
    found: Reread = {}
    wanted = run.without_cells()
    for file, rows in wanted.items():
        cells = _cells(inputs[file], rows)
        found |= {(file, row): cells[row] for row in cells}
    return found, sum(len(rows) for rows in wanted.values()) - len(found)


def _cells(table: Input, rows: Sequence[int]) -> dict[int, tuple[str | None, ...]]:
    import polars as pl  # noqa: PLC0415  without such rows no file is read

    from rdimport.source import Hints, open_tables  # noqa: PLC0415
    from rdimport.source.fingerprint import fingerprint  # noqa: PLC0415

    if not table.fingerprint or fingerprint(table.name) != table.fingerprint:
        return {}
    hints = Hints(
        table.sheet or None,
        table.header_row,
        table.delimiter or None,
        table.encoding or None,
        repair=bool(table.repair),
    )
    found: dict[int, tuple[str | None, ...]] = {}
    try:
        (again,) = open_tables([table.name], hints)
        if again.columns != table.columns:
            return {}
        for batch in again.batches():
            some = batch.filter(pl.col(ROW).is_in(rows))
            lines = some.select(ROW, *table.columns).iter_rows()
            found |= {row: tuple(cells) for row, *cells in lines}
            if len(found) == len(rows):
                break
    except (SourceError, ValueError):  # it has changed, or is something else now
        return {}
    return found
