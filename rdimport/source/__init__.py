"""The source port: opens spreadsheets as tables of text rows that know their origin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rdimport.core.arguments import KINDS, instance_of, see
from rdimport.core.forked import refuse_fork_without_threads
from rdimport.source.port import BATCH_ROWS, Facts, Hints, Table

Files = str | Path | Iterable[str | Path]

__all__ = ["BATCH_ROWS", "Facts", "Files", "Hints", "Table", "names_of", "open_tables"]


def names_of(files: Files) -> list[str]:
    """The names of one or several files."""
    return [str(files)] if isinstance(files, str | Path) else [str(file) for file in files]


def open_tables(files: Files, hints: Hints | None = None) -> tuple[Table, ...]:
    """Detect the format of each file and open it. Raises SourceError if one cannot be read.

    A name may be a path, a pattern (`*.csv`), an archive with several files, or `-` for standard
    input, so there may be more tables than names.
    """
    from rdimport.source.detect import open_all  # noqa: PLC0415  only reading needs it

    kinds = {**KINDS, "Hints": instance_of(Hints)}
    see(open_tables.__annotations__, {"files": files, "hints": hints}, kinds)
    refuse_fork_without_threads()
    return open_all(names_of(files), hints or Hints())
