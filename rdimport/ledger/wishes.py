"""The wish to send rows again (`--resend`), which may take several runs to come to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from rdimport.core.errors import ExitCode
from rdimport.ledger.records import RunRecord


class WishBooks(Protocol):
    """What a ledger knows of the runs of one destination."""

    def wished(self, after: int, before: int, resend: str) -> Iterator[tuple[int, int | None, str]]:
        """Number, exit code and `given`, as JSON, of the runs between those two with that wish, as
        JSON without blanks; the latest first.
        """

    def number_of(self, run: str) -> int:
        """The number of the run of that name, 0 where there is none."""


def begun(books: WishBooks, number: int, record: RunRecord) -> frozenset[int]:
    """The numbers of the runs before `number`, a run with this `record`, in which its wish was
    begun and not brought to its end.

    Runs without that wish, and runs that sent nothing, come between them without ending it; so do
    runs of other files. A wish that names failure reports was not begun before the first of them
    was written: who types it asks for what that run left.
    """
    if not record.resend:
        return frozenset()
    found: set[int] = set()
    wish = json.dumps(record.resend, separators=(",", ":"))
    for earlier, code, given in books.wished(_first_reported(books, record), number, wish):
        if code not in (ExitCode.DONE, ExitCode.FAILED_ROWS):
            found.add(earlier)
        elif set(record.given) <= set(json.loads(given)):
            break
    return frozenset(found)


def _first_reported(books: WishBooks, record: RunRecord) -> int:
    """The first of the runs whose failure reports are all that a run was given; 0 for other files.

    A report lies in a folder with the name of its run.
    """
    numbers = [0] if not record.given else []
    for name in record.given:
        path = Path(record.started_in, name)
        is_report = path.name in ("failures.xlsx", "failures.csv")
        numbers.append(books.number_of(path.parent.name) if is_report else 0)
    return min(numbers)
