"""A ledger, a state folder, a key file or a log that another user made or can access."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from support.command import Workspace
from support.waiting import until

import rdimport
from rdimport.core.events import Event, RowsRead
from rdimport.ledger import store_of
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = "version: 1\nconversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"
ROWS = "Nome;E-mail\nAna;ana@exemplo.com.br\nBia;sem arroba\n"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")


@pytest.fixture
def used(workspace: Workspace) -> Workspace:
    """A workspace that has sent a list."""
    workspace.write("a.csv", ROWS)
    workspace.write("a.yaml", MAPPING)
    assert run(workspace).code == 1
    return workspace


def run(workspace: Workspace, *more: object):
    return workspace.here("run", "a.csv", "-m", "a.yaml", "--quota", "none", *more)


def mended_by(text: str) -> None:
    """Type the command named in a message, in a shell."""
    (command,) = re.findall(r"Type: (.*)", text)
    subprocess.run(["/bin/sh", "-c", command], check=True)


def test_a_folder_that_others_may_list_is_closed_with_a_notice_and_work_continues(
    used: Workspace,
) -> None:
    used.state.chmod(0o755)
    done = run(used)
    assert done.code == 1
    assert used.state.stat().st_mode & 0o777 == 0o700
    again = used.do("run", "a.csv", "-m", "a.yaml", "--quota", "none")
    assert "restricted to you" not in again.err
    used.state.chmod(0o711)
    assert "restricted to you" in used.do("status").err


@pytest.mark.parametrize("name", ["home", "tool"])
def test_a_folder_with_something_for_others_is_not_closed(used: Workspace, name: str) -> None:
    """As if root named `/` or `/usr/bin`: nobody else could use this machine any more."""
    other = used.state / name
    other.mkdir() if name == "home" else other.touch()
    other.chmod(0o755)
    used.state.chmod(0o755)
    assert "restricted to you" not in run(used).err
    assert used.state.stat().st_mode & 0o777 == 0o755
    used.state.chmod(0o1777)
    done = run(used)
    assert (done.code, "chmod" in done.err, "--state-dir" in done.err) == (2, False, True)
    other.chmod(0o700)
    assert "chmod" in run(used).err


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o722])
def test_a_folder_that_others_may_write_to_is_refused_until_it_is_mended(
    used: Workspace, box: RunningSandbox, mode: int
) -> None:
    used.write("a.csv", ROWS + "Caio;caio@exemplo.com.br\n")
    used.state.chmod(mode)
    done = run(used)
    assert done.code == 2
    assert len(box.conversions()) == 1
    assert used.here("status").code == 2
    mended_by(done.err)
    assert run(used).code == 1
    assert len(box.conversions()) == 2


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666])
def test_a_ledger_that_others_can_read_is_refused_until_it_is_mended(
    used: Workspace, mode: int
) -> None:
    used.state.chmod(0o755)
    (used.state / "ledger.sqlite3").chmod(mode)
    done = run(used)
    assert done.code == 2
    mended_by(done.err)
    assert run(used).code == 1


def test_a_ledger_in_a_folder_that_nobody_can_enter_is_read_by_nobody(used: Workspace) -> None:
    (used.state / "ledger.sqlite3").chmod(0o644)
    assert run(used).code == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("which", ["state", "state/ledger.sqlite3"])
def test_what_belongs_to_another_user_is_refused(used: Workspace, which: str) -> None:
    os.chown(used.home / which, 65_534, 65_534)
    for lock in used.state.glob("*.lock"):  # our locks would keep that user's runs out
        lock.unlink()
    purge = ("purge", "--older-than", "0s")
    for words in (("status",), purge, ("report",), ("accounts", "list"), ("ledger", "check")):
        done = used.here(*words)
        assert done.code == 2
        assert "belongs to another user (nobody)" in done.err
    assert run(used).code == 2
    assert list(used.state.glob("*.lock")) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
def test_a_key_file_of_another_user_is_refused(used: Workspace) -> None:
    key = used.home / "key"
    key.write_text(str(used.key))
    key.chmod(0o600)
    assert run(used, "--api-key-file", key).code == 1
    os.chown(key, 65_534, 65_534)
    done = run(used, "--api-key-file", key)
    assert done.code == 2
    assert "belongs to another user" in done.err


PROGRAMS = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM posted; END",
    "view": "CREATE VIEW v AS SELECT * FROM run",
    "other conversion": "DROP VIEW conversion; CREATE VIEW conversion AS SELECT * FROM posted",
    "virtual table": "CREATE VIRTUAL TABLE f USING fts5(a)",
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_ledger_with_a_program_in_it_is_refused(
    used: Workspace, box: RunningSandbox, what: str
) -> None:
    with closing(sqlite3.connect(used.state / "ledger.sqlite3")) as db:
        db.executescript(PROGRAMS[what])
    for words in (("status",), ("purge", "--older-than", "0s"), ("ledger", "check")):
        done = used.here(*words)
        assert done.code == 2, words
        assert "not ours" in done.err + done.out
    assert run(used).code == 2
    assert len(box.conversions()) == 1


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
def test_a_ledger_that_is_a_link_sends_nothing_and_its_own_name_is_told(
    used: Workspace, box: RunningSandbox, lang: str
) -> None:
    """Runs by both names would hold different locks, and send the same rows."""
    used.write("a.csv", ROWS + "Caio;caio@exemplo.com.br\n")
    other = used.home / "other"
    other.mkdir(mode=0o700)
    (other / "ledger.sqlite3").symlink_to(used.state / "ledger.sqlite3")
    done = run(used, "--state-dir", other, "--lang", lang)
    assert (done.code, "link" in done.err) == (2, True)
    assert len(box.conversions()) == 1
    assert used.here("status", "--state-dir", other).code == 0
    (options,) = re.findall(r": (--state-dir .*)", done.err)
    again = run(used, *shlex.split(options), "--json").summary
    assert (again["already_imported"], again["accepted"]) == (1, 1)
    assert len(box.conversions()) == 2


def test_a_link_to_a_ledger_of_another_name_is_undone_with_what_is_only_in_its_wal(
    used: Workspace, box: RunningSandbox
) -> None:
    used.write("a.csv", ROWS + "Caio;caio@exemplo.com.br\n")
    ledger, elsewhere = used.state / "ledger.sqlite3", used.home / "the data.db"
    with closing(sqlite3.connect(ledger)) as reader:  # while it reads, the WAL is kept
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM run").fetchone()
        assert run(used).code == 1
        for part in ("-wal", ""):
            shutil.copy(f"{ledger}{part}", f"{elsewhere}{part}")
    ledger.unlink()
    ledger.symlink_to(elsewhere)
    done = run(used)
    assert done.code == 2
    mended_by(done.err)
    again = run(used, "--json").summary
    assert (again["already_imported"], again["accepted"]) == (2, 0)
    assert len(box.conversions()) == 2


def test_a_link_to_nothing_makes_no_ledger(used: Workspace, box: RunningSandbox) -> None:
    empty = used.home / "empty"
    empty.mkdir(mode=0o700)
    (empty / "ledger.sqlite3").symlink_to(used.home / "nothing.db")
    done = run(used, "--state-dir", empty)
    assert (done.code, "mount its disk" in done.err) == (2, True)
    assert not (used.home / "nothing.db").exists()
    assert len(box.conversions()) == 1


def test_a_log_is_for_its_owner_and_is_not_written_through_a_link(used: Workspace) -> None:
    log, victim = used.home / "a.log", used.home / "victim"
    log.write_text("before\n")
    log.chmod(0o644)
    assert run(used, "--log-file", log).code == 1
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.read_text().startswith("before\n")
    victim.write_text("mine")
    log.unlink()
    log.symlink_to(victim)
    done = run(used, "--log-file", log)
    assert done.code == 2
    assert "link" in done.err
    assert victim.read_text() == "mine"


def test_a_log_may_be_what_the_system_offers_as_a_stream(used: Workspace) -> None:
    done = used.do("run", "a.csv", "-m", "a.yaml", "--quota", "none", "--log-file", "/dev/stderr")
    assert done.code == 1, done.err


@pytest.mark.parametrize("same_file", [False, True], ids=["copy", "hard link"])
@pytest.mark.parametrize("rows", [ROWS, "Nome;E-mail\nBia;sem arroba\n"], ids=["sent", "new"])
def test_of_a_ledger_and_its_copy_only_one_runs_at_a_time(
    rows: str, same_file: bool, workspace: Workspace, box: RunningSandbox
) -> None:
    """Each plans before the other one has sent anything, so neither would know the other's rows."""
    workspace.environment["XDG_DATA_HOME"] = os.environ["XDG_DATA_HOME"]
    workspace.write("a.yaml", MAPPING)
    workspace.write("a.csv", rows)
    assert run(workspace).code == 1
    other = workspace.home / "other"
    other.mkdir(mode=0o700)
    copy = os.link if same_file else shutil.copy2
    copy(workspace.state / "ledger.sqlite3", other / "ledger.sqlite3")
    workspace.write("a.csv", ROWS + "Caio;caio@exemplo.com.br\n")
    late = []

    def on_event(event: Event) -> None:
        if isinstance(event, RowsRead) and not late:
            late.append(run(workspace, "--state-dir", other))

    done = rdimport.run(
        workspace.home / "a.csv",
        workspace.home / "a.yaml",
        to=rdimport.RDStation(box.api_key, base_url=box.base_url),
        quota=None,
        state_dir=workspace.state,
        report_dir=workspace.reports,
        on_event=on_event,
    )
    assert done.counts[rdimport.State.ACCEPTED] == (1 if rows == ROWS else 2)
    assert [one.code for one in late] == [75], late
    first = rows != ROWS and not same_file
    assert ("The first run of this RD Station account" if first else "another name") in late[0].err
    arrived = [one["email"] for one in box.conversions()]
    assert sorted(arrived) == ["ana@exemplo.com.br", "caio@exemplo.com.br"]
    again = run(workspace, "--state-dir", other)
    assert again.code == (1 if same_file else 2), again.err
    assert len(box.conversions()) == 2


@pytest.mark.parametrize(
    "command",
    [
        "purge --older-than 0d",
        "forget ana@exemplo.com.br",
        "accounts rename default new",
        "ledger accept --yes",
        "settle webhooks.jsonl --base-url {url}",
    ],
)
@pytest.mark.parametrize("account", ["default", "second"])
def test_no_command_writes_to_a_ledger_that_a_run_uses_under_another_name(
    command: str, account: str, used: Workspace, box: RunningSandbox
) -> None:
    """Each name has a log of its own, so the run's ledger would be damaged."""
    used.write("webhooks.jsonl", "{}\n")
    other = used.home / "other"
    other.mkdir(mode=0o700)
    os.link(used.state / "ledger.sqlite3", other / "ledger.sqlite3")
    refuse_during_run(used, box, account, command.format(url=box.base_url), other)


@pytest.mark.parametrize("has_home", [True, False])
def test_nor_does_one_in_a_backup_of_hard_links(
    used: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch, *, has_home: bool
) -> None:
    """`cp -al` links the lock files too. Services often have a home that cannot be written to."""
    if not has_home:
        monkeypatch.setenv("XDG_DATA_HOME", f"{os.devnull}/none")
        monkeypatch.setattr(tempfile, "tempdir", str(used.home))
        used.environment["TMPDIR"] = str(used.home)
    other = used.home / "other"
    shutil.copytree(used.state, other, copy_function=os.link)
    refuse_during_run(used, box, "default", "purge --older-than 0d", other)
    assert has_home != any(used.home.glob("rdimport-locks-*"))


@pytest.mark.skipif(sys.platform == "win32", reason="a user's temporary files are his own there")
def test_locks_in_a_folder_that_others_can_write_to_are_not_used(
    used: Workspace,
) -> None:
    used.environment |= {"XDG_DATA_HOME": f"{os.devnull}/none", "TMPDIR": str(used.home)}
    folder = used.home / f"rdimport-locks-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert run(used).code in (0, 1)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["run a.csv -m a.yaml --quota none", "purge --older-than 0d"])
def test_nothing_begins_while_a_command_writes_by_another_name(
    command: str, used: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That command looked before this one began; nor does a run with a sandbox hold an account."""
    monkeypatch.setenv("XDG_DATA_HOME", str(used.home / ".local" / "share"))
    other = used.home / "other"
    other.mkdir(mode=0o700)
    os.link(used.state / "ledger.sqlite3", other / "ledger.sqlite3")
    with store_of(other).open() as ledger:  # as a purge does, for as long as it takes
        refused = used.do(*command.split())
        assert refused.code == 75
        assert "under another name" in refused.err
        ledger.people.empty_log()
    assert used.do("ledger", "check").code == 0
    assert run(used).code in (0, 1)
    assert used.do("ledger", "check").code == 0
    assert not list((used.home / ".local").rglob("*.open"))


def refuse_during_run(
    used: Workspace, box: RunningSandbox, account: str, command: str, other: Path
) -> None:
    used.environment["XDG_DATA_HOME"] = os.environ["XDG_DATA_HOME"]
    used.write("a.csv", ROWS + "Caio;caio@exemplo.com.br\n")
    late = []

    def on_event(event: Event) -> None:
        if isinstance(event, RowsRead) and not late:
            late.append(used.do(*command.split(), "--state-dir", other))
            late.append(used.do("purge", "--older-than", "0d"))

    rdimport.run(
        used.home / "a.csv",
        used.home / "a.yaml",
        to=rdimport.RDStation(
            box.api_key if account == "default" else "another-key-of-another-account",
            base_url=box.base_url,
            account=account,
        ),
        quota=None,
        state_dir=used.state,
        report_dir=used.reports,
        on_event=on_event,
    )
    assert [one.code for one in late] == [75, 0], late
    assert "another name" in late[0].err
    assert used.here("ledger", "check").code == 0
    assert used.here("purge", "--older-than", "0d", "--state-dir", other).code == 0
    assert used.here("ledger", "check").code == 0


@pytest.mark.parametrize(
    "command",
    [
        "purge --older-than 0d",
        "forget ana@exemplo.com.br",
        "run a.csv -m a.yaml --quota none --account second --yes",
    ],
)
def test_no_command_writes_to_a_ledger_whose_log_a_killed_run_left_under_another_name(
    command: str, used: Workspace, box: RunningSandbox
) -> None:
    used.environment["XDG_DATA_HOME"] = os.environ["XDG_DATA_HOME"]
    other = used.home / "other"
    other.mkdir(mode=0o700)
    os.link(used.state / "ledger.sqlite3", other / "ledger.sqlite3")
    used.write("a.csv", "Nome;E-mail\n" + "".join(f"P{n};p{n}@exemplo.com.br\n" for n in range(60)))
    box.set_faults(Faults(latency=0.2))
    killed = used.start("run", "a.csv", "-m", "a.yaml", "--quota", "none", "--concurrency", "2")
    until(lambda: box.counts()["accepted"] > 5)
    killed.kill()
    used.wait(killed)
    box.set_faults(Faults())
    refused = used.do(*command.split(), "--state-dir", other)
    assert refused.code == 2
    assert str(used.state) in refused.err
    assert used.do("ledger", "check").code == 0
    assert run(used).code in (0, 1)
    arrived = [one["email"] for one in box.conversions()]
    assert len(arrived) == len(set(arrived))
    assert used.do("purge", "--older-than", "0d", "--state-dir", other).code == 0
    assert used.do("ledger", "check").code == 0
