"""What can befall a ledger, and how it is put right: taken away, cut, replaced; made by 0.1.0."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

NAME = "ledger.sqlite3"
KEPT = Path(__file__).parent.parent / "ledgers"
PORT = ":8090"
"""What the kept ledger calls its endpoint's port."""
OLD_LISTS = (
    ("fair.csv", "fair.yaml", "default"),
    ("late.csv", "fair.yaml", "default"),
    ("late.csv", "change.yaml", "ACME"),
    ("late.csv", "orders.yaml", "default"),
    ("late.csv", "column.yaml", "default"),
)
"""Lists, mappings and accounts all of whose rows 0.1.0 has sent. With `on_change: send` one list is
enough: the two have different rows of one person.
"""


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


LOSSES: dict[str, Callable[[Path, Path], None]] = {
    "the ledger vanishes": _away,
    "its folder vanishes": _folder_away,
    "another ledger is there": _another,
    "the ledger is cut to nothing": _cut(0, 0),
    "the ledger is cut to a byte": _cut(0, 1),
}
"""All keep what was there in a folder aside."""
BETWEEN = (*LOSSES, "half of the ledger is gone", "an older ledger is there")


def befalls(kind: str, state: Path, aside: Path, older: Path) -> None:
    """Something happens to a ledger that no run is at work with."""
    if kind == "half of the ledger is gone":
        _cut(0.5, 512)(state, aside)
        for path in state.glob(f"{NAME}-*"):
            path.unlink()
    elif kind == "an older ledger is there":
        _away(state, aside)
        for path in older.glob(f"{NAME}*"):
            shutil.copy(path, state)
    else:
        LOSSES[kind](state, aside)


def befalls_a_run(kind: str, state: Path, aside: Path, process: int) -> None:
    """The same while a process writes to it, which stands still for as long: what is kept aside is
    of one moment.
    """
    os.kill(process, signal.SIGSTOP)
    try:
        LOSSES[kind](state, aside)
    finally:
        os.kill(process, signal.SIGCONT)


def put_right(kind: str, state: Path, aside: Path) -> None:
    """Somebody finds out, and puts back what was there."""
    if kind == "its folder vanishes":
        shutil.rmtree(state, ignore_errors=True)
        aside.rename(state)
        return
    for path in state.glob(f"{NAME}*"):
        path.unlink()
    for path in aside.iterdir():
        path.rename(state / path.name)
    aside.rmdir()


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


def processes(home: Path) -> frozenset[int]:
    """Those of all runs that the ledger knows."""
    with closing(sqlite3.connect(home / "state" / NAME)) as db:
        return frozenset(process for (process,) in db.execute("SELECT process FROM run"))
