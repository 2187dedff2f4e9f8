"""The wish to send rows again (`--resend`), which may take several runs to come to its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rdimport.core.errors import ExitCode
from rdimport.ledger.records import RunRecord

if TYPE_CHECKING:
    from rdimport.ledger.sqlite.ledger import Ledger


def begun(ledger: Ledger, destination: int, number: int, record: RunRecord) -> frozenset[int]:
    """The numbers of the runs before `number`, a run with this `record`, in which its wish was
    begun and not brought to its end.

    Runs without that wish, and runs that sent nothing, come between them without ending it; so do
    runs of other files. A wish that names failure reports was not begun before the first of them
    was written: who types it asks for what that run left.
    """
    found: set[int] = set()
    for earlier, code, given in ledger.stream(
        "SELECT id, exit_code, facts ->> '$.given' FROM run WHERE destination = ? AND id < ?"
        " AND id > ? AND facts ->> '$.resend' = ? AND facts ->> '$.resend' <> '[]'"
        " ORDER BY id DESC",
        destination,
        number,
        _first_reported(ledger, destination, record),
        json.dumps(record.resend, separators=(",", ":")),
    ):
        if code not in (ExitCode.DONE, ExitCode.FAILED_ROWS):
            found.add(earlier)
        elif set(record.given) <= set(json.loads(given)):
            break
    return frozenset(found)


def _first_reported(ledger: Ledger, destination: int, record: RunRecord) -> int:
    """The first of the runs whose failure reports are all that a run was given; 0 for other files.

    A report lies in a folder with the name of its run.
    """
    numbers = [0] if not record.given else []
    for name in record.given:
        path = Path(record.started_in, name)
        rows = ledger.query(
            "SELECT id FROM run WHERE destination = ? AND name = ?", destination, path.parent.name
        )
        is_report = path.name in ("failures.xlsx", "failures.csv") and rows
        numbers.append(rows[0][0] if is_report else 0)
    return min(numbers)
