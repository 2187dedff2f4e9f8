"""A database that keeps its connections, and says nothing on one of them, keeps nobody waiting."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cable import TO_CLIENT, TO_SERVER, Cable, cable
from support.claims import KEY, hurried, new_ledger
from support.command import Workspace
from support.lists import MAPPING, people
from support.postgres import Server, release, serving
from support.waiting import until

from rdimport.core.errors import LedgerError
from rdimport.ledger.postgres import connection
from rdimport.ledger.postgres.address import parsed
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.settings import CLIENT_CHECK
from rdimport.sandbox.embedded import RunningSandbox

pytestmark = pytest.mark.waits
SAYS_NOTHING = "cannot be reached: it did not respond in time"
RUN = "run list.csv -m m.yaml --json --quota none"


class Shared(Workspace):
    """A workspace whose ledger is in a database."""

    server: Server
    box: RunningSandbox

    @property
    def ledger(self) -> str:
        return self.environment["RDIMPORT_LEDGER"]

    @contextmanager
    def by_cable(self) -> Iterator[Cable]:
        """Meanwhile, commands reach it by way of a cable."""
        straight = self.ledger
        with cable(self.server.port) as line:
            far = straight.replace(str(self.server.port), str(line.port))
            self.environment["RDIMPORT_LEDGER"] = far
            yield line
        self.environment["RDIMPORT_LEDGER"] = straight

    def lapse(self) -> None:
        """Half a minute passes in which nobody says that a run goes on."""
        name = self.ledger.rpartition("/")[2].replace("%20", " ")
        self.server.do("UPDATE rdimport.lease SET until = '-infinity'", database=name)


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox, postgres: Server) -> Shared:
    told = {"RDIMPORT_LEDGER": new_ledger(postgres), "RDIMPORT_LEDGER_KEY": KEY.hex()}
    workspace = Shared(tmp_path, box.api_key, box.base_url, environment=told)
    workspace.server, workspace.box = postgres, box
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", people(20))
    assert workspace.here(*RUN.split()).code == 0
    workspace.write("list.csv", people(40))
    return workspace


@pytest.mark.parametrize("way", [TO_SERVER, TO_CLIENT])
@pytest.mark.parametrize(
    ("words", "asked", "code"),
    [
        ("status", b"pg_backend_pid", 3),
        ("status", b"FROM rdimport.setting", 3),
        ("status", b"FROM rdimport.tally", 0),
        (RUN, b"INSERT INTO rdimport.lease", 3),
        (RUN, b"COMMIT", 3),
        (RUN, b"SELECT identity, CASE state", 0),
        (RUN, b"ROLLBACK", 0),
        ("forget p1@example.com", b"FROM rdimport.outcome", 3),
        ("ledger check", b"ISOLATION LEVEL REPEATABLE READ", 0),
        ("ledger check", b"length(identity)", 3),
        ("ledger copy {ledger} copy", b"DECLARE", 3),
        ("fleet init", b"pg_advisory_xact_lock", 3),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else None,
)
def test_a_command_asks_again_or_ends_and_no_row_is_lost_or_sent_twice(
    workspace: Shared,
    monkeypatch: pytest.MonkeyPatch,
    *,
    words: str,
    asked: bytes,
    code: int,
    way: str,
) -> None:
    with workspace.by_cable() as line, monkeypatch.context() as patch:
        hurried(patch, 1.0)
        line.silence(asked, way)
        done = workspace.here(*words.format(ledger=workspace.ledger).split())
        assert line.silenced == 1
    assert (done.code, SAYS_NOTHING in " ".join(done.err.split())) == (code, code != 0)
    workspace.lapse()
    rest = workspace.here(*RUN.split()).summary
    assert rest["accepted"] + rest["already_imported"] == 40
    assert set(Counter(one["email"] for one in workspace.box.conversions()).values()) == {1}


@pytest.fixture
def session(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    with Session(parsed(postgres.new_database())) as one:
        assert one.query("SELECT 1") == [(1,)]
        hurried(monkeypatch, 0.5)
        yield one


def test_a_database_that_is_at_work_for_long_is_waited_for(session: Session) -> None:
    """Within a transaction, too."""
    assert session.ask("SELECT pg_sleep(2)") == [("",)]
    with session.transaction() as db:
        db.execute("SELECT pg_sleep(2)")
    assert session.query("SELECT 1") == [(1,)]


def test_a_database_with_no_connection_left_is_waited_for_though_not_for_ever(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can ask then whether it is at work, only whether it responds."""
    url = postgres.new_database()
    postgres.do("CREATE ROLE lone LOGIN CONNECTION LIMIT 1")
    try:
        with Session(parsed(url.replace("postgres@", "lone@"))) as session:
            ((process,),) = session.query("SELECT pg_backend_pid()")
            hurried(monkeypatch, 0.5)
            assert session.ask("SELECT pg_sleep(2)") == [("",)]
            monkeypatch.setattr(connection, "_MOST_REFUSALS", 2)
            os.kill(process, signal.SIGSTOP)
            try:
                with pytest.raises(LedgerError, match=SAYS_NOTHING):
                    session.ask("SELECT 1")
            finally:
                os.kill(process, signal.SIGCONT)
    finally:
        postgres.do("DROP ROLE lone")


def test_a_query_that_nobody_waits_for_any_more_ends_on_the_server(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if release() < 14:
        pytest.skip("a server does not look for its client before release 14")
    monkeypatch.setitem(CLIENT_CHECK, "client_connection_check_interval", "100ms")
    with Session(parsed(postgres.new_database())) as session:
        ((process,),) = session.query("SELECT pg_backend_pid()")
        hurried(monkeypatch, 0.5)
        with pytest.raises(LedgerError, match=SAYS_NOTHING):
            session.query("SELECT pg_sleep(1000)")
    there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    until(lambda: postgres.ask(there, process) == 0)


@pytest.mark.parametrize("all_of_it", [True, False])
def test_who_is_frozen_is_not_waited_for(
    postgres: Server, session: Session, monkeypatch: pytest.MonkeyPatch, *, all_of_it: bool
) -> None:
    """The server, or the one of its processes that should answer, while another one is at work on
    what was asked before. A ping would take as long as connecting, and hold the GIL.
    """
    pinged: list[str] = []
    monkeypatch.setattr(connection, "_responds", lambda address: pinged.append(address) or False)
    with pytest.raises(LedgerError, match=SAYS_NOTHING):
        session.query("SELECT pg_sleep(120)")
    ((process,),) = session.query("SELECT pg_backend_pid()")
    frozen = [postgres.pid, process] if all_of_it else [process]
    for one in frozen:
        os.kill(one, signal.SIGSTOP)
    try:
        with pytest.raises(LedgerError, match=SAYS_NOTHING):
            session.ask("SELECT 1")
    finally:
        for one in frozen:
            os.kill(one, signal.SIGCONT)
    assert not pinged


def test_a_commit_that_no_standby_confirms_is_not_waited_for_however_long_it_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving() as server, Session(parsed(new_ledger(server))) as session:
        server.reload(synchronous_standby_names="nobody")
        hurried(monkeypatch, 0.5)
        with pytest.raises(LedgerError, match=SAYS_NOTHING), session.transaction() as db:
            db.execute("CREATE TABLE public.another ()")
        server.reload(synchronous_standby_names="")
