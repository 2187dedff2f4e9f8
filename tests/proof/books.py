"""Read the ledger with plain SQL, and trace its content back to the rows of the lists."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from .oracle import Known
from .rows import Key, Payload, Sheet
from .scenario import Round


@dataclass
class Start:
    """One start of the command: its input and its process."""

    number: int
    turn: Round
    sheets: Sequence[Sheet]
    process: int = 0

    def key(self, file: int, row: int) -> Key:
        """The conversion of a row, numbered as in a spreadsheet program."""
        email = self.sheets[file].rows[row - 2].email.lower()
        return Key(self.turn.account, self.turn.rules.identifier, email)

    def keys(self) -> Iterator[Key]:
        """The conversions of all valid rows."""
        for file, sheet in enumerate(self.sheets):
            for place, row in enumerate(sheet.rows):
                if row.valid:
                    yield self.key(file, place + 2)

    def payloads(self) -> dict[Key, list[Payload]]:
        """What its rows would send, by conversion."""
        found: dict[Key, list[Payload]] = {}
        rows = (row for sheet in self.sheets for row in sheet.rows if row.valid)
        for key, row in zip(self.keys(), rows, strict=True):
            found.setdefault(key, []).append(row.payload(self.turn.rules.identifier))
        return found


class End(NamedTuple):
    """A row of a run in the ledger: its file and number, and the row sent instead."""

    file: int
    row: int
    state: str
    instead: tuple[int, int] | None


@dataclass
class Books:
    """A snapshot of the ledger. `runs` are names by the number of their start."""

    known: dict[Key, Known] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)
    ends: dict[int, list[End]] = field(default_factory=dict)
    by: dict[str, Counter[str]] = field(default_factory=dict)
    """The states of the conversions each run sent last, by the run's name."""
    processes: dict[str, int] = field(default_factory=dict)
    """The process of each run, by the run's name."""
    twice: list[Key] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    """Runs that should not have started."""

    @classmethod
    def read(
        cls, path: Path, starts: Mapping[int, Start], others: AbstractSet[int] = frozenset()
    ) -> Books:
        """`starts` are by process; `others` are processes outside this scenario."""
        books = cls()
        if not path.exists():
            return books
        with closing(sqlite3.connect(path)) as db:
            if db.execute("PRAGMA user_version").fetchone() == (0,):
                return books  # its creator died first
            books.fill(_rows_of(db), starts, others)
        return books

    def fill(
        self,
        rows_of: Callable[[str], Iterable[Any]],
        starts: Mapping[int, Start],
        others: AbstractSet[int],
    ) -> None:
        """Read the tables; `rows_of` returns the rows of a query. A conversion that is `sending` is
        in flight.
        """
        by_run, names = {}, {}
        for run, name, process in rows_of("SELECT id, name, process FROM run"):
            if process not in starts:
                self.strangers += [name] if process not in others else []
                continue
            by_run[run] = starts[process]
            self.runs[starts[process].number] = name
            self.processes[name] = process
            names[run] = name
        settled = set()
        for run, file, row, state, receipt in rows_of(
            "SELECT run, file, row, state, receipt FROM conversion"
        ):
            if run not in by_run:
                continue
            key = by_run[run].key(file, row)
            self.twice += [key] if key in settled else []
            settled.add(key)
            self.known[key] = Known(state, receipt or "", by_run[run].number)
            self.by.setdefault(names[run], Counter())[state] += 1
        for run, file, row in rows_of("SELECT run, file, row FROM sending"):
            if run in by_run:
                self.known[by_run[run].key(file, row)] = Known("sending", "", by_run[run].number)
        for run, file, row, state, other, other_row in rows_of(
            "SELECT run, file, row, state, instead_file, instead_row FROM outcome"
        ):
            if run in by_run:
                instead = None if other is None else (other, other_row)
                end = End(file, row, state, instead)
                self.ends.setdefault(by_run[run].number, []).append(end)


def _rows_of(db: sqlite3.Connection) -> Callable[[str], list[Any]]:
    return lambda question: db.execute(question).fetchall()
