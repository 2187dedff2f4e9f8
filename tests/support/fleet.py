"""Clients with due jobs, workers that run them, and a database in which leases can lapse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from subprocess import Popen

from rdimport.sandbox.embedded import RunningSandbox
from support.claims import as_template
from support.clients import Machine, set_up
from support.lists import people
from support.postgres import Server
from support.waiting import until

CLIENTS = ("acme", "lua")
_LAPSE = "UPDATE rdimport.lease SET until = '-infinity'"
_UNSEEN = "UPDATE rdimport.worker SET seen = clock_timestamp() - interval '10 s'"
_NO_HEARTBEAT = """
UPDATE rdimport_queue.procrastinate_workers SET last_heartbeat = '-infinity'
WHERE id IN (SELECT worker_id FROM rdimport_queue.procrastinate_jobs WHERE status = 'doing')
"""
_REMAINING = (
    "SELECT count(*) FROM rdimport_queue.procrastinate_jobs WHERE starts_with(queue_name, 'jobs')"
)


class FleetWorkspace(Machine):
    """Two clients with one list each that has just become due, under a quota."""

    server: Server
    box: RunningSandbox
    rows = 30
    was_due: datetime | None = None

    @classmethod
    def new(
        cls, home: Path, box: RunningSandbox, server: Server, secrets: Mapping[str, str]
    ) -> FleetWorkspace:
        workspace = cls(home, box.api_key, box.base_url)
        workspace.server, workspace.box = server, box
        workspace.ledger = server.new_database(_tables(server))
        assert workspace.here("fleet", "init").code == 0
        set_up(workspace, secrets, 'report_dir = "reports"')
        return workspace

    def write_lists(self, rows: int) -> None:
        self.rows = rows
        for client in CLIENTS:
            self.write(f"{client}.csv", people(rows).replace("@", f"@{client}."))

    def due(
        self,
        ago: timedelta | None = None,
        quota: str = "none",
        clients: Sequence[str] = CLIENTS,
    ) -> None:
        """Make the jobs of all or some `clients` due that long `ago`; by default some minutes ago
        and later than the last time, so that they have to run again. Only workers that start
        afterwards see the change.
        """
        moment = datetime.now().astimezone() - (ago or timedelta(minutes=5))
        if ago is None and self.was_due:
            moment = max(moment, self.was_due + timedelta(minutes=1))
        self.was_due = moment
        settings = ['[defaults]\nreport_dir = "reports"\npatience = "1s"\n']
        settings += [
            f'[accounts.{client}]\napi_key = {{file = "{client}.key"}}\nquota = "{quota}"\n'
            f'[jobs.{client}-fair]\naccount = "{client}"\nfiles = "{client}.csv"\n'
            'mapping = "list.yaml"\n'
            + f'every = "{moment.minute} {moment.hour} * * *"\n'
            * (client in clients)
            for client in CLIENTS
        ]
        self.write("rdimport.toml", "".join(settings))

    @property
    def database(self) -> str:
        return self.ledger.rpartition("/")[2].replace("%20", " ")

    def lapse(self) -> None:
        """Let half a minute pass without a heartbeat of any worker."""
        self.server.do(_NO_HEARTBEAT, _LAPSE, _UNSEEN, database=self.database)

    def arrived(self) -> Counter[str]:
        return Counter(one["email"] for one in self.box.conversions())

    def of_client(self, client: str) -> int:
        return sum(f"@{client}." in email for email in self.arrived())

    def all_begun(self) -> bool:
        return min(map(self.of_client, CLIENTS)) > 1

    def until_all_send(self) -> None:
        """Wait until a further row of each client has arrived."""
        before = {client: self.of_client(client) for client in CLIENTS}
        until(lambda: all(self.of_client(client) > before[client] for client in CLIENTS))

    def at_work(self) -> dict[str, bool]:
        """The accounts in the queue, and whether a worker runs their jobs."""
        found: dict[str, bool] = {}
        for one in self.status()["queue"]:
            found[one["account"]] = found.get(one["account"], False) or one["at_work"]
        return found

    def jobs_of_workers(self) -> list[int]:
        """How many jobs each live worker runs."""
        found = self.status()["workers"]
        return sorted(len(one["jobs"]) for one in found if one["state"] == "working")

    def states(self) -> list[str]:
        """The states of all known workers."""
        return [one["state"] for one in self.status()["workers"]]

    def until_done(self) -> None:
        until(lambda: not self.server.ask(_REMAINING, database=self.database))

    def finish(self, *workers: Popen[str]) -> None:
        """Drain the workers, and run the rest as fast as possible."""
        assert self.here("fleet", "drain").code == 0
        assert [self.wait(worker).code for worker in workers] == [0] * len(workers)
        self.due()
        assert self.here("worker", "--once").code == 0

    def see_all_accounted_for(self, *, most_in_doubt: int) -> None:
        """Assert that each row arrived once or is in doubt; the ledger counts all of them."""
        assert set(self.arrived().values()) == {1}
        for one in self.status()["jobs"]:
            rows = one["run"]["counts"]
            known = rows["accepted"] + rows["already_imported"]
            assert known + rows["uncertain"] == self.rows, one
            assert known <= self.of_client(one["account"])
            assert rows["uncertain"] <= most_in_doubt


@cache
def _tables(server: Server) -> str:
    """A template database in which a fleet can start."""
    at = Machine(Path.cwd())
    at.ledger = server.new_database()
    assert at.here("fleet", "init").code == 0
    return as_template(server, at.ledger)
