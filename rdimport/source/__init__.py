"""The source port: opens spreadsheets as tables of text rows that know their origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdimport.source.port import BATCH_ROWS, Facts, Hints, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BATCH_ROWS", "Facts", "Hints", "Table", "open_tables"]


def open_tables(files: Sequence[str], hints: Hints | None = None) -> tuple[Table, ...]:
    """Detect the format of each file and open it. Raises SourceError if one cannot be read.

    A name may be a path, a pattern (`*.csv`), an archive with several files, or `-` for standard
    input, so there may be more tables than names.
    """
    from rdimport.source.detect import open_all  # noqa: PLC0415  only reading needs it

    return open_all(files, hints or Hints())
