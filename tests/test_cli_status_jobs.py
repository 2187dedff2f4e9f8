"""`rdimport status` for many accounts and jobs: which of them failed last night, and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from support.clients import set_up
from support.command import Workspace
from support.elsewhen import Elsewhen, run_by
from support.lists import MAPPING, people
from support.waiting import until

from rdimport.ledger import store_of
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

CLIENTS = ("acme", "lua", "sol")


@pytest.fixture
def secrets(key_of: Callable[[str], str]) -> dict[str, str]:
    return {client: key_of(client) for client in CLIENTS}


@pytest.fixture
def three_clients(workspace: Workspace, secrets: dict[str, str]) -> Workspace:
    """Three clients whose keys are in files, a list and a mapping for each."""
    return set_up(workspace, secrets, 'report_dir = "reports"')


def nights(workspace: Workspace, *words: object) -> dict[str, dict[str, Any]]:
    """What `status --json` says of each job."""
    found = workspace.here("status", "--json", *words).summary["jobs"]
    return {f"{one['account']} {one['job'] or one['mapping']}": one for one in found}


def test_one_screen_says_whose_job_failed_and_why(three_clients: Workspace) -> None:
    (three_clients.home / "lua.key").unlink()
    three_clients.write("sol.csv", people(5) + "nobody,Ninguém\n")
    assert three_clients.here("jobs", "run", "--config", "rdimport.toml").code == 2
    done = three_clients.here("status", "--check")
    assert done.code == 2
    lines = done.out.splitlines()
    assert lines[0] == "3 jobs: 1 worked, 1 with rows that need attention, 1 failed."
    assert [line.split()[:2] for line in lines[3:6]] == [
        ["lua", "lua-fair"],
        ["sol", "sol-fair"],
        ["acme", "acme-fair"],
    ]
    assert "lua lua-fair: nothing sent" in done.out
    assert f"The key file {three_clients.home}/lua.key does not exist." in " ".join(
        done.out.split()
    )
    assert "rdimport run" in done.out.split("sol sol-fair: some rows failed")[1]
    by_job = nights(three_clients)
    assert {name: one["verdict"] for name, one in by_job.items()} == {
        "lua lua-fair": 2,
        "sol sol-fair": 1,
        "acme acme-fair": 0,
    }
    assert by_job["acme acme-fair"]["last_success"]


@pytest.mark.parametrize("broken", ["mapping", "no file", "no key", "another's file"])
def test_a_run_that_ended_before_it_began_is_known_with_its_reason(
    three_clients: Workspace, broken: str
) -> None:
    mapping = (
        three_clients.write("broken.yaml", "version: 7\n") if broken == "mapping" else "list.yaml"
    )
    name = (
        three_clients.write("list.xlsx", "no workbook")
        if broken == "another's file"
        else "acme.csv"
    )
    name = "none-*.csv" if broken == "no file" else name
    key = () if broken == "no key" else ("--api-key-file", "acme.key")
    ended = three_clients.here("run", name, "-m", mapping, "--account", "acme", *key)
    assert ended.code == 2
    (known,) = nights(three_clients).values()
    run = known["run"]
    assert (known["verdict"], run["run_id"], run["where"]) == (2, "", "failed")
    assert run["error"].splitlines()[0] in ended.err
    assert run["error"].splitlines()[0] in " ".join(three_clients.here("status").out.split())


def test_a_mistyped_command_is_forgotten_once_the_account_has_run(three_clients: Workspace) -> None:
    words = ("--account", "acme", "--api-key-file", "acme.key", "--quota", "none")
    three_clients.here("run", "acme.csv", "-m", "lits.yaml", *words)
    assert three_clients.here("status", "--check").code == 2
    assert three_clients.here("run", "acme.csv", "-m", "list.yaml", *words).code == 0
    assert three_clients.here("status", "--check").code == 0
    assert list(nights(three_clients)) == ["acme list.yaml"]


@pytest.mark.parametrize(
    ("account", "mapping", "days", "stays"),
    [
        ("acmee", "list.yaml", 1, False),
        ("ACMEE", "list.yaml", 1, False),
        ("acmee", "list.yaml", 2, True),
        ("acmee", "other.yaml", 1, True),
        ("nova", "list.yaml", 1, True),
    ],
)
def test_a_mistyped_account_is_forgotten_once_the_right_one_has_run(
    three_clients: Workspace, account: str, mapping: str, days: int, stays: bool
) -> None:
    """What fails night after night in a crontab is never forgotten."""
    words = ("--api-key-file", "acme.key", "--quota", "none")
    right = ("run", "acme.csv", "-m", "list.yaml", "--account", "acme", *words)
    assert three_clients.here(*right).code == 0
    three_clients.write("other.yaml", MAPPING)
    for day in range(days):
        wrong = three_clients.here("run", "acme.csv", "-m", mapping, "--account", account, *words)
        assert wrong.code == 2, wrong.err
        if day:
            with closing(sqlite3.connect(three_clients.state / "ledger.sqlite3")) as ledger, ledger:
                ledger.execute("UPDATE attempt SET at = '2026-01-01T22:30:00+00:00' WHERE id = 1")
    assert three_clients.here("status", "--check").code == 2
    assert three_clients.here(*right).code == 0
    assert (len(nights(three_clients)) == 2, three_clients.here("status", "--check").code == 2) == (
        stays,
        stays,
    )


def test_status_is_narrowed_to_an_account_a_job_and_a_time(three_clients: Workspace) -> None:
    three_clients.here("jobs", "run", "--config", "rdimport.toml")
    assert list(nights(three_clients, "--account", "ACME")) == ["acme acme-fair"]
    assert list(nights(three_clients, "--job", "s*")) == ["sol sol-fair"]
    assert len(nights(three_clients, "--since", "1h")) == 3
    assert nights(three_clients, "--since", "0s") == {}
    assert three_clients.here("status", "--check", "--account", "nobody").code == 3


def test_a_job_that_never_ran_is_not_counted_as_one_that_worked(three_clients: Workspace) -> None:
    three_clients.here("jobs", "run", "acme-*", "--config", "rdimport.toml")
    done = three_clients.here("status", "--config", "rdimport.toml")
    assert done.out.startswith(
        "3 jobs: 1 worked, 0 with rows that need attention, 0 failed, 2 never ran."
    )


def test_check_counts_a_job_that_did_not_run(three_clients: Workspace) -> None:
    there = ("status", "--check", "--config", "rdimport.toml", "--max-age")
    assert three_clients.here(*there, "26h").code == 2
    three_clients.here("jobs", "run", "acme-*", "lua-*", "--config", "rdimport.toml")
    done = three_clients.here(*there, "26h")
    assert (done.code, "sol sol-fair: never ran" in done.out) == (2, True)
    three_clients.here("jobs", "run", "sol-*", "--config", "rdimport.toml")
    assert three_clients.here(*there, "26h").code == 0
    late = three_clients.here(*there, "0s")
    assert (late.code, late.out.count("too long ago")) == (2, 6)


def test_an_unknown_state_ends_with_3_for_monitoring(three_clients: Workspace) -> None:
    assert three_clients.here("status", "--check").code == 3, "nothing ran"
    assert three_clients.here("status", "--check", "--max-age", "soon").code == 3
    assert three_clients.here("status", "--check", "--config", "none.toml").code == 3
    assert three_clients.here("status", "--max-age", "soon").code == 2


@pytest.mark.waits
def test_an_account_in_use_is_no_failure_of_the_run_that_uses_it(
    three_clients: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(latency=2.0))  # more than a minute for all rows
    three_clients.write("acme.csv", people(400))
    words = ("jobs", "run", "acme-*", "--config", "rdimport.toml")
    first = three_clients.start(*words)
    until(lambda: box.requests > 0)
    assert three_clients.here(*words).code == 75
    (known,) = nights(three_clients).values()
    assert known["verdict"] == 0, "the other run is at work"
    box.set_faults(Faults())
    assert three_clients.wait(first).code == 0
    (known,) = nights(three_clients).values()
    assert (known["verdict"], known["run"]["counts"]["accepted"]) == (0, 400)
    with store_of(three_clients.state).hold("acme"):
        assert three_clients.here(*words).code == 75
    assert three_clients.here("status", "--check").code == 2, "a night without a run"


@pytest.mark.parametrize("fails", ["before it begins", "in the middle"])
def test_a_run_of_a_clock_that_was_ahead_hides_no_later_failure(
    workspace: Workspace, box: RunningSandbox, fails: str
) -> None:
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    done = run_by(Elsewhen(timedelta(days=365)), workspace, box, "list.yaml")
    assert done.exit_code == 0
    alone = workspace.here("status", "--check", "--max-age", "26h")
    assert (alone.code, "in the future" in alone.out, "in 36" in alone.out) == (2, True, True)
    words = ("run", "list.csv", "-m", "list.yaml", "--quota", "none")
    if fails == "before it begins":
        (workspace.home / "list.csv").unlink()
        assert workspace.here(*words).code == 2
    else:
        workspace.write("list.csv", people(6))
        box.set_faults(Faults(odd=1.0, odd_status=401))
        assert workspace.here(*words).code == 3
    assert workspace.here("status", "--check", "--max-age", "26h").code == 2
    (known,) = nights(workspace).values()
    assert (known["verdict"], known["too_old"]) == (2, False)
    assert known["last_success"] == done.summary.finished_at
