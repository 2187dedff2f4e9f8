"""A sheet of any workbook format as a Table, and which sheets of a workbook are read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.core.names import did_you_mean, fold
from rdimport.core.row import DEFECT, FILE, ROW
from rdimport.source.failure_report import SHEET, is_header
from rdimport.source.fingerprint import fingerprint
from rdimport.source.header import NAME_THE_ROW, FirstRow, Header, find_header, header_only
from rdimport.source.limits import MOST_SHEETS
from rdimport.source.port import BATCH_ROWS, Facts
from rdimport.source.row_filter import RowFilter
from rdimport.source.sheets.merged_cells import merged_notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdimport.source.files import InputFile
    from rdimport.source.port import Hints
    from rdimport.source.sheets.book import Book, Sheet

ALL: Final = "all"
SAMPLE_ROWS: Final = 1_000
_LISTED: Final = 20
_ADDRESS: Final = r"[^@\s]@[^@\s]+\.[^@\s]"


class _Found(NamedTuple):
    """A table on a sheet."""

    sheet: str
    header: Header
    cells: pl.DataFrame
    kept: Sequence[int]
    """The numbers of the sheet's columns that are left in `cells`."""
    read: Sheet


_Score = tuple[int, bool, bool, bool, bool, int]


def several_sheets(book: Book, hints: Hints, name: str) -> tuple[Hints, ...]:
    """The hints for each sheet of a list that spans several (`source: {sheets: all}`). Raises
    SourceError if there is none.
    """
    if hints.sheets is None or hints.sheet is not None:
        return (hints,)
    if fold(hints.sheets) == ALL:
        read = _with_columns(book, hints, name)
    else:
        pattern = fold(hints.sheets)
        read = [sheet for sheet in book.sheets if fnmatchcase(fold(sheet), pattern)]
    if not read:
        raise SourceError(
            _("No sheet of {name} matches `sheets: {wish}`.", name=name, wish=hints.sheets),
            _("Its sheets are: {names}.", names=", ".join(book.sheets[:_LISTED])),
        )
    together = tuple(read)
    return tuple(replace(hints, sheet=sheet, together=together) for sheet in read)


def _with_columns(book: Book, hints: Hints, name: str) -> list[str]:
    """The sheets that have rows and the mapping's columns; hidden ones only if all of these are."""
    wanted = set(map(fold, hints.columns))
    visible: list[str] = []
    hidden: list[str] = []
    for sheet in book.sheets:
        with suppress(SourceError):  # a cover page or an empty sheet
            found = _table_in(book.read(sheet), sheet, hints, name)
            has_rows = not _data(found).is_empty()
            if has_rows and wanted.issubset(map(fold, found.header.columns)):
                (hidden if found.read.is_hidden else visible).append(sheet)
    return visible or hidden


class GridTable:
    """One sheet of a workbook. Its cells stay in memory as long as this object."""

    def __init__(self, file: InputFile, index: int, hints: Hints, book: Book) -> None:
        self._file = file
        self._index = index
        found = _find_table(book, hints, file.name)
        self.name = file.name
        self.facts = Facts(book.kind, found.header.row, sheet=found.sheet)
        self.columns = found.header.columns
        data = _data(found)
        names = {f"c{i}": name for i, name in enumerate(self.columns)}
        data = data.with_columns(pl.lit(None, pl.String).alias(DEFECT))
        row_filter = RowFilter(
            self.columns,
            found.header.names,
            repair=hints.repair,
            errors=found.read.errors.cells,
            first_error=found.read.errors.first,
        )
        self._rows = row_filter.apply(data.select(ROW, DEFECT, *names).rename(names))
        if self._rows.is_empty():
            raise header_only(_place(found.sheet, file.name), found.header)
        is_report = is_header(self.columns)
        choice = _choice_note(book, found, hints.together, is_report=is_report)
        name_of = dict(zip(found.kept, self.columns, strict=True))
        merged = merged_notes(self._rows, name_of, found.read.merged)
        about = (*found.header.notes, *found.read.notes, *merged, *row_filter.notes)
        self.notes = (*file.notes, *choice, *about)

    @property
    def fingerprint(self) -> str:
        """Distinguishes the file from a later one of the same name."""
        return self._file.version or fingerprint(self._file.name)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """All rows in order; see `port.Table`."""
        index = pl.lit(self._index, pl.UInt32).alias(FILE)
        for part in self._rows.iter_slices(rows):
            yield part.select(index, pl.all())


def _find_table(book: Book, hints: Hints, name: str) -> _Found:
    """The sheet with the table. Raises SourceError if there is none."""
    if hints.sheet is not None:
        sheet = _named_sheet(book.sheets, hints.sheet, name)
        return _table_in(book.read(sheet), sheet, hints, name)
    if len(book.sheets) > MOST_SHEETS:
        raise SourceError(
            _("{name} has {book} sheets, too many to search.", name=name, book=len(book.sheets)),
            _("Say which one contains the table: --sheet NAME."),
        )
    best: tuple[_Score, _Found] | None = None
    wanted = {fold(column) for column in hints.columns}
    for sheet in book.sheets:
        read = book.read(sheet)
        try:
            found = _table_in(read, sheet, hints, name)
        except SourceError:
            if len(book.sheets) == 1:
                raise
            continue
        score = _score(found, wanted)
        if best is None or score > best[0]:
            best = score, found
    if best is not None:
        return best[1]
    if hints.header_row:
        raise SourceError(
            _(
                "No sheet of {name} has column names in row {header_row}.",
                name=name,
                header_row=hints.header_row,
            ),
            _(NAME_THE_ROW),
        )
    raise SourceError(
        _("{name} has no sheet with a table in it.", name=name),
        _("Check that it is the right file; --sheet and --header-row say where the table is."),
    )


def _score(found: _Found, wanted: set[str]) -> _Score:
    """How likely it is that a sheet has the list: by the number of the mapping's columns (`wanted`,
    folded); then by e-mail addresses, by being visible, by a header, by its number of rows.
    """
    known = sum(fold(column) in wanted for column in found.header.columns)
    has_rows = found.cells[ROW].max() != found.header.row
    is_list = _holds_addresses(found)
    has_header = has_rows and found.header.row > 0
    size = 0 if known else found.cells.height
    is_visible = not found.read.is_hidden
    return known, is_list and is_visible, is_list, is_visible, has_header, size


def _named_sheet(names: Sequence[str], wanted: str, file: str) -> str:
    for name in names:
        if fold(name) == fold(wanted):
            return name
    guess = did_you_mean(wanted, names)
    raise SourceError(
        _("{file} has no sheet “{wanted}”", file=file, wanted=wanted)
        + (_("; did you mean “{guess}”?", guess=guess) if guess else "."),
        _("Its sheets are: {names}.", names=", ".join(names[:_LISTED])),
    )


def _table_in(read: Sheet, sheet: str, hints: Hints, name: str) -> _Found:
    """The table on a sheet, without columns that have neither a name nor a value."""
    cells = read.cells
    rows = [FirstRow(row[0], row[0], row[1:]) for row in cells.head(SAMPLE_ROWS).iter_rows()]
    rows = [row for row in rows if not row.is_blank]
    header = find_header(rows, hints, _place(sheet, name))
    names = [*header.names, *[""] * (cells.width - 1 - len(header.names))]
    data = cells.filter(pl.col(ROW) >= header.first_data)
    empty = [data[f"c{i}"].null_count() == data.height for i in range(len(names))]
    kept = [i for i, name in enumerate(names) if name.strip() or not empty[i]]
    frame = cells.select(ROW, *(pl.col(f"c{i}").alias(f"c{at}") for at, i in enumerate(kept)))
    header = replace(header, names=tuple(names[i] for i in kept))
    return _Found(sheet, header, frame, kept, read)


def _holds_addresses(found: _Found) -> bool:
    """Whether most filled cells of a column are addresses: no cover and no summary."""
    data = _data(found).head(SAMPLE_ROWS).drop(ROW)
    if data.is_empty():
        return False
    shares = data.select(pl.all().str.contains(_ADDRESS).mean())
    return any(share is not None and share > 0.5 for share in shares.row(0))


def _data(found: _Found) -> pl.DataFrame:
    """The rows below the header."""
    return found.cells.filter(pl.col(ROW) >= found.header.first_data)


def _place(sheet: str, name: str) -> str:
    return _("Sheet “{sheet}” of {name}", sheet=sheet, name=name) if sheet else name


def _choice_note(
    book: Book, found: _Found, together: Sequence[str], *, is_report: bool
) -> list[str]:
    if together:
        return _together_note(book, together) if found.sheet == together[0] else []
    others = [name for name in book.sheets if name != found.sheet]
    if is_report:  # its summary sheet is not a list
        others = [name for name in others if not fold(name).startswith(SHEET)]
    if not others:
        return []
    hidden = _(" (which is hidden)") if found.read.is_hidden else ""
    listed = ", ".join(f"“{name}”" for name in others[:_LISTED])
    if len(others) > _LISTED:
        listed += _(" and {number} more", number=len(others) - _LISTED)
    return [
        _(
            "Sheet “{sheet}”{hidden} is read; not read: {others}. --sheet chooses another, and "
            "`source: {{sheets: all}}` in the mapping reads all that have its columns.",
            sheet=found.sheet,
            hidden=hidden,
            others=listed,
        )
    ]


def _together_note(book: Book, together: Sequence[str]) -> list[str]:
    """A note of which sheets are read and which are not."""
    read = ", ".join(f"“{name}”" for name in together)
    left = ", ".join(f"“{name}”" for name in book.sheets if name not in together)
    if not left:
        return [_("Sheets {read} are read.", read=read)]
    return [_("Sheets {read} are read; not read: {left}.", read=read, left=left)]
