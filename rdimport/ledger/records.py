"""What goes into the ledger and comes out: rows on their way, their ends, what a run read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from rdimport.core.row import Problem, State


class SendAttempt(NamedTuple):
    """A row on its way: who it is, where it stands in the input, what it would send.

    `source` is the hash by which its cells can be recognised (`recall`), where there is one;
    `compared` is what of the payload tells whether it has changed, where that is not all of it.
    """

    identity: bytes
    file: int
    row: int
    payload: str
    source: int | None = None
    compared: str | None = None


class PendingRow(NamedTuple):
    """A row to send, and its cells as they were for the report if it fails."""

    outgoing: SendAttempt
    cells: tuple[str | None, ...]
    warnings: str | None = None
    """What looks wrong in the row, as `text_of` writes it; most rows have nothing."""


class Outcome(NamedTuple):
    """What became of a row of this run, with its cells as they were where a report needs them.

    `instead` is the file and row that is sent instead of a duplicate. `warnings` tell of cells that
    look wrong, but are not why the row failed.
    """

    file: int
    row: int
    state: State
    problems: tuple[Problem, ...] = ()
    cells: tuple[str | None, ...] = ()
    instead: tuple[int, int] | None = None
    warnings: tuple[Problem, ...] = ()


class RowResult(NamedTuple):
    """An outgoing row and its end. `receipt` is the endpoint's own identifier."""

    outgoing: SendAttempt
    outcome: Outcome
    receipt: str = ""


class Counters(NamedTuple):
    """What delivery counts beside the rows; `seconds` it has been sending."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    seconds: float = 0.0


class Input(NamedTuple):
    """One table of a run's input, as far as its report needs it.

    `header_row`, `repair` and `fingerprint` (empty: unknown) are for reading the same cells again.
    """

    name: str
    columns: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header_row: int = 0
    repair: bool = True
    fingerprint: str = ""


def problems_of(text: str) -> tuple[Problem, ...]:
    """Problems as the ledger keeps them."""
    return tuple(Problem(*values) for values in json.loads(text))


def text_of(problems: Sequence[Problem]) -> str:
    """Problems in the form in which the ledger keeps them."""
    return json.dumps(problems, ensure_ascii=False)
