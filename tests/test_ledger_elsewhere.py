"""A run with another ledger than the one an account was sent from: nobody is sent again unasked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from support.claims import KEY
from support.command import Done, Workspace
from support.lists import MAPPING, people
from support.litter import DATA_HOME
from support.postgres import Server

import rdimport
from rdimport.sandbox.embedded import RunningSandbox

FirstRun = Callable[[Callable[[], Done]], Done]

ASKED = "Rows were sent to this RD Station account with another ledger"


@pytest.fixture
def used(workspace: Workspace) -> Workspace:
    """A workspace that has sent a list from the directory `first`."""
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    assert run(workspace, "first").code == 0
    return workspace


def words(state_dir: str | Path, *more: object, command: str = "run") -> tuple[object, ...]:
    there = ("--quota", "none", "--state-dir", state_dir, *more)
    return (command, "list.csv", "-m", "list.yaml", *there)


def run(workspace: Workspace, state_dir: str | Path, *more: object, command: str = "run") -> Done:
    return workspace.here(*words(state_dir, *more, command=command))


def accept(workspace: Workspace, state_dir: str) -> Done:
    return workspace.here("ledger", "accept", "--state-dir", state_dir, "--yes")


def test_nobody_is_sent_again_from_another_state_directory(
    used: Workspace, box: RunningSandbox
) -> None:
    for command in ("check", "run", "run"):
        done = run(used, "second", command=command)
        assert (done.code, ASKED in done.err) == (2, True)
        assert f"--state-dir {used.home / 'first'}\n" in done.err
    assert len(box.conversions()) == 3
    assert run(used, "first").code == 0
    assert len(box.conversions()) == 3


def test_nor_by_a_command_that_lacks_the_environment_of_the_others(
    used: Workspace, box: RunningSandbox
) -> None:
    """As in a crontab: its runs use the default directory."""
    used.environment["RDIMPORT_STATE_DIR"] = str(used.home / "first")
    words = ("list.csv", "-m", "list.yaml")
    assert used.here("check", *words).code == 0
    del used.environment["RDIMPORT_STATE_DIR"]
    for command in ("check", "run"):
        done = used.here(command, *words)
        assert (done.code, ASKED in done.err) == (2, True)
    assert len(box.conversions()) == 3


@pytest.mark.parametrize("command", ["check", "run"])
def test_who_means_both_says_so_once_for_each(
    used: Workspace, box: RunningSandbox, command: str
) -> None:
    refused = run(used, "second", command=command)
    remedy = f"rdimport ledger accept --state-dir {used.home / 'second'}"
    assert remedy in refused.err
    asked = used.here(*remedy.split()[1:])
    assert (asked.code, str(used.home / "first") in asked.err) == (2, True)
    assert run(used, "second").code == 2
    assert accept(used, "second").code == 0
    assert run(used, "second").code == 0
    assert len(box.conversions()) == 6
    back = run(used, "first")
    assert (back.code, f"--state-dir {used.home / 'second'}\n" in back.err) == (2, True)
    assert accept(used, "first").code == 0
    for name in ("first", "second", "first", "second"):
        assert run(used, name).code == 0
    assert len(box.conversions()) == 6
    assert "nothing to accept" in accept(used, "first").out
    assert run(used, "third").code == 2


def test_who_agrees_is_asked_about_no_other_clients_ledger(
    used: Workspace, box: RunningSandbox, key_of: Callable[[str], str]
) -> None:
    client = Workspace(used.home, key_of("second"), box.base_url)
    assert run(client, "client").code == 0
    assert run(used, "second").code == 2
    asked = accept(used, "second")
    assert f"Rows were also sent with {used.home / 'first'}. The ledger" in asked.err
    assert run(used, "second").code == 0
    assert "nothing to accept" in accept(used, "second").out
    refused = run(client, "second", "--account", "client")
    assert (refused.code, f"ledger: {used.home / 'client'}. " in refused.err) == (2, True)
    asked = accept(used, "second")
    assert f"Rows were also sent with {used.home / 'client'}. The ledger" in asked.err
    assert run(client, "second", "--account", "client").code == 0
    assert len(box.conversions()) == 12


def test_a_directory_of_a_first_trial_does_not_send_again_later(
    used: Workspace, box: RunningSandbox
) -> None:
    accept(used, "second")
    used.write("list.csv", people(5))
    assert run(used, "second").code == 0
    done = run(used, "first")  # it knows three of them
    assert (done.code, ASKED in done.err) == (2, True)
    assert len(box.conversions()) == 3 + 5


def test_who_starts_over_has_said_so(used: Workspace, box: RunningSandbox) -> None:
    assert used.here("ledger", "new", "--state-dir", "second", "--yes").code == 0
    assert run(used, "second").code == 0
    assert len(box.conversions()) == 6


def test_the_name_of_the_account_is_told(used: Workspace) -> None:
    done = run(used, "second", "--account", "another")
    assert done.code == 2
    assert f"--state-dir {used.home / 'first'} --account default\n" in done.err


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_a_name_of_two_lines_is_shown_on_one(used: Workspace) -> None:
    done = run(used, "a\nb")
    assert (done.code, r"first. a\nb does not know" in done.err) == (2, True)


def test_the_ledgers_of_two_clients_go_on(used: Workspace, box: RunningSandbox) -> None:
    """Each has a directory and a key, and both are called `default`."""
    client = Workspace(used.home, box.create_key("second", "second"), box.base_url)
    for _night in range(2):
        assert run(client, "second").code == 0
        assert run(used, "first").code == 0
    assert len(box.conversions()) == 6


def test_a_directory_that_was_moved_or_copied_is_no_other_one(
    used: Workspace, box: RunningSandbox
) -> None:
    (used.home / "first").rename(used.home / "moved")
    assert run(used, "moved").code == 0
    copied = used.here("ledger", "copy", "moved", "copied")
    assert copied.code == 0
    assert run(used, "copied").code == 0
    assert len(box.conversions()) == 3


@pytest.mark.parametrize("what", ["gone", "broken"])
def test_a_ledger_that_cannot_say_whom_it_sent_is_no_reason_to_stop(
    used: Workspace, what: str
) -> None:
    ledger = used.home / "first" / "ledger.sqlite3"
    if what == "gone":
        shutil.rmtree(ledger.parent)
    else:
        ledger.write_bytes(b"no ledger" * 1000)
    assert run(used, "second").code == 0


@pytest.fixture
def keyless(used: Workspace) -> Workspace:
    """The key of the hashes of `first` is kept apart, and not at hand."""
    moved = used.here("ledger", "key", "--move-to", "key", "--state-dir", "first")
    assert moved.code == 0
    (used.home / "key").rename(used.home / "moved")
    return used


def forget_keys(workspace: Workspace) -> None:
    """Earlier releases did not record them."""
    for path in workspace.home.rglob("rdimport-ledgers/*/api-keys"):
        path.unlink()


@pytest.mark.parametrize("recorded", [True, False])
def test_nobody_is_sent_again_without_the_key_of_the_other_ledger(
    keyless: Workspace, box: RunningSandbox, recorded: bool
) -> None:
    if not recorded:
        forget_keys(keyless)
    asked = ASKED if recorded else "Rows were sent to an account of this name with another ledger"
    for command in ("check", "run"):
        done = run(keyless, "second", command=command)
        assert (done.code, asked in done.err) == (2, True)
        assert f"--state-dir {keyless.home / 'first'}\n" in done.err
    assert len(box.conversions()) == 3
    if recorded:
        assert run(keyless, "second", "--account", "another").code == 2
    keyless.environment["RDIMPORT_LEDGER_KEY_FILE"] = str(keyless.home / "moved")
    assert run(keyless, "first").code == 0
    del keyless.environment["RDIMPORT_LEDGER_KEY_FILE"]
    assert accept(keyless, "second").code == 0
    assert run(keyless, "second").code == 0


def test_nor_with_another_key_of_the_account(keyless: Workspace, box: RunningSandbox) -> None:
    keyless.environment["RDIMPORT_LEDGER_KEY_FILE"] = str(keyless.home / "moved")
    keyless.key = KEY.hex()
    assert keyless.here("accounts", "add-key", "--state-dir", "first").code == 0
    del keyless.environment["RDIMPORT_LEDGER_KEY_FILE"]
    done = run(keyless, "second")
    assert (done.code, ASKED in done.err) == (2, True)
    assert len(box.conversions()) == 3


def test_but_an_api_key_with_which_nothing_was_sent_goes_on(
    keyless: Workspace, box: RunningSandbox, key_of: Callable[[str], str]
) -> None:
    keyless.write("list.csv", "E-mail,Nome\nnenhum,Ana\n")
    client = Workspace(keyless.home, key_of("second"), box.base_url)
    client.environment["RDIMPORT_LEDGER_KEY_FILE"] = str(keyless.home / "moved")
    assert run(client, "first", "--account", "client").code == 1
    del client.environment["RDIMPORT_LEDGER_KEY_FILE"]
    keyless.write("list.csv", people(3))
    assert run(client, "client").code == 0
    assert len(box.conversions()) == 6


def test_the_ledgers_of_two_clients_with_a_key_of_their_hashes_each_go_on(
    workspace: Workspace, box: RunningSandbox, key_of: Callable[[str], str]
) -> None:
    """Each also has a directory and an API key, and both are called `default`."""
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    one = {"RDIMPORT_LEDGER_KEY": KEY.hex()}
    other = {"RDIMPORT_LEDGER_KEY": KEY[::-1].hex()}
    first = Workspace(workspace.home, box.api_key, box.base_url, environment=one)
    second = Workspace(workspace.home, key_of("second"), box.base_url, environment=other)
    for night in range(4):
        for command in ("check", "run"):
            assert run(first, "first", command=command).code == 0
            assert run(second, "second", command=command).code == 0
        if night == 1:
            forget_keys(workspace)
    assert len(box.conversions()) == 6
    twin = Workspace(workspace.home, first.key, box.base_url, environment=other)
    assert run(twin, "third").code == 2


@pytest.fixture
def first_run(
    workspace: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> FirstRun:
    """Performs the first run of an account, and another command when it is about to send."""
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    monkeypatch.chdir(workspace.home)

    def performed(meanwhile: Callable[[], Done]) -> Done:
        done: list[Done] = []

        def see(event: rdimport.Event) -> None:
            if type(event).__name__ == "PlanFinished":
                done.append(meanwhile())

        monkeypatch.setenv(DATA_HOME, str(workspace.home / ".local" / "share"))
        to = rdimport.RDStation(box.api_key, base_url=box.base_url)
        ran = rdimport.run("list.csv", "list.yaml", to=to, state_dir="first", on_event=see)
        assert ran.exit_code == 0
        return done[0]

    return performed


@pytest.mark.parametrize("home", ["writable", "not writable"])
def test_two_first_runs_at_once_send_nobody_twice(
    workspace: Workspace, box: RunningSandbox, first_run: FirstRun, home: str
) -> None:
    if home == "not writable" and os.name != "nt":
        workspace.write(".local", "no folder")
    second = first_run(lambda: workspace.do(*words("second")))
    assert (second.code, "The first run of this RD Station account" in second.err) == (75, True)
    assert len(box.conversions()) == 3


def test_nor_where_the_second_one_waits(
    workspace: Workspace, box: RunningSandbox, first_run: FirstRun
) -> None:
    started: list[Popen[str]] = []

    def start() -> Done:
        started.append(workspace.start(*words("second", "--wait", "1m")))
        return workspace.do(*words("third"))

    assert first_run(start).code == 75
    done = workspace.wait(started[0])
    assert (done.code, ASKED in done.err) == (2, True)
    assert len(box.conversions()) == 3


@pytest.mark.parametrize("account", ["default", "two"])
def test_first_runs_of_two_clients_at_once_both_send(
    workspace: Workspace,
    box: RunningSandbox,
    first_run: FirstRun,
    key_of: Callable[[str], str],
    account: str,
) -> None:
    """With a directory each, or as two accounts of one."""
    client = Workspace(workspace.home, key_of("second"), box.base_url)
    state_dir = "second" if account == "default" else "first"
    assert first_run(lambda: client.do(*words(state_dir, "--account", account))).code == 0
    assert len(box.conversions()) == 6


@pytest.mark.skipif(os.name == "nt", reason="no such permissions there")
def test_nobody_else_sees_hashes_of_api_keys(used: Workspace) -> None:
    (keys,) = used.home.rglob("rdimport-ledgers/*/api-keys")
    mark = keys.read_text().split()[-1]
    named = [path for path in used.home.rglob("*") if mark in path.name]
    assert len(named) == 1
    assert {path.parent.stat().st_mode & 0o077 for path in (keys, *named)} == {0}


@pytest.fixture
def shared(used: Workspace, postgres: Server) -> str:
    """A shared ledger that nobody has used."""
    url = postgres.new_database()
    used.environment["RDIMPORT_LEDGER_KEY"] = KEY.hex()
    assert used.here("fleet", "init", "--ledger", url).code == 0
    return url


def test_nobody_is_sent_again_with_a_shared_ledger_from_another_directory(
    used: Workspace, box: RunningSandbox, shared: str
) -> None:
    used.environment["RDIMPORT_STATE_DIR"] = "first"
    refused = run(used, "second", "--ledger", shared)
    assert (refused.code, f"--state-dir {used.home / 'first'}\n" in refused.err) == (2, True)
    remedy = f"rdimport ledger accept --ledger {shared} --state-dir {used.home / 'second'}"
    assert f"{remedy}\n" in refused.err
    asked = used.here(*remedy.split()[1:], "--yes")
    assert (asked.code, f"sent with {used.home / 'first'}. The ledger" in asked.err) == (0, True)
    assert run(used, "second", "--ledger", shared).code == 0
    assert len(box.conversions()) == 6


def test_a_refused_run_with_a_shared_ledger_is_no_use_of_it(used: Workspace, shared: str) -> None:
    assert run(used, "second", "--ledger", shared).code == 2
    shutil.rmtree(used.home / "first")
    assert run(used, "second").code == 0


@pytest.mark.parametrize("copied", [False, True])
def test_nor_if_both_ledgers_have_one_key(
    workspace: Workspace, box: RunningSandbox, postgres: Server, copied: bool
) -> None:
    """A copy has its key too, but knows whom the other one has sent."""
    workspace.environment["RDIMPORT_LEDGER_KEY"] = KEY.hex()
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    assert run(workspace, "first").code == 0
    url = postgres.new_database()
    if not copied:
        assert workspace.here("fleet", "init", "--ledger", url).code == 0
        assert run(workspace, "second", "--ledger", url).code == 2
    else:
        assert workspace.here("ledger", "copy", "first", url).code == 0
        assert run(workspace, "second", "--ledger", url).code == 0
    assert len(box.conversions()) == 3


@pytest.mark.parametrize("commands", [("check",), ("check", "run")])
def test_nor_without_the_shared_ledger_from_another_directory(
    used: Workspace, box: RunningSandbox, shared: str, commands: tuple[str, ...]
) -> None:
    shutil.rmtree(used.home / "first")
    assert run(used, "second", "--ledger", shared).code == 0
    sent = len(box.conversions())
    for command in commands:
        refused = run(used, "third", command=command)
        assert (refused.code, f"--ledger {shared}\n" in refused.err) == (2, True)
    assert len(box.conversions()) == sent
    assert accept(used, "third").code == 0
    assert run(used, "third").code == 0


@pytest.mark.parametrize(
    "content",
    [
        '{"ledger": ["a"], "writes": 1, "run": "r", "since": "s", "directory": 5}',
        '{"ledger": "a", "writes": 1e999, "run": "r", "since": "s", "directory": "/\\u0000"}',
        "[" * 200_000,
        None,
    ],
    ids=["types", "infinite", "deep", "a pipe"],
)
def test_a_record_that_nobody_can_read_stops_nobody(used: Workspace, content: str | None) -> None:
    (record,) = {path.parent for path in used.home.rglob("rdimport-ledgers/*/*.sent")}
    damaged = record.with_name("damaged")
    damaged.mkdir()
    for name in ("a.sent", "shared-ledger"):
        if content is not None:
            (damaged / name).write_text(content)
        elif hasattr(os, "mkfifo"):
            os.mkfifo(damaged / name)
    used.write("list.csv", people(4))
    assert run(used, "first").code == 0
    assert run(used, "second").code == 2


@pytest.mark.parametrize("name", ["api-keys", "asked"])
@pytest.mark.parametrize(
    ("content", "is_read"),
    [(b"cut within \xc3", True), (b"\n" * (2 << 20), False)],
    ids=["cut", "long"],
)
def test_nor_does_a_damaged_list(used: Workspace, name: str, content: bytes, is_read: bool) -> None:
    """A line is added once to one that can be read."""
    assert run(used, "second").code == 2
    (file,) = used.home.rglob(f"rdimport-ledgers/*/{name}")
    noted = file.read_bytes()
    file.write_bytes(content)
    for _night in range(2):
        assert run(used, "first").code == 0
        assert run(used, "second").code == 2
    assert file.read_bytes() == content + (b"\n" + noted if is_read else b"")
    assert accept(used, "second").code == 0
    assert run(used, "second").code == 0
