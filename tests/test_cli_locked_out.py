"""Places that a person may not even list: a message, and never a bug."""

from __future__ import annotations

import ast
import ctypes.util
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from support.samples import ROOT
from support.sources import READS_ALL, parsed

from rdimport.sandbox.embedded import RunningSandbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")

RUN = ("run", "list.csv", "-m", "list.yaml")


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """Drop root's right to look everywhere (capabilities(7))."""
    if os.geteuid() != 0:
        yield
        return
    library = ctypes.util.find_library("cap")
    if library is None:
        pytest.skip("root's rights cannot be given up: libcap is not installed")
    rights = ctypes.CDLL(library)
    rights.cap_get_proc.restype = ctypes.c_void_p
    both = (ctypes.c_int * 2)(1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

    def change(kept: int) -> None:
        state = ctypes.c_void_p(rights.cap_get_proc())
        assert rights.cap_set_flag(state, 0, 2, both, kept) == rights.cap_set_proc(state) == 0
        rights.cap_free(state)

    change(0)
    try:
        yield
    finally:
        change(1)


@pytest.fixture
def outside(workspace: Workspace) -> Iterator[Workspace]:
    """A list and its mapping, here and in a folder that may not be entered."""
    locked = workspace.home / "locked"
    (locked / "rdimport").mkdir(parents=True)
    for folder in ("", "locked/"):
        workspace.write(f"{folder}list.csv", people(3))
        workspace.write(f"{folder}list.yaml", MAPPING)
    locked.chmod(0)
    with without_roots_rights():
        yield workspace
    locked.chmod(0o700)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "locked/list.csv", *RUN[2:]), 2, "locked/list.csv cannot be read"),
        (("check", "locked/list.csv", *RUN[2:]), 2, "locked/list.csv cannot be read"),
        (("check", "locked/list.csv"), 2, "locked/list.csv cannot be read"),
        (("init", "locked/list.csv"), 2, "locked/list.csv cannot be read"),
        (("run", "locked/*.csv", *RUN[2:]), 2, "The folder locked cannot be listed"),
        (("check", "lo*/*.csv", *RUN[2:]), 2, "The folder locked cannot be listed"),
        (("check", "**/list.xlsx", *RUN[2:]), 2, "The folder locked cannot be listed"),
        (("run", "list.csv", "-m", "locked/list.yaml"), 2, "locked/list.yaml: cannot be read"),
        ((*RUN, "--suppress", "locked/x.csv"), 2, "locked/x.csv cannot be read"),
        ((*RUN, "--api-key-file", "locked/key"), 2, "locked/key cannot be read"),
        ((*RUN, "--state-dir", "locked/state"), 2, "locked/state cannot be used"),
        ((*RUN, "--report-dir", "locked/reports"), 2, "cannot be written to locked/reports"),
        (("check", *RUN[1:], "--payloads", "locked/x.jsonl"), 2, "locked/x.jsonl cannot be"),
        (("init", "list.csv", "-o", "locked/x.yaml"), 2, "locked/x.yaml cannot be written"),
        (
            ("init", "list.csv", "-o", "x.yaml", "--job", "j", "--config", "locked/x.toml"),
            2,
            "locked/x.toml: cannot be read",
        ),
        (("jobs", "list", "--config", "locked/x.toml"), 2, "locked/x.toml: cannot be read"),
        (("status", "--state-dir", "locked/state"), 2, "cannot be read"),
        (("ledger", "copy", "locked/state", "to"), 2, "cannot be read"),
        (("ledger", "copy", "locked/state.sqlite3", "to"), 2, "cannot be read"),
        (("ledger", "copy", "state", "locked/to"), 2, "locked/to"),
        (("ledger", "new", "--state-dir", "locked/state"), 2, "locked/state cannot be used"),
        (("ledger", "accept", "--state-dir", "locked/state"), 2, "locked/state cannot be used"),
        (("settle", "locked/x.jsonl"), 2, "locked/x.jsonl cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_folder_that_may_not_be_entered_is_named(
    words: tuple[str, ...], code: int, said: str, outside: Workspace, box: RunningSandbox
) -> None:
    if words[0] == "settle" or words[:3] == ("ledger", "copy", "state"):
        assert outside.here(*RUN, "--quota", "none").code == 0
    before = box.requests
    done = outside.here(*words)
    assert (done.code, box.requests) == (code, before), done.err
    assert said in done.err
    assert "bug" not in done.err


@pytest.mark.parametrize("words", [("status",), ("jobs", "list")])
def test_settings_that_may_not_be_looked_at_are_not_taken_for_none(
    words: tuple[str, ...], outside: Workspace
) -> None:
    outside.environment["XDG_CONFIG_HOME"] = str(outside.home / "locked")
    done = outside.here(*words)
    assert done.code == 2
    assert "rdimport.toml: cannot be read" in done.err
    assert "because of the environment variable XDG_CONFIG_HOME" in done.err
    outside.environment["RDIMPORT_CONFIG"] = str(outside.home / "locked" / "x.toml")
    assert "XDG_CONFIG_HOME" not in outside.here(*words).err


@pytest.mark.parametrize("command", ["new", "accept"])
def test_if_the_locks_of_runs_cannot_be_seen_no_account_counts_as_idle(
    command: str, outside: Workspace
) -> None:
    assert outside.here(*RUN, "--quota", "none").code == 0
    outside.state.chmod(0o300)
    done = outside.here("ledger", command, "--yes")
    outside.state.chmod(0o700)
    assert (done.code, "state cannot be used" in done.err) == (2, True), done.err


@pytest.mark.parametrize("lost", [True, False])
def test_where_the_witnesses_of_a_lost_ledger_cannot_be_seen_nothing_is_sent(
    lost: bool, outside: Workspace, box: RunningSandbox
) -> None:
    assert outside.here(*RUN, "--quota", "none").code == 0
    if lost:
        for part in outside.state.glob("ledger*"):
            part.unlink()
    before = box.requests
    beyond = [path for path in outside.home.rglob("rdimport-ledgers/*") if any(path.glob("*.sent"))]
    for folder in (outside.state, *beyond):
        folder.chmod(0o300)
        done = outside.here(*RUN, "--quota", "none")
        folder.chmod(0o700)
        assert (done.code, box.requests) == (2, before), done.err
        assert str(folder) in done.err
        assert "bug" not in done.err


def test_a_folder_that_may_not_be_listed_does_not_count_as_free_of_people(
    outside: Workspace, box: RunningSandbox
) -> None:
    assert outside.here(*RUN, "--quota", "none", "--report-dir", "reports").code == 0
    reports, aside = outside.home / "reports", outside.state / "aside-1"
    (run,) = reports.iterdir()
    within = reports / "letters"
    for folder in (aside, within):
        folder.mkdir()
    purge = ("purge", "--older-than", "0d", "--report-dir", "reports")
    for folder, command in (
        (outside.state, ("forget", "a@exemplo.com.br")),
        (aside, ("forget", "a@exemplo.com.br")),
        (within, ("forget", "a@exemplo.com.br")),
        (reports, ("forget", "a@exemplo.com.br")),
        (run, ("forget", "a@exemplo.com.br")),
        (outside.state, purge),
        (run, purge),
        (reports, purge),
        (outside.state, ("ledger", "key", "--move-to", "key")),
    ):
        folder.chmod(0o300)
        done = outside.here(*command)
        folder.chmod(0o700)
        assert done.code in (2, 3), (folder, command, done)
        assert folder.name in done.err, (folder, command, done)
        assert "bug" not in done.err


def test_an_inbox_that_may_not_be_listed_is_not_taken_for_an_empty_one(outside: Workspace) -> None:
    outside.write(
        "rdimport.toml",
        "[accounts.acme]\napi_key = {env = 'RDIMPORT_API_KEY'}\n[jobs.feira]\naccount = 'acme'\n"
        "files = ['locked/*.csv']\nmapping = 'list.yaml'\nmove_done = 'done'\n",
    )
    for command in ("run", "check"):
        done = outside.here("jobs", command, "--config", "rdimport.toml")
        assert done.code == 2, done
        assert "locked cannot be listed" in done.out + done.err
        assert "bug" not in done.err


def test_no_module_lists_a_folder_by_a_pattern() -> None:
    """In a folder that may not be listed it silently finds nothing; `core.looking` does."""
    found = [
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in (ROOT / "rdimport").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("glob", "rglob", "walk", "listdir")
    ]
    ours = (
        "rdimport/core/looking.py",
        "rdimport/core/messages/",
        "rdimport/source/files.py",  # which looks again
    )
    assert [place for place in found if not place.startswith(ours)] == []


@READS_ALL
def test_no_module_asks_pathlib_whether_a_users_file_exists() -> None:
    """Up to Python 3.13 that raises PermissionError if the folder may not be entered;
    `core.looking` reports that nothing is seen there.
    """
    found = [
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in (ROOT / "rdimport").rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in ("exists", "is_file", "is_dir")
    ]
    ours = ("rdimport/core/messages/", "rdimport/core/looking.py", "rdimport/source/archive.py")
    assert [place for place in found if not place.startswith(ours)] == []
