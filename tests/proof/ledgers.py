"""What can happen to a ledger, and how it is undone: removed, cut, replaced; made by 0.1.0.

A keeper has the ledgers of a scenario: `state` and `elsewhere`. This one keeps them in files, that
of `shared` in PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path
from typing import Protocol

from support.processes import freeze

from .books import Books, Start
from .losses import LOSSES

NAME = "ledger.sqlite3"
KEPT = Path(__file__).parent.parent / "ledgers"
PORT = ":8090"
"""The endpoint's port in the kept ledger."""
OLD_LISTS = (
    ("fair.csv", "fair.yaml", "default"),
    ("late.csv", "fair.yaml", "default"),
    ("late.csv", "change.yaml", "ACME"),
    ("late.csv", "orders.yaml", "default"),
    ("late.csv", "column.yaml", "default"),
)
"""Lists, mappings and accounts of which 0.1.0 has sent all rows. With `on_change: send` one list is
enough: the two have different rows of one person.
"""


class Keeper(Protocol):
    """Has the ledgers of a scenario."""

    lost_codes: tuple[int, ...]
    """The exit codes allowed while the ledger is lost."""

    def environment(self, ledger: str, machine: int = 0) -> dict[str, str]:
        """The environment variables with which a command finds a ledger."""

    def ready(self, ledger: str) -> list[list[str]]:
        """The commands that a person types before the first run."""

    def read(
        self, ledger: str, starts: Mapping[int, Start], others: AbstractSet[int] = frozenset()
    ) -> Books:
        """Read a ledger; `starts` are by process, `others` are processes outside this scenario."""

    def come_back(self) -> None:
        """Wait until the ledgers can be used again after damage to what holds them."""

    def is_there(self) -> bool:
        """Whether the first ledger was created."""

    def befalls(self, kind: str) -> None:
        """Damage the first ledger while no run uses it."""

    def befalls_a_run(self, kind: str, process: int) -> None:
        """The same while a process writes to it, which is stopped meanwhile: the copy kept aside is
        consistent.
        """

    def put_right(self, kind: str) -> None:
        """Undo the damage, as a person who noticed it would."""

    def keep_older(self) -> None:
        """Keep the first ledger as it is now."""

    def old(self, base_url: str) -> list[list[str]]:
        """Make the first ledger one that 0.1.0 wrote; return the commands that are typed then."""

    def processes(self) -> frozenset[int]:
        """The processes of all runs that the first ledger knows."""

    def named(self, people: Iterable[str]) -> list[str]:
        """Those of these people whom the first ledger names."""


def _away(state: Path, aside: Path) -> None:
    aside.mkdir()
    for path in state.glob(f"{NAME}*"):
        path.rename(aside / path.name)


def _folder_away(state: Path, aside: Path) -> None:
    state.rename(aside)


def _another(state: Path, aside: Path) -> None:
    _away(state, aside)
    shutil.copy(KEPT / "0.1.0.sqlite3", state / NAME)


def _cut(share: float, least: int) -> Callable[[Path, Path], None]:
    def cut(state: Path, aside: Path) -> None:
        aside.mkdir()
        for path in state.glob(f"{NAME}*"):
            shutil.copy(path, aside)
        os.truncate(state / NAME, max(least, int((state / NAME).stat().st_size * share)))

    return cut


_LOST: dict[str, Callable[[Path, Path], None]] = dict(
    zip(LOSSES, (_away, _folder_away, _another, _cut(0, 0), _cut(0, 1)), strict=True)
)
"""All keep the original in a folder aside."""


class Files:
    """A state directory for each ledger."""

    lost_codes = (2,)

    def __init__(self, home: Path) -> None:
        self._home = home
        self._state = home / "state"
        self._aside = home / "aside"
        self._older = home / "older"

    def environment(self, ledger: str, machine: int = 0) -> dict[str, str]:
        """The environment variables with which a command finds a ledger."""
        return {"RDIMPORT_STATE_DIR": ledger}

    def ready(self, ledger: str) -> list[list[str]]:
        """Nothing: a run makes it."""
        return []

    def read(
        self, ledger: str, starts: Mapping[int, Start], others: AbstractSet[int] = frozenset()
    ) -> Books:
        """Read a ledger."""
        return Books.read(self._home / ledger / NAME, starts, others)

    def come_back(self) -> None:
        """Files are always there."""

    def is_there(self) -> bool:
        """Whether the first ledger was created."""
        return (self._state / NAME).exists()

    def befalls(self, kind: str) -> None:
        """Damage a ledger that no run uses."""
        if kind == "half of the ledger is gone":
            _cut(0.5, 512)(self._state, self._aside)
            for path in self._state.glob(f"{NAME}-*"):
                path.unlink()
        elif kind == "an older ledger is there":
            _away(self._state, self._aside)
            for path in self._older.glob(f"{NAME}*"):
                shutil.copy(path, self._state)
        else:
            _LOST[kind](self._state, self._aside)

    def befalls_a_run(self, kind: str, process: int) -> None:
        """The same with a stopped run."""
        freeze(process)
        try:
            _LOST[kind](self._state, self._aside)
        finally:
            os.kill(process, signal.SIGCONT)

    def put_right(self, kind: str) -> None:
        """Undo the damage, as a person who noticed it would."""
        if kind == "its folder vanishes":
            shutil.rmtree(self._state, ignore_errors=True)
            self._aside.rename(self._state)
            return
        for path in self._state.glob(f"{NAME}*"):
            path.unlink()
        for path in self._aside.iterdir():
            path.rename(self._state / path.name)
        self._aside.rmdir()

    def keep_older(self) -> None:
        """Keep the ledger as it is now."""
        shutil.copytree(self._state, self._older)

    def old(self, base_url: str) -> list[list[str]]:
        """A ledger that release 0.1.0 wrote, and its lists."""
        of_0_1_0(self._home, base_url)
        return []

    def processes(self) -> frozenset[int]:
        """The processes of all runs that the ledger knows."""
        with closing(sqlite3.connect(self._state / NAME)) as db:
            return frozenset(process for (process,) in db.execute("SELECT process FROM run"))

    def named(self, people: Iterable[str]) -> list[str]:
        """Those of these people whom the ledger names."""
        data = b"".join(path.read_bytes() for path in self._state.glob("ledger*"))
        return [email for email in people if email.encode() in data]


def of_0_1_0(home: Path, base_url: str) -> None:
    """A ledger that release 0.1.0 wrote, as if it had sent to this endpoint, and its lists."""
    state = home / "state"
    state.mkdir(mode=0o700)
    for path in [*KEPT.glob("*.csv"), *KEPT.glob("*.yaml")]:
        shutil.copy(path, home)
    shutil.copy(KEPT / "0.1.0.sqlite3", state / NAME)
    port = f":{base_url.rpartition(':')[2]}"
    with closing(sqlite3.connect(state / NAME, isolation_level=None)) as db:
        db.execute("UPDATE destination SET identity = replace(identity, ?, ?)", (PORT, port))
        db.execute("UPDATE run SET facts = replace(facts, ?, ?)", (PORT, port))
