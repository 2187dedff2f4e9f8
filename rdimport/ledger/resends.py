"""Requests to resend rows (`--resend`), which may take several runs to complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from rdimport.core.errors import ExitCode
from rdimport.ledger.records import RunRecord

_WITH_REQUEST: Final = """
SELECT id, exit_code, facts::json ->> 'given', facts::json ->> 'started_in' FROM rdimport.run
WHERE destination = %(destination)s AND id < %(before)s AND id > %(after)s
    AND replace(facts::json ->> 'resend', ' ', '') = %(resend)s ORDER BY id DESC
"""
"""Number, exit code, `given` (JSON) and `started_in` of the runs between two others that had a
request (JSON without blanks), latest first.
"""

_NUMBER: Final = """
SELECT id FROM rdimport.run WHERE destination = %(destination)s AND name = %(name)s
"""

Query = Callable[..., list[tuple[Any, ...]]]
"""Queries the runs of one destination; the named values are the statement's parameters."""


def begun(query: Query, number: int, record: RunRecord) -> frozenset[int]:
    """The numbers of the runs before `number`, a run with this `record`, that began its request
    without completing it.

    Runs without that request, runs that sent nothing and runs of other files may come between them.
    What a run began, a later one of the same and perhaps more files may have completed. A request
    that names failure reports cannot have begun before the first of these was written: it asks for
    what that run left.
    """
    if not record.resend:
        return frozenset()
    found: set[int] = set()
    completed: list[frozenset[str]] = []
    request = json.dumps(record.resend, separators=(",", ":"))
    wanted = _files(record.started_in, record.given)
    bounds = {"after": _first_reported(query, record), "before": number}
    for earlier, code, given, folder in query(_WITH_REQUEST, **bounds, resend=request):
        files = _files(folder or "", json.loads(given))
        if code in (ExitCode.DONE, ExitCode.FAILED_ROWS):
            completed.append(files)
            if wanted <= files:
                break
        elif not any(map(files.issubset, completed)):
            found.add(earlier)
    return frozenset(found)


def _files(folder: str, given: Iterable[str]) -> frozenset[str]:
    """The files and addresses of a run: two folders may each have a list of the same name."""
    return frozenset(name if "://" in name else str(Path(folder, name)) for name in given)


def _first_reported(query: Query, record: RunRecord) -> int:
    """The first of the runs whose failure reports are the only input of a run; 0 for other files.

    A report is in a folder with the name of its run.
    """
    numbers = [0] if not record.given else []
    for name in record.given:
        path = Path(record.started_in, name)
        is_report = path.name in ("failures.xlsx", "failures.csv")
        found = query(_NUMBER, name=path.parent.name) if is_report else []
        numbers.append(found[0][0] if found else 0)
    return min(numbers)
