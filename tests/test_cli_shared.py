"""Every command that reads a ledger, with a shared one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import Workspace
from support.lists import MAPPING, address, people
from support.postgres import Server

from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

RUN = ("run", "list.csv", "-m", "m.yaml", "--quota", "none", "--json", "--concurrency", "1")


class Machine(Workspace):
    """A workspace whose ledger is in PostgreSQL, behind a password."""

    ledger = ""

    def _variables(self) -> dict[str, str]:
        return super()._variables() | {"RDIMPORT_LEDGER": self.ledger}


@pytest.fixture
def machine(tmp_path: Path, box: RunningSandbox, postgres: Server) -> Machine:
    machine = Machine(tmp_path, box.api_key, box.base_url)
    machine.ledger = postgres.new_database().replace("postgres@", "postgres:s3cret@")
    assert machine.here("fleet", "init").code == 0
    machine.write("m.yaml", MAPPING)
    machine.write("list.csv", people(4) + "nobody,Ninguém\n")
    return machine


def test_tables_of_an_earlier_release_are_brought_up_to_date_by_fleet_init(
    machine: Machine, box: RunningSandbox, postgres: Server
) -> None:
    assert machine.here(*RUN).summary["accepted"] == 4
    database = machine.ledger.rpartition("/")[2].replace("%20", " ")
    before = ("ALTER TABLE rdimport.run ALTER COLUMN facts SET STATISTICS -1", "ANALYZE",
              "ALTER TABLE rdimport.outcome DROP COLUMN identity",
              "DROP TABLE rdimport.corrected",
              "UPDATE rdimport.setting SET value = '1' WHERE name = 'version'")  # fmt: skip
    postgres.do(*before, database=database)
    for words in (RUN, ("status",)):
        done = machine.here(*words)
        assert (done.code, "fleet init" in done.err) == (2, True), done.err
    samples = "SELECT count(*) FROM pg_stats WHERE tablename = 'run' AND attname = 'facts'"
    assert postgres.ask(samples, database=database) == 1
    for _ in range(2):
        assert machine.here("fleet", "init").code == 0
    assert postgres.ask(samples, database=database) == 0, "a person's data outlives a purge there"
    assert machine.here(*RUN).summary["already_imported"] == 4
    assert machine.here("ledger", "check").code == 0
    assert len(box.conversions()) == 4


def test_each_command_finds_the_shared_ledger(machine: Machine, box: RunningSandbox) -> None:
    box.set_faults(Faults(fail_before=1.0))
    assert machine.here(*RUN).summary["uncertain"] == 4
    box.set_faults(Faults())
    later = machine.here(*RUN).summary
    assert (later["uncertain"], later["requests"]) == (4, 0)
    machine.write("hook.jsonl", json.dumps(call(address(0))) + "\n")
    settled = machine.here("settle", "hook.jsonl", "--json")
    assert settled.summary["settled"] == 1, settled.err
    known = machine.here("report", later["run_id"], "--json").summary
    assert (known["uncertain"], known["proved"]) == (3, {"webhook": 1})
    sent = machine.here(*RUN, "--resend", "uncertain")
    assert (sent.summary["accepted"], sent.summary["already_imported"]) == (3, 1)
    assert machine.here("check", *RUN[1:-2]).summary["to_send"] == 0

    (account,) = machine.here("accounts", "list", "--json").summary["accounts"]
    assert (account["account"], account["keys"], account["conversions"]) == ("default", 1, 4)
    assert machine.here("accounts", "rename", "default", "acme").code == 0
    assert machine.here(*RUN, "--account", "acme").summary["already_imported"] == 4

    status = machine.here("status", "--json").summary
    assert len(status["runs"]) == 4
    commands = [step["command"] for run in status["runs"] for step in (run, *run["then"])]
    assert {one.count(" --ledger ") for one in commands if " run " in one} == {1}
    run = sent.summary["run_id"]
    again = machine.here("report", run, "--report-dir", "again", "--json")
    assert again.summary["invalid"] == 1
    assert "nobody" in (machine.home / "again" / run / "failures.csv").read_text()

    erased = machine.here("forget", address(1), "--report-dir", "again")
    assert erased.code == 0, erased.err
    purged = machine.here("purge", "--older-than", "0s")
    assert "4 runs" in purged.out
    whole = machine.here("ledger", "check")
    assert "is sound" in whole.out
    assert machine.here(*RUN, "--account", "acme").summary["already_imported"] == 4
    assert not (machine.state / "ledger.sqlite3").exists()
    for name, what in machine.artefacts().items():
        assert b"s3cret" not in what, name


def test_a_paused_account_that_is_renamed_stays_paused(machine: Machine) -> None:
    assert machine.here(*RUN, "--account", "acme").summary["accepted"] == 4
    assert machine.here("fleet", "pause", "Acme", "sol").code == 0
    for old, new in (("acme", "lua"), ("lua", "Lua Nova")):
        assert machine.here("accounts", "rename", old, new).code == 0
    paused = machine.here("fleet", "status", "--json").summary["paused"]
    assert sorted(one["account"] for one in paused) == ["Lua Nova", "sol"]
    assert machine.here("accounts", "rename", "lua nova", "sol").code == 0
    paused = machine.here("fleet", "status", "--json").summary["paused"]
    assert [one["account"] for one in paused] == ["sol"]
    assert machine.here("accounts", "rename", "sol", "SOL").code == 0
    assert machine.here("accounts", "rename", "SOL", "SOL").code == 0
    paused = machine.here("fleet", "status", "--json").summary["paused"]
    assert [one["account"] for one in paused] == ["SOL"]
    assert "SOL run again" in machine.here("fleet", "resume", "SOL").out


def call(email: str) -> dict[str, object]:
    """RD's webhook call for a conversion."""
    return {
        "event_type": "WEBHOOK.CONVERTED",
        "event_identifier": "Teste",
        "event_timestamp": "2099-01-01T00:00:00.000Z",
        "contact": {"email": email},
    }
