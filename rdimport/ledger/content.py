"""The contents of a ledger, table by table, for conversion to another kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

Line = tuple[object, ...]

TABLES: Final[dict[str, tuple[str, ...]]] = {
    "destination": ("id", "identity", "endpoint", "account"),
    "account_key": ("endpoint", "hash", "destination", "run", "since"),
    "run": tuple(
        "id name destination process started_at finished_at exit_code stopped_because resume_at"
        " forgotten_at facts row_count left_out".split()
    ),
    "input": tuple(
        "run file name columns encoding delimiter sheet header_row repair fingerprint".split()
    ),
    "tally": ("run", "state", "rows"),
    "minute": ("run", "minute", "requests", "retries", "throttled", "seconds", "accepted"),
    "filled": ("run", "field", "rows"),
    "suspect": ("run", "code", "cells"),
    "outcome": tuple(
        "run file row state cells problems instead_file instead_row warnings identity".split()
    ),
    "named": ("folded", "run", "exact", "fields", "text", "new", "known"),
    "attempt": ("id", "at", "account", "job", "exit_code", "facts"),
    "corrected": ("destination", "origin", "row", "identity"),
    "complete": ("destination", "since", "until", "identifier", "source"),
    "conversion": tuple(
        "destination identity state payload run file row receipt problems refused source tried"
        " left_at".split()
    ),
}
"""The tables with their columns. Times are ISO 8601 text, lists and facts JSON, states those of
`core.row.State`, `source` is a number. No row is in flight.
"""

TEXTS: Final = (
    ("run", "facts"),
    ("run", "stopped_because"),
    ("input", "name"),
    ("named", "text"),
    ("attempt", "facts"),
    ("complete", "source"),
)
"""Columns, besides those of conversions, that may contain a person's address outside of their own
rows.
"""


class Content(Protocol):
    """A snapshot of a ledger."""

    @property
    def key(self) -> bytes:
        """The key of its hashes."""

    @property
    def last_run_of_0_1(self) -> int | None:
        """The number of the last run of release 0.1.0; None if there was none."""

    @property
    def shared_as(self) -> str:
        """The address of the shared ledger it comes from; empty for a state directory."""

    def lines(self, table: str) -> Iterator[Line]:
        """The lines of one of `TABLES`."""
