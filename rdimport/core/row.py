"""The words that every stage speaks: where a row stands, what became of it, what is wrong with it.

Rows travel as polars frames. Each frame carries the columns named here besides its own, so that a
value can always be traced back to the file, the row and the column that a person sees.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import polars as pl

FILE: Final = "__rdimport_file__"
"""UInt32: the position of the row's table in the run's list of tables, from 0."""

ROW: Final = "__rdimport_row__"
"""UInt32: the row's number as a spreadsheet program shows it (text: its first line), from 1.

Only the reader sets it; row numbers are never computed later.
"""

DEFECT: Final = "__rdimport_defect__"
"""String: the code of what is wrong with the row as a record (`row.too_long`), null when sound."""

ORIGIN: Final = {FILE: pl.UInt32, ROW: pl.UInt32, DEFECT: pl.String}
"""What the reader adds to the columns of the file. The names cannot stand in a header."""

REPORTED: Final = tuple(
    f"rdimport_{name}" for name in "row file state field column value code reason".split()
)
"""What a failure report adds to the columns of the input; `source.returned` knows it by them."""


class State(StrEnum):
    """Every data row of the input ends in exactly one of these."""

    ACCEPTED = "accepted"
    ALREADY_IMPORTED = "already_imported"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    SUPPRESSED = "suppressed"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    PENDING = "pending"


FAILED: Final = (State.INVALID, State.REFUSED, State.UNCERTAIN)
"""The states that the failure report lists."""


class Problem(NamedTuple):
    """One thing that is wrong with one row, without a sentence: `reasons.explain` writes that.

    `code` is stable and never translated. `field` is the RD field, `column` and `value` the source
    column and its value as it was in the file; all three are empty where the problem is not about
    a single cell. `detail` is what else the sentence needs: a bound, a suggestion, the
    endpoint's own words.
    """

    code: str
    field: str = ""
    column: str = ""
    value: str = ""
    detail: str = ""


DROPPED: Final = "cell.dropped"
"""The code of an invalid cell that is left out of what is sent. Its detail is the code of what is
wrong with it.
"""

PROBLEMS: Final = {
    FILE: pl.UInt32,
    ROW: pl.UInt32,
    **dict.fromkeys(Problem._fields, pl.String),
}
"""Schema of a frame of problems: one line per problem, several per row are possible."""
