"""The rows of a batch that cannot be sent, with their problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import overload

import polars as pl

from rdimport.core.row import FILE, ROW, Problem, State
from rdimport.ledger import Outcome
from rdimport.plan.history import cells_of


class Invalid(Sequence[Outcome]):
    """The rows of a batch that cannot be sent, in order; built lazily from its frames.

    `problems`, and the suspect cells of the same rows in `beside`, have the schema
    `schemas.PROBLEMS`; `cells` has the batch's `ROW` and columns.
    """

    def __init__(self, problems: pl.DataFrame, cells: pl.DataFrame, beside: pl.DataFrame) -> None:
        self.problems = problems.with_columns(pl.col(Problem._fields).fill_null(""))
        self._cells = cells
        self._beside = beside

    def __len__(self) -> int:
        return self.problems[ROW].n_unique()

    def __iter__(self) -> Iterator[Outcome]:
        if self.problems.is_empty():
            return
        at = cells_of(self.problems[ROW], self._cells)
        suspect = by_row(self._beside)
        file = self.problems[FILE][0]  # a batch belongs to one file
        for row, found in by_row(self.problems).items():
            yield Outcome(file, row, State.INVALID, found, at[row], warnings=suspect.get(row, ()))

    @overload
    def __getitem__(self, at: int) -> Outcome: ...

    @overload
    def __getitem__(self, at: slice) -> list[Outcome]: ...

    def __getitem__(self, at: int | slice) -> Outcome | list[Outcome]:
        return list(self)[at]


def by_row(problems: pl.DataFrame) -> dict[int, tuple[Problem, ...]]:
    """The problems of each row of a batch, in the order of the rows."""
    ordered = problems.sort(ROW, maintain_order=True).select(ROW, *Problem._fields)
    return {
        row: tuple(Problem(*(value or "" for value in line[1:])) for line in group)
        for row, group in groupby(ordered.iter_rows(), key=itemgetter(0))
    }
