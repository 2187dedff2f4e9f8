"""No code is run from a folder unpacked from a stranger's archive; no child process has the key."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import KEY, Workspace, without_coverage
from support.lists import MAPPING, people
from support.waiting import TIMEOUT

from rdimport.sandbox import running

MODULES = "json socket ssl http pathlib argparse polars uvloop uvicorn sitecustomize usercustomize"
"""What a command and its sandbox import, or would if it existed."""

LEAVES_A_MARK = """\
import os
open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "RAN-" + __name__), "w").close()
raise SystemExit("code of the current folder was run")
"""


@pytest.fixture
def trap(tmp_path: Path) -> Workspace:
    """A list, its mapping, and modules that leave a mark when run."""
    workspace = Workspace(tmp_path, KEY)
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    for name in MODULES.split():
        workspace.write(f"{name}.py", LEAVES_A_MARK)
    return workspace


def marks(workspace: Workspace) -> list[str]:
    return [path.name for path in workspace.home.rglob("RAN-*")]


def test_the_trap_works(trap: Workspace) -> None:
    command = [sys.executable, "-c", "import json"]
    subprocess.run(command, cwd=trap.home, env=without_coverage(), check=False)
    assert marks(trap) == ["RAN-json"]


def test_the_installed_command_runs_no_code_of_the_current_folder(trap: Workspace) -> None:
    command = shutil.which("rdimport", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("the command rdimport is not installed beside this Python")
    (trap.home / "rdimport").mkdir()
    trap.write("rdimport/__init__.py", LEAVES_A_MARK)
    done = trap.shell(f"{shlex.quote(command)} run list.csv -m list.yaml --sandbox")
    assert (done.code, marks(trap)) == (0, []), done.err


def test_the_module_runs_none_of_it_either(trap: Workspace) -> None:
    assert trap.do("run", "list.csv", "-m", "list.yaml", "--sandbox").code == 0
    assert marks(trap) == []


@pytest.mark.parametrize(
    "module", ["rdimport.sandbox", "rdimport.core.messages.build", "rdimport.source.sheets.worker"]
)
def test_no_other_module_of_ours_does_so_when_it_is_started(trap: Workspace, module: str) -> None:
    subprocess.run(
        [sys.executable, "-m", module],
        cwd=trap.home,
        input=b"",
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert marks(trap) == []


def test_a_program_that_has_the_folder_on_its_path_starts_a_sandbox_that_has_not(
    trap: Workspace,
) -> None:
    script = "import rdimport.sandbox, sys\nfrom rdimport.sandbox import running\n"
    # as for `python` and `python -c`, once everything that this program needs is imported
    script += "import rdimport.sandbox.embedded, http.client, json\n"
    script += "sys.path[:0] = ['', '.', sys.argv[1]]\nwith running() as box: print(box.counts())\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(trap.home)],
        cwd=trap.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, marks(trap)) == (0, []), done.stderr
    assert "accepted" in done.stdout


def test_rdimport_that_is_on_the_path_only_finds_itself_in_its_sandbox(tmp_path: Path) -> None:
    """Installed for one user, as an editable installation, or on PYTHONPATH."""
    import rdimport  # noqa: PLC0415

    shutil.copytree(Path(rdimport.__file__).parent, tmp_path / "away" / "rdimport")
    script = "import sys\nsys.path.insert(0, sys.argv[1])\nimport rdimport.sandbox\n"
    script += "print(rdimport.__file__)\nwith rdimport.sandbox.running() as b: print(b.requests)\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(tmp_path / "away")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) in done.stdout
    assert done.stdout.endswith("\n0\n")


@pytest.mark.usefixtures("children_in_full")
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_the_process_of_the_sandbox_has_no_key_in_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RDIMPORT_API_KEY", "RDIMPORT_ANY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("PYTHONPATH", KEY)
    with running():
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
        found = [Path(f"/proc/{child}/environ").read_bytes() for child in children.split()]
    assert any(b"PATH=" in environment for environment in found)
    assert not any(KEY.encode() in environment for environment in found)
