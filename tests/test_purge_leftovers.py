"""What a killed command leaves behind: no personal data, or none that purge does not find."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.command import Workspace
from support.processes import Process, dying_with_parent
from support.waiting import TIMEOUT, until

from rdimport.report.leftovers import half_written, scratch_of, sweep
from rdimport.report.private_files import private
from rdimport.sandbox.embedded import RunningSandbox

HEAD = "Nome;E-mail\n"
MAPPING = "version: 1\nconversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"

WRITES_AND_WAITS = """
import sys
from pathlib import Path
from rdimport.report.leftovers import half_written, scratch_of
with half_written(Path(sys.argv[1])) as half, scratch_of(half) as scratch:
    half.write_text("Ninguém;ninguem@exemplo.com.br")
    (scratch / "part").write_text("Ninguém;ninguem@exemplo.com.br")
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    """A process that has written half of a report file."""
    folder = workspace.reports / "20260101-000000-abcd"
    folder.mkdir(parents=True)
    with Process(
        [sys.executable, "-c", WRITES_AND_WAITS, str(folder / "failures.csv")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_parent(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(TIMEOUT)


def traces(workspace: Workspace) -> list[str]:
    return [
        p.name for p in workspace.reports.rglob("*") if p.is_file() and b"ninguem" in p.read_bytes()
    ]


def test_what_a_killed_process_half_wrote_is_removed_and_what_is_being_written_is_not(
    workspace: Workspace, writer: subprocess.Popen[str]
) -> None:
    (folder,) = workspace.reports.iterdir()
    assert sweep(folder) == []
    assert len(traces(workspace)) == 2
    kill(writer)
    assert sweep(folder) == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("by", ["purge", "run"])
def test_purge_and_the_next_run_remove_what_a_killed_run_half_wrote(
    workspace: Workspace, writer: subprocess.Popen[str], by: str
) -> None:
    run = ("run", workspace.write("a.csv", HEAD + "Ana;ana@exemplo.com.br\n"), "-m")
    words = (*run, workspace.write("a.yaml", MAPPING), "--quota", "none")
    assert workspace.here(*words).code == 0
    kill(writer)
    if by == "purge":
        purge = ("purge", "--older-than", "90d", "--report-dir", workspace.reports)
        assert workspace.here(*purge).code == 0
    else:
        assert workspace.here(*words).code == 0
    assert traces(workspace) == []
    left = list(workspace.reports.rglob(".*"))
    assert left == []


def test_a_file_has_its_name_when_it_is_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    with private(tmp_path / "a.csv") as half:
        half.write_text("whole")
    with pytest.raises(ValueError, match="no"), private(tmp_path / "b.csv") as half:
        raise ValueError("no")
    with half_written(tmp_path / "c") as half, scratch_of(half) as scratch:
        (scratch / "d").write_text("e")
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "whole"


@pytest.mark.skipif(sys.platform != "linux", reason="a file without a name needs /proc")
def test_a_killed_run_from_standard_input_leaves_no_list_in_the_temporary_folder(
    workspace: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = workspace.home / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    workspace.write("a.yaml", MAPPING)
    process = workspace.start("run", "-", "-m", "a.yaml", "--quota", "1/h", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(HEAD + "".join(f"Ana;ana{n}@exemplo.com.br\n" for n in range(20)))
    process.stdin.close()
    until(lambda: box.conversions() or process.poll() is not None)
    assert process.poll() is None
    process.kill()
    process.stdin = None
    process.communicate(timeout=TIMEOUT)
    left = [p for p in temporary.rglob("*") if p.is_file() and b"ana1@" in p.read_bytes()]
    assert left == []
    assert sorted(temporary.glob("rdimport-*")) == []


@pytest.mark.parametrize("name", ["../../victim", "/victim", "..", "a/b", "", "a\nb"])
def test_a_ledger_of_somebody_else_makes_no_command_touch_a_foreign_folder(
    workspace: Workspace, name: str
) -> None:
    workspace.write("a.csv", HEAD + "Ana;sem arroba\n")
    workspace.write("a.yaml", MAPPING)
    workspace.here("run", "a.csv", "-m", "a.yaml", "--quota", "none")
    victim = workspace.home / "victim"
    victim.mkdir()
    (victim / "failures.csv").write_text("mine")
    rename(workspace.state / "ledger.sqlite3", name)
    reports = workspace.home / "x" / "y"
    reports.mkdir(parents=True)
    for words in (["purge", "--older-than", "0s"], ["report"], ["status"]):
        done = workspace.here(*words, "--report-dir", reports)
        assert done.code == 2
        assert "name" in done.err
        assert "\n  at" not in done.err
    assert (victim / "failures.csv").read_text() == "mine"
    assert list(reports.iterdir()) == []


def rename(ledger: Path, name: str) -> None:
    with closing(sqlite3.connect(ledger)) as db, db:
        db.execute("UPDATE run SET name = ?", (name,))
