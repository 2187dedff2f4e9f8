"""Which account a key belongs to: nobody is sent twice under two names, and no client's list is
held back because another client's was imported.
"""

from __future__ import annotations

from datetime import datetime
from itertools import count

import pytest
from support.command import Done, Workspace
from support.lists import MAPPING, people

from rdimport.core.names import is_slip
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

NUMBERS = count()


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(3))
    workspace.write("more.csv", people(5))
    return workspace


def run(workspace: Workspace, *words: str, file: str = "list.csv") -> Done:
    return workspace.here("run", file, "-m", "list.yaml", "--quota", "none", "--json", *words)


def accounts(workspace: Workspace) -> dict[str, tuple[int, int]]:
    found = workspace.here("accounts", "list", "--json").summary["accounts"]
    return {one["account"]: (one["keys"], one["conversions"]) for one in found}


def test_a_day_is_written_as_the_reader_writes_it(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert run(workspace).code == 0
    listed = workspace.here("accounts", "list", "--lang", "pt-BR").out
    assert datetime.now().astimezone().strftime("/%m/%Y") in listed


def second(workspace: Workspace, box: RunningSandbox) -> Workspace:
    """A workspace in another folder, with another client's key and the same ledger."""
    key = box.create_key("second", f"client {next(NUMBERS)}")  # the box outlives the test
    return Workspace(workspace.home, key, workspace.base_url)


def test_a_key_used_under_another_name_sends_nobody_twice(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert run(workspace, "--account", "acme").code == 0
    assert run(workspace, "--account", " ÁCME ").summary["already_imported"] == 3
    for words in (["--account", "other"], [], ["--account", "acmee"]):
        done = run(workspace, *words, file="more.csv")
        assert done.code == 2
        assert "acme" in done.err
        assert "--account acme" in done.err
    assert box.counts()["accepted"] == 3
    assert accounts(workspace) == {"acme": (1, 3)}


def test_another_clients_key_under_the_same_name_is_reported_before_anything_is_sent(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert run(workspace).code == 0
    client = second(workspace, box)
    done = run(client)
    assert done.code == 2
    assert "--account NAME" in done.err
    assert "accounts add-key" in done.err
    assert run(client, "--account", "client").summary["accepted"] == 3
    assert run(workspace).summary["already_imported"] == 3
    assert accounts(workspace) == {"default": (1, 3), "client": (1, 3)}


def test_one_more_key_of_an_account_is_added_by_hand_and_then_used(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert run(workspace, "--account", "acme").code == 0
    client = second(workspace, box)
    assert run(client, "--account", "acme", file="more.csv").code == 2
    assert client.here("accounts", "add-key", "--account", "Acme").code == 0
    done = run(client, "--account", "acme", file="more.csv")
    assert (done.summary["already_imported"], done.summary["accepted"]) == (3, 2)
    assert accounts(workspace) == {"acme": (2, 5)}
    wrong = client.here("accounts", "add-key", "--account", "acmee")
    assert wrong.code == 2
    assert "Did you mean “acme”" in wrong.err


def test_a_key_to_add_that_is_missing_is_not_told_of_sending(workspace: Workspace) -> None:
    workspace.key = None
    done = workspace.here("accounts", "add-key", "--account", "acme")
    assert (done.code, "no API key to add" in done.err) == (2, True)
    assert "--sandbox" not in done.err


def test_a_key_with_which_nothing_arrived_is_not_bound(
    workspace: Workspace, box: RunningSandbox
) -> None:
    wrong = Workspace(workspace.home, "a-key-of-nobody-1234", workspace.base_url)
    assert run(wrong).code == 3
    assert run(workspace).code == 0
    assert run(workspace).code == 0
    box.set_faults(Faults(odd=1.0, odd_status=422))
    client = second(workspace, box)
    assert run(client, "--account", "client").code in (1, 3)
    box.set_faults(Faults())
    assert run(client, "--account", "elsewhere", file="more.csv").code == 0


def test_a_key_with_which_a_row_may_have_arrived_is_bound(
    workspace: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(reset_after=1.0))
    assert run(workspace, "--account", "acme").code in (1, 3)
    box.set_faults(Faults())
    done = run(workspace, "--account", "other")
    assert done.code == 2
    assert "acme" in done.err


def test_two_runs_that_begin_at_once_cannot_both_have_a_new_key(
    workspace: Workspace, box: RunningSandbox
) -> None:
    words = ["run", "list.csv", "-m", "list.yaml", "--quota", "none", "--account"]
    started = [workspace.start(*words, name) for name in ("north", "south")]
    codes = sorted(workspace.wait(process).code for process in started)
    assert codes in ([0, 2], [0, 75])  # 75 where the first one has not recorded the key yet
    assert box.counts()["accepted"] == 3


def test_a_killed_run_leaves_its_key_to_its_account_only_if_a_row_may_have_arrived(
    workspace: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(hang_before=1.0))
    words = ["run", "list.csv", "-m", "list.yaml", "--quota", "none", "--account"]
    process = workspace.start(*words, "acme")
    while box.requests < 1:
        assert process.poll() is None
    process.kill()
    workspace.wait(process)
    box.set_faults(Faults())
    done = run(workspace, "--account", "other")
    assert done.code == 2, done.err
    assert "acme" in done.err


def test_an_account_is_renamed_with_its_runs(workspace: Workspace, box: RunningSandbox) -> None:
    assert run(workspace, "--account", "acme").code == 0
    assert workspace.here("accounts", "rename", "ACME", "Loja Norte").code == 0
    assert accounts(workspace) == {"Loja Norte": (1, 3)}
    status = workspace.here("status", "--json").summary["runs"]
    assert [one["account"] for one in status] == ["Loja Norte"]
    assert run(workspace, "--account", "loja norte").summary["already_imported"] == 3
    assert run(workspace, "--account", "acme").code == 2
    client = second(workspace, box)
    assert run(client, "--account", "sul").code == 0
    taken = workspace.here("accounts", "rename", "sul", "loja norte")
    assert taken.code == 2
    assert "already" in taken.err
    unknown = workspace.here("accounts", "rename", "lojanorte", "x")
    assert unknown.code == 2
    assert "Loja Norte" in unknown.err
    assert workspace.here("accounts", "rename", "sul").code == 2


def test_who_has_not_heard_of_the_new_name_sends_nobody_again(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert run(workspace).code == 0
    for old, new in (("default", "acme"), ("acme", "Loja Norte")):
        assert workspace.here("accounts", "rename", old, new).code == 0
    keyless = Workspace(workspace.home, None, workspace.base_url)
    other = second(workspace, box)  # as after a new key was made
    for words in ((), ("--account", "Acme")):
        done = run(other, *words)
        assert (done.code, "is now called “Loja Norte”" in done.err) == (2, True), done.err
        checked = keyless.here("check", "list.csv", "-m", "list.yaml", *words)
        assert (checked.code, "--account 'Loja Norte'" in checked.err) == (2, True), checked.err
    assert box.counts()["accepted"] == 3
    assert run(other, "--account", "acme", "--yes").summary["accepted"] == 3
    assert run(other, "--account", "acme").summary["already_imported"] == 3
    assert workspace.here("accounts", "rename", "loja norte", "default").code == 0
    assert run(workspace).summary["already_imported"] == 3
    assert workspace.here("ledger", "check").code == 0


def test_a_new_name_that_is_probably_a_slip_is_asked_about(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert run(workspace, "--account", "acme").code == 0
    client = second(workspace, box)
    done = run(client, "--account", "acmee")
    assert done.code == 2
    assert "did you mean “acme”" in done.err
    assert run(client, "--account", "acmee", "--yes").summary["accepted"] == 3
    assert run(client, "--account", "acmee").summary["already_imported"] == 3


def test_a_check_says_beforehand_that_a_run_would_refuse_the_account(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert run(workspace, "--account", "acme").code == 0
    client = second(workspace, box)
    checked = ("check", "list.csv", "-m", "list.yaml")
    for whose, words, said in (
        (client, ["--account", "acme"], "another API key"),
        (workspace, ["--account", "other"], "belongs to account “acme”"),
        (client, ["--account", "acmee"], "did you mean “acme”"),
        (
            Workspace(workspace.home, None, workspace.base_url),
            ["--account", "acmee"],
            "did you mean “acme”",
        ),
    ):
        done = whose.here(*checked, *words)
        assert done.code == 2
        assert said in done.err
    for whose, words in (
        (workspace, ["--account", "acme"]),
        (client, ["--account", "acmee", "--yes"]),
        (Workspace(workspace.home, None, workspace.base_url), ["--account", "acme"]),
        (workspace, ["--account", "acme", "--api-key-file", "no-such-key"]),
    ):
        assert whose.here(*checked, *words).code == 0
    assert accounts(workspace) == {"acme": (1, 3)}


@pytest.mark.parametrize(
    ("name", "known", "slip"),
    [
        ("acmee", "acme", True),
        ("ac-me", "acme", True),
        ("clinica sorriso", "clínica sorisso", True),
        ("loja2", "loja1", False),
        ("loja 2", "loja", False),
        ("client-a", "client-b", False),
        ("loja sul", "loja sao", False),
        ("north", "south", False),
        ("a", "b", False),
    ],
)
def test_names_that_were_told_apart_on_purpose_are_no_slips(
    name: str, known: str, *, slip: bool
) -> None:
    assert is_slip(name, known) is slip


def test_sandboxes_of_single_runs_are_asked_nothing(workspace: Workspace) -> None:
    for account in ("acme", "other"):
        assert run(workspace, "--account", account, "--sandbox").code == 0
    assert accounts(workspace) == {}


def test_the_ledger_never_holds_a_key(workspace: Workspace) -> None:
    assert run(workspace).code == 0
    assert workspace.key is not None
    for name, content in workspace.artefacts().items():
        assert workspace.key.encode() not in content, name
