"""What is published: wheel and source archive have what a user needs, and work on their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
TOP = {"rdimport"}
UNWANTED = {".po", ".pyc", ".key", ".sqlite3"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built as for a release."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only the content of the wheel."""
    folder = tmp_path_factory.mktemp("site")
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)  # noqa: S202  our own
    return folder


def command(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command of the wheel, with the checkout out of reach."""
    start = (
        "import sys; sys.path = [p for p in sys.path if p != sys.argv[2]];"
        "sys.path.insert(0, sys.argv.pop(1)); sys.argv.pop(1);"
        "from rdimport.cli import main; sys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", start, installed, ROOT, *words],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


def names_in(wheel: Path) -> Iterator[PurePosixPath]:
    with zipfile.ZipFile(wheel) as archive:
        yield from map(PurePosixPath, archive.namelist())


def test_the_wheel_holds_the_package_and_no_more(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = list(names_in(wheel))
    assert {name.parts[0] for name in names if "dist-info" not in name.parts[0]} == TOP
    assert not {name.suffix for name in names} & UNWANTED
    here = {
        PurePosixPath(path.relative_to(ROOT).as_posix())
        for path in (ROOT / "rdimport").rglob("*")
        if path.suffix in (".py", ".typed", ".js", ".css", ".svg") and path.name != "build.py"
    }
    assert here <= set(names)
    languages = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("rdimport/**/*.po")}
    compiled = {str(name.with_suffix(".po")) for name in names if name.suffix == ".mo"}
    assert compiled == languages


def version_of(folder: Path) -> str:
    words = [sys.executable, "-m", "hatchling", "version"]
    done = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone, but a source archive")
def test_the_version_is_the_newest_tag_and_without_one_a_development_version(
    tmp_path: Path,
) -> None:
    clone, plain = tmp_path / "clone", tmp_path / "plain"
    git = ("git", "-C", str(clone))
    subprocess.run(["git", "clone", "-q", "--no-tags", ROOT, clone], check=True)  # noqa: S607
    assert version_of(clone).startswith("0.2.0.dev")
    subprocess.run([*git, "tag", "v7.8.9"], check=True)
    assert version_of(clone) == "7.8.9"
    shutil.copytree(clone, plain, ignore=shutil.ignore_patterns(".git"))
    assert version_of(plain) == "0.2.0.dev0"


def test_the_source_archive_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "again"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (again,) = (tmp_path / "again").glob("*.whl")
    (wheel,) = built.glob("*.whl")
    assert again.name == wheel.name  # the archive contains the version
    assert sorted(names_in(again)) == sorted(names_in(wheel))


def test_the_installed_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("E-mail;Nome\nana@example.com;Ana\n", "utf-8")
    version = command(installed, "--version")
    assert version.stdout.startswith("rdimport "), version.stderr
    leads, mapping = str(tmp_path / "list.csv"), str(tmp_path / "m.yaml")
    proposed = command(installed, "init", leads, "-o", mapping)
    assert proposed.returncode == 0, proposed.stderr
    places = ("--state-dir", str(tmp_path / "state"), "--report-dir", str(tmp_path / "reports"))
    done = command(installed, "run", leads, "-m", mapping, "--sandbox", "--lang", "pt-BR", *places)
    assert done.returncode == 0, done.stderr
    assert "1 linha" in done.stdout + done.stderr


def test_the_constraints_without_hashes_are_those_of_the_lock_file() -> None:
    locked = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    named = [line.removesuffix("\\").rstrip() for line in locked if "==" in line]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert lines == [line for line in named if not line.startswith(" ")], "make lock"


def test_the_workflows_run_only_actions_that_nobody_can_exchange() -> None:
    steps = [
        step
        for file in (ROOT / ".github" / "workflows").glob("*.yml")
        for job in YAML(typ="safe").load(file)["jobs"].values()
        for step in job["steps"]
    ]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name)] == []


def test_the_bill_of_materials_lists_what_a_user_gets_and_no_tool_of_the_tests() -> None:
    release = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "release.yml")
    steps = release["jobs"]["build"]["steps"]
    (bill,) = [step["with"]["path"] for step in steps if "sbom" in step.get("uses", "")]
    filled = [line for step in steps for line in step.get("run", "").splitlines() if bill in line]
    assert filled == [
        f"python -m venv {bill}",
        f"{bill}/bin/python -m pip install --require-hashes -r requirements.lock",
        f"{bill}/bin/python -m pip install --no-deps dist/*.whl",
    ]
