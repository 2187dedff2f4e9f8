"""Questions to the ledger that only reports ask: examples of problems, the pace, empty fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from rdimport.core.row import Problem
from rdimport.ledger.sqlite.run import Run


class Example(NamedTuple):
    """One row that has a problem."""

    file: int
    row: int
    problem: Problem


class Minute(NamedTuple):
    """What happened in one minute of the sending; the first is 0."""

    minute: int
    requests: int
    throttled: int
    accepted: int


@contextmanager
def snapshot(run: Run) -> Iterator[None]:
    """The ledger as it is now, whoever goes on writing to it: all files tell of one moment."""
    run.ledger.query("BEGIN")
    try:
        yield
    finally:
        run.ledger.query("ROLLBACK")


def examples(run: Run, of_each: int) -> dict[str, list[Example]]:
    """The first rows with a problem of each code, the most frequent code first."""
    found: dict[str, list[Example]] = {code: [] for code in run.problems()}
    for code, file, row, problem in run.ledger.stream(
        "SELECT code, file, row, problem FROM (SELECT o.file, o.row, p.value AS problem,"
        " json_extract(p.value, '$[0]') AS code, row_number() OVER (PARTITION BY"
        " json_extract(p.value, '$[0]') ORDER BY o.file, o.row) AS place"
        " FROM ends o, json_each(o.problems) p WHERE o.run = ? AND o.state <> 'accepted')"
        " WHERE place <= ?"
        " ORDER BY code, file, row",
        run.number,
        of_each,
    ):
        found[code].append(Example(file, row, Problem(*json.loads(problem))))
    return found


def minutes(run: Run) -> list[Minute]:
    """What happened in each minute of the sending, also in those in which nothing did."""
    noted = {
        minute: Minute(minute, *counts)
        for minute, *counts in run.ledger.query(
            "SELECT minute, requests, throttled, accepted FROM minute WHERE run = ?", run.number
        )
    }
    last = max(noted, default=-1)
    return [noted.get(minute, Minute(minute, 0, 0, 0)) for minute in range(last + 1)]


def warned(run: Run) -> bool:
    """Has a row that failed cells that look wrong, but are not why it failed?"""
    found = run.ledger.query(
        "SELECT 1 FROM ends WHERE run = ? AND warnings <> '[]' AND state IN"
        " ('invalid', 'refused', 'uncertain') LIMIT 1",
        run.number,
    )
    return bool(found)


def filled(run: Run) -> dict[str, int]:
    """How many of the rows that can be sent have a value in each field, the fewest first."""
    return {field: rows for field, rows in _filled(run).items() if ":" not in field}


class WrongColumn(NamedTuple):
    """A field in which most rows are invalid, and the column that it is filled from."""

    field: str
    column: str
    rows: int


FEWEST: Final = 5
"""So few rows tell nothing about a column."""


def wrong_column(rows_by_column: Mapping[tuple[str, str], int], rows: int) -> WrongColumn | None:
    """The column that is probably not the one that was meant: of `rows` most are invalid in it."""
    if not rows_by_column or rows < FEWEST:
        return None
    (field, column), most = max(rows_by_column.items(), key=lambda of: of[1])
    return WrongColumn(field, column, most) if 2 * most > rows else None


def invalid_by_column(run: Run) -> dict[tuple[str, str], int]:
    """How many rows are invalid in each field, with the column that it is filled from."""
    return {
        (field, column): rows
        for field, column, rows in run.ledger.query(
            "SELECT json_extract(p.value, '$[1]') AS field, json_extract(p.value, '$[2]'),"
            " count(DISTINCT o.file || ' ' || o.row) FROM ends o, json_each(o.problems) p"
            " WHERE o.run = ? AND o.state = 'invalid' AND field <> '' GROUP BY 1, 2",
            run.number,
        )
    }


class LegalBases(NamedTuple):
    """Of the rows that can be sent, how many have a legal basis granted, declined, or none."""

    granted: int
    declined: int
    none: int


def legal_bases(run: Run) -> LegalBases | None:
    """None for a run that did not count them."""
    return of_filled(_filled(run))


def of_filled(rows: Mapping[str, int]) -> LegalBases | None:
    """The same from rows by field; every row has an e-mail address."""
    granted, declined = rows.get("legal_bases:granted"), rows.get("legal_bases:declined")
    if granted is None or declined is None:
        return None
    return LegalBases(granted, declined, rows.get("email", 0) - granted - declined)


def _filled(run: Run) -> dict[str, int]:
    return dict(
        run.ledger.query(
            "SELECT field, rows FROM filled WHERE run = ? ORDER BY rows, field", run.number
        )
    )
