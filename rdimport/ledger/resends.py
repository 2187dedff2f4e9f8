"""Requests to resend rows (`--resend`), which may take several runs to complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rdimport.core.errors import ExitCode
from rdimport.ledger.records import RunRecord

_WITH_REQUEST: Final = """
SELECT id, exit_code, facts::json ->> 'given', facts::json ->> 'started_in',
    facts::json ->> 'completed' FROM rdimport.run
WHERE destination = %(destination)s AND id < %(before)s AND id > %(after)s
    AND replace(facts::json ->> 'resend', ' ', '') = %(resend)s ORDER BY id DESC
"""
"""Number, exit code, `given` (JSON), `started_in` and `completed` (JSON) of the runs between two
others that had a request (JSON without blanks), latest first.
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
    What a run began, a later one of the same and perhaps more files may have completed, if it had
    the same people: another list may have the same name later, or on another machine. A request
    that names failure reports cannot have begun before the first of these was written: it asks for
    what that run left.
    """
    if not record.resend:
        return frozenset()
    found: set[int] = set()
    completed: list[tuple[frozenset[str], frozenset[int] | None]] = []
    request = json.dumps(record.resend, separators=(",", ":"))
    wanted = _files(record.started_in, record.given)
    bounds = {"after": _first_reported(query, record), "before": number}
    for earlier, code, given, folder, known in query(_WITH_REQUEST, **bounds, resend=request):
        files = _files(folder or "", json.loads(given))
        if code in (ExitCode.DONE, ExitCode.FAILED_ROWS):
            runs = frozenset[int](json.loads(known)) if known else None
            completed.append((files, runs))
            if wanted <= files and runs is None:  # it has not recorded which
                break
        elif not any(
            files <= others and (runs is None or earlier in runs) for others, runs in completed
        ):
            found.add(earlier)
    return frozenset(found)


class Met:
    """Which of the rows that earlier runs of the same request have sent are in a run's lists."""

    def __init__(self, begun: Iterable[int] = ()) -> None:
        self.begun: Final = frozenset(begun)
        self._rows: dict[int, set[bytes]] = {run: set() for run in self.begun}

    def note(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Note rows: which of the runs sent each, and its identity."""
        for run, identity in rows:
            self._rows[run].add(identity)

    def completed(self, conversions: Mapping[int, int]) -> tuple[int, ...]:
        """The runs of which most `conversions` were met; few of them may be in any list."""
        return tuple(
            run for run, rows in self._rows.items() if 2 * len(rows) >= conversions.get(run, 0)
        )


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
