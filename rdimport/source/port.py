"""What the rest of rdimport knows of spreadsheets: hints go in, tables come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

BATCH_ROWS: Final = 65_536
"""Rows of a batch: large enough to keep polars busy, small enough to keep memory flat."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What the person said about the files; what is None gets found out.

    `columns` are the names that the mapping asks for. They tell a header row from a title and one
    sheet from another; not all of them have to be there. `header_row` counts from 1, 0 is none.
    """

    sheet: str | None = None
    header_row: int | None = None
    delimiter: str | None = None
    encoding: str | None = None
    columns: tuple[str, ...] = ()
    member: str | None = None
    """The file in an archive: its name or a pattern."""
    repair: bool = True
    """Put right text that a wrong encoding broke before (`SÃ£o Paulo`)."""
    sheets: str | None = None
    """Several sheets: `all` that have the columns, or a pattern; `sheet` goes before it."""
    together: tuple[str, ...] = ()
    """The sheets that are read beside this one, itself among them."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about one file, for people and for writing a file of the same kind.

    `format` is `csv`, `xlsx` …; `encoding` a Python codec name and `delimiter` one character, both
    empty for a workbook; `sheet` is empty for text; `header_row` counts from 1, 0 is none.
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
        """The file as a person names it (the path that was given)."""

    @property
    def facts(self) -> Facts:
        """What was found out before the first row was read."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns in the file's order, unique, none empty."""

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """All data rows in order, at most `rows` at a time; may be called more than once.

        Each frame has `row.ORIGIN` and then `columns`, all of type String; an empty cell is null.
        A row that is no sound record (`row.DEFECT`) still comes, with what could be read of it.
        Raises SourceError when the file turns out to be damaged.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what a person should know; complete once the batches were read."""
