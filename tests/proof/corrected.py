"""Rows that failed in a list, and were settled by a correction in a failure report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from .books import Start
from .oracle import Known
from .rows import Key


def broken(starts: Iterable[Start], start: Start, known: Mapping[Key, Known]) -> tuple[int, int]:
    """The minimum and maximum number of rows of a start that may be reported as invalid. A row
    whose exact cells were in a failure report of the account, and were accepted as corrected there,
    may count as imported; as many rows with the same cells as were corrected.
    """
    rows = Counter(row for sheet in start.sheets for row in sheet.rows if not row.valid)
    theirs = (start.turn.account, start.turn.rules.identifier)
    mended = {
        (row, sheet.origins[at])
        for one in starts
        if (one.turn.account, one.turn.rules.identifier) == theirs and one.number < start.number
        for sheet in one.sheets
        for at, row in enumerate(sheet.before)
        if sheet.rows[at].valid
        and (found := known.get(Key(*theirs, sheet.rows[at].email.lower())))
        and found.state == "accepted"
    }
    fixed = rows & Counter(row for row, _place in mended)
    return rows.total() - fixed.total(), rows.total()
