"""Jobs of `rdimport.toml` whose ledger is in PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

from support.command import Workspace
from support.lists import MAPPING, people
from support.postgres import Server

from rdimport.sandbox.embedded import RunningSandbox


def test_a_job_sends_from_the_shared_ledger_of_the_settings_and_status_finds_it_there(
    tmp_path: Path, box: RunningSandbox, postgres: Server
) -> None:
    workspace = Workspace(tmp_path, box.api_key, box.base_url)
    url = postgres.new_database()
    assert workspace.here("fleet", "init", "--ledger", url).code == 0
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", people(5))
    workspace.write(
        "rdimport.toml",
        f"""[defaults]
ledger = "{url}"
[accounts.acme]
api_key = {{file = "key"}}
[jobs.fair]
account = "acme"
files = "list.csv"
mapping = "m.yaml"
""",
    )
    workspace.write("key", box.api_key)
    (tmp_path / "key").chmod(0o600)
    ran = workspace.here("jobs", "run", "--config", "rdimport.toml", "--json")
    assert ran.code == 0, ran.err
    assert len(box.conversions()) == 5
    assert not (workspace.state / "ledger.sqlite3").exists()
    status = workspace.here("status", "--config", "rdimport.toml", "--json")
    (job,) = json.loads(status.out)["jobs"]
    assert (job["job"], job["run"]["counts"]["accepted"]) == ("fair", 5)
    assert url in workspace.here("jobs", "check", "--config", "rdimport.toml").out
