"""The interface to spreadsheets: hints in, tables out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

BATCH_ROWS: Final = 65_536
"""Rows of a batch: large enough to keep polars busy, small enough to keep memory constant."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What the user said about the files; None means to be detected.

    `columns` are the names that the mapping uses. They help to tell a header from a title and one
    sheet from another; not all of them have to exist. `header_row` counts from 1, 0 means none.
    """

    sheet: str | None = None
    header_row: int | None = None
    delimiter: str | None = None
    encoding: str | None = None
    columns: tuple[str, ...] = ()
    member: str | None = None
    """The file in an archive: a name or a pattern."""
    repair: bool = True
    """Whether to repair text broken by a wrong encoding (`SÃ£o Paulo`)."""
    sheets: str | None = None
    """Several sheets: `all` that have the columns, or a pattern; `sheet` takes precedence."""
    downloads: Path | None = None
    """The folder for downloaded lists; None: the system's folder for temporary files."""
    together: tuple[str, ...] = ()
    """The sheets read together, including this one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was detected about one file, for messages and for writing a file of the same kind.

    `format` is `csv`, `xlsx`, ...; `encoding` is a Python codec name and `delimiter` one character,
    both empty for a workbook; `sheet` is empty for text; `header_row` counts from 1, 0 means none.
    """

    format: str
    header_row: int
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


class Table(Protocol):
    """One table of the input: a text file, or one sheet of a workbook."""

    @property
    def name(self) -> str:
        """The name of the file as given by the user."""

    @property
    def facts(self) -> Facts:
        """What was detected before the first row was read."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns in the file's order; unique and not empty."""

    @property
    def fingerprint(self) -> str:
        """Distinguishes the file from a later one of the same name; empty if nothing does."""

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """All data rows in order, at most `rows` at a time; may be called more than once.

        Each frame has `schemas.ORIGIN` and then `columns`, all of type String; empty cells are
        null. A malformed row (`row.DEFECT`) is included with whatever could be read. Raises
        SourceError if the file turns out to be damaged.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about anything unusual; complete once all batches have been read."""
