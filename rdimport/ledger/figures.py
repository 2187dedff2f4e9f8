"""Figures of a run for its reports: examples of problems, the pace, empty fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rdimport.core.row import Problem
from rdimport.source.failure_report import is_header


class Example(NamedTuple):
    """One row with a problem."""

    file: int
    row: int
    problem: Problem


class Minute(NamedTuple):
    """The counts of one minute of sending; the first is 0."""

    minute: int
    requests: int
    throttled: int
    accepted: int


def without_gaps(noted: Iterable[Minute]) -> list[Minute]:
    """All minutes in order, including those without activity."""
    known = {one.minute: one for one in noted}
    last = max(known, default=-1)
    return [known.get(minute, Minute(minute, 0, 0, 0)) for minute in range(last + 1)]


class WrongColumn(NamedTuple):
    """A field in which most rows are invalid, and its source column."""

    field: str
    column: str
    rows: int


FEWEST: Final = 5
"""Minimum number of rows for a statement about a column."""


def wrong_column(
    rows_by_column: Mapping[tuple[str, str], int], rows: int, tables: Iterable[Sequence[str]]
) -> WrongColumn | None:
    """The column that is probably not the intended one: most of `rows` are invalid in it. Ties are
    broken by name. `tables` are the columns of each: a failure report has no rows but failed ones,
    which say nothing about the mapping.
    """
    if not rows_by_column or rows < FEWEST or any(map(is_header, tables)):
        return None
    (field, column), most = max(sorted(rows_by_column.items()), key=lambda of: of[1])
    return WrongColumn(field, column, most) if 2 * most > rows else None


class LegalBases(NamedTuple):
    """Number of sendable rows with a legal basis granted, declined, or none."""

    granted: int
    declined: int
    none: int


def of_filled(rows: Mapping[str, int]) -> LegalBases | None:
    """From the rows with each field; every row has an e-mail address. None if not counted."""
    granted, declined = rows.get("legal_bases:granted"), rows.get("legal_bases:declined")
    if granted is None or declined is None:
        return None
    return LegalBases(granted, declined, rows.get("email", 0) - granted - declined)
