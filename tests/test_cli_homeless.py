"""A user without a home directory, as in containers and services: a message, and never a bug."""

from __future__ import annotations

import shlex
import subprocess
import sys
from shutil import which

import pytest
from support.command import Done, Workspace
from support.lists import MAPPING, people

HOMELESS = ("unshare", "--user", "--map-user=54321")
"""A user without a name, in a namespace of users."""
RUN = "run list.csv -m list.yaml"


def is_possible() -> bool:
    if sys.platform != "linux" or which("unshare") is None:
        return False
    return subprocess.run([*HOMELESS, "true"], check=False, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces of users")


@pytest.fixture
def homeless(workspace: Workspace) -> Workspace:
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    return workspace


def typed(workspace: Workspace, words: str) -> Done:
    start = [*HOMELESS, sys.executable, "-m", "rdimport"]
    keep = "RDIMPORT_API_KEY RDIMPORT_BASE_URL PYTHONPATH PATH".split()
    kept = " ".join(f'{name}="${name}"' for name in keep)
    return workspace.shell(f"env -i {kept} {shlex.join(start)} {words}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("status --lang en", "has no home directory"),
        ("check list.csv -m list.yaml --lang pt-BR", "não tem pasta pessoal"),
        (f"{RUN} --lang pt-BR", "não tem pasta pessoal"),
        ("purge --older-than 1d --lang en", "has no home directory"),
    ],
)
def test_without_a_home_the_state_directory_is_asked_for(
    homeless: Workspace, words: str, said: str
) -> None:
    done = typed(homeless, words)
    assert (done.code, said in done.err) == (2, True), done.err
    assert "--state-dir (RDIMPORT_STATE_DIR)" in done.err


@pytest.mark.parametrize("words", ["jobs list", "jobs run", "init list.csv --job fair -o new.yaml"])
def test_without_a_home_the_settings_are_asked_for(homeless: Workspace, words: str) -> None:
    done = typed(homeless, words)
    assert (done.code, "--config (RDIMPORT_CONFIG)" in done.err) == (2, True), done.err


def test_with_a_state_directory_nothing_else_is_needed(homeless: Workspace) -> None:
    assert typed(homeless, f"{RUN} --state-dir state --quota 600/min").code == 0
    assert (homeless.home / "state" / "quota").is_dir(), "shared by the runs of this ledger"
    assert typed(homeless, f"{RUN} --state-dir state").code == 0
    assert typed(homeless, "status --check --state-dir state").code == 0
    assert typed(homeless, "init list.csv -o other.yaml").code == 0
