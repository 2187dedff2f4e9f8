"""A worker of a shared ledger without the rest of a run: it claims rows and records results."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count

import pytest

from rdimport.core.row import State
from rdimport.ledger.hashes import hashed
from rdimport.ledger.postgres import connection, schema
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.gathered import Gathered
from rdimport.ledger.postgres.lease import Lease, take
from rdimport.ledger.postgres.parts import recover
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.settings import PLANNED_ONCE
from rdimport.ledger.postgres.writes import Writes
from rdimport.ledger.records import Counters, Outcome, RowResult, SendAttempt
from support.postgres import Server

KEY = bytes(range(32))
QUOTA = b"the account's"
HERE = 1
_NUMBERS = count(1)
_OPEN: list[Session] = []


def end_all() -> None:
    """Close the sessions of all workers."""
    while _OPEN:
        _OPEN.pop().end()


def hurried(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set every database timeout of the ledger to `seconds`, and that of connecting to two seconds,
    libpq's minimum.
    """
    monkeypatch.setitem(connection.WAY, "connect_timeout", 2)
    for name, module in list(sys.modules.items()):
        if name.startswith("rdimport.ledger.postgres."):
            for wait in ("PATIENCE", "SILENCE"):
                if hasattr(module, wait):
                    monkeypatch.setattr(module, wait, seconds)


def row(number: int, version: int = 0) -> SendAttempt:
    identity = number.to_bytes(16, "big")
    return SendAttempt(identity, 0, number, f'{{"n":{number}}}', version=version)


def ended(outgoing: SendAttempt, state: State = State.ACCEPTED) -> RowResult:
    return RowResult(outgoing, Outcome(0, outgoing.row, state, cells=("x",)), "uuid")


@dataclass
class Worker:
    """A run of the only account, on one server."""

    session: Session
    writes: Writes
    lease: Lease
    run: int

    def claim(self, numbers: Iterable[int], version: int = 0) -> list[int]:
        """Claim rows; return those that may be sent."""
        wanted = [row(n, version) for n in numbers]
        return [mine.row for mine in self.writes.apply(wanted, [], Counters())]

    def counted(self) -> dict[str, int]:
        """The run's counts by state, without the rows that were accepted in time."""
        question = "SELECT state, rows FROM rdimport.tally WHERE run = %s"
        return dict(self.session.query(question, (self.run,)))

    def end(self, numbers: Iterable[int], state: State | None = State.ACCEPTED) -> None:
        """Record the result of rows; None: they did not arrive."""
        rows = [row(n) for n in numbers]
        ends = [one if state is None else ended(one, state) for one in rows]
        self.writes.apply([], ends, Counters())


def ledger_at(url: str) -> str:
    """Create the tables; return the address."""
    with Session(parsed(url)) as session:
        schema.make(session, KEY)
    return url


def new_ledger(server: Server) -> str:
    """Create an empty ledger in its own database; return its address."""
    return ledger_at(server.new_database(template_tables(server)))


@cache
def template_tables(server: Server) -> str:
    """A template database with the tables: creating them costs more than all the rest."""
    return as_template(server, ledger_at(server.new_database()))


def as_template(server: Server, url: str) -> str:
    """Let copies of this database be ledgers of their own; return its name."""
    name = url.rpartition("/")[2].replace("%20", " ")
    server.do("DELETE FROM rdimport.setting WHERE name = 'place'", database=name)
    return name


def worker(url: str, lease: Lease | None = None) -> Worker:
    """A worker that takes over the account, unless it shares another worker's `lease`."""
    session = Session(parsed(url), PLANNED_ONCE)
    _OPEN.append(session)
    noted = schema.see(session, KEY)
    schema.see_timeline(session.address, noted, schema.timeline(session))
    if lease is None:
        lapse = "UPDATE rdimport.lease SET until = '-infinity' WHERE quota = %s"
        session.change(lapse, (QUOTA,))
        lease = take(session, QUOTA, "acme")
    with session.transaction() as db:
        recover(db, HERE, lease.epoch)
    name = f"run-{next(_NUMBERS)}"
    ((run,),) = session.change(
        "INSERT INTO rdimport.run (name, destination, process, started_at, facts)"
        " VALUES (%s, %s, 0, '', '{}') RETURNING id",
        (name, HERE),
    )
    session.change("INSERT INTO rdimport.written VALUES (%s, 0, NULL, '')", (run,))
    writes = Writes(
        Gathered(session),
        name,
        run=run,
        destination=HERE,
        lease=lease,
        timeline=noted,
        digests=lambda texts, size: hashed(KEY, texts, size),
    )
    return Worker(session, writes, lease, run)


def states(url: str) -> dict[int, int]:
    """The state of each conversion by its row."""
    with Session(parsed(url)) as session:
        return dict(session.query("SELECT row, state FROM rdimport.conversion"))
