"""The columns, states and problems of rows, common to all stages.

Rows are passed as polars frames (`core.schemas`). Each frame has the columns named here in addition
to its own, so that any value can be traced back to its file, row and column.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.messages.codes import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE: Final = "__rdimport_file__"
"""UInt32: the position of the row's table in the run's list of tables, from 0."""

ROW: Final = "__rdimport_row__"
"""UInt32: the row number as shown by a spreadsheet program (text: the row's first line), from 1.

Only the reader sets it; row numbers are never computed later.
"""

DEFECT: Final = "__rdimport_defect__"
"""String: the code of the row's defect as a record (`row.too_long`); null if it is well-formed."""

REPORTED: Final = tuple(
    f"rdimport_{name}" for name in "row file state field column value code reason".split()
)
"""Columns that a failure report adds; `source.failure_report` recognises a report by them."""

REPORTED_IN: Final = {
    "pt-BR": tuple(
        f"rdimport_{name}"
        for name in "linha arquivo estado campo coluna valor codigo motivo".split()
    )
}
"""The same in failures.xlsx, which is for people, by language; failures.csv is for programs."""

REPORTED_NAMES: Final = frozenset(REPORTED).union(*REPORTED_IN.values())
"""All of them, whatever the language."""


def reported_origin(cells: Mapping[str, str | None]) -> tuple[str, str]:
    """Row and file that a row of a failure report names; empty if it names none."""
    spellings = zip(REPORTED, *REPORTED_IN.values(), strict=True)
    row, file, *_ = (next(filter(None, map(cells.get, names)), "") for names in spellings)
    return row, file


class State(StrEnum):
    """The final state of a data row; each row ends in exactly one."""

    ACCEPTED = "accepted"
    ALREADY_IMPORTED = "already_imported"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    SUPPRESSED = "suppressed"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    PENDING = "pending"


FAILED: Final = (State.INVALID, State.REFUSED, State.UNCERTAIN)
"""The states listed in the failure report."""


class Problem(NamedTuple):
    """One problem of a row. It contains no sentence: `reasons.explain` provides that.

    `code` is stable and never translated. `field` is the RD field, `column` and `value` the source
    column and its original value; all three are empty if the problem does not concern a single
    cell. `detail` is whatever else the sentence needs: a limit, a suggestion, the endpoint's
    message.
    """

    code: str
    field: str = ""
    column: str = ""
    value: str = ""
    detail: str = ""


DROPPED: Final = Code.CELL_DROPPED
"""The code of an invalid cell left out of the payload; its detail is the problem's code."""
