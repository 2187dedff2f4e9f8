"""An incomplete installation is not a bug: which package, what is wrong with it, what to type."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile

import pytest
from support import hostile
from support.command import Done, Workspace
from support.lists import MAPPING, people
from support.waiting import TIMEOUT

from rdimport.sandbox.embedded import RunningSandbox

RUN = ("run", "list.csv", "-m", "list.yaml", "--quiet")
CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture
def broken(workspace: Workspace) -> Workspace:
    """A workspace whose folder `packages` comes before the installed packages."""
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    (workspace.home / "packages").mkdir()
    workspace.environment["PYTHONPATH"] = str(workspace.home / "packages")
    return workspace


def put(workspace: Workspace, name: str, text: str) -> None:
    path = workspace.home / "packages" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def record(workspace: Workspace, name: str, release: str, record: str = "") -> None:
    """Have a release of a package recorded as installed there by pip."""
    folder = f"{name}-{release}.dist-info"
    put(workspace, f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}")
    put(workspace, f"{folder}/INSTALLER", "pip\n")
    put(workspace, f"{folder}/RECORD", record)


def refused(workspace: Workspace, *words: str) -> str:
    done = workspace.do(*words)
    assert (done.code, done.out) == (2, ""), done.err
    assert "bug" not in done.err
    assert done.err.startswith("rdimport: "), "what a library says comes first"
    return done.err


def test_a_package_of_another_release_is_named_with_the_one_that_is_needed(
    broken: Workspace, box: RunningSandbox
) -> None:
    record(broken, "pandera", "0.20.0")
    put(broken, "pandera/__init__.py", "raise AttributeError('no such thing')\n")
    said = refused(broken, *RUN)
    assert "The package pandera is installed in version 0.20.0, but rdimport needs >=0.35." in said
    command = shlex.join([sys.executable, "-m", "pip", "install", "pandera[polars]>=0.35"])
    assert f"Type: {command}" in said
    in_portuguese = refused(broken, *RUN, "--lang", "pt-BR")
    assert "O pacote pandera está instalado na versão 0.20.0, mas rdimport" in in_portuguese
    assert box.conversions() == []


@pytest.mark.parametrize(("name", "size"), [("__init__.py", 9999), ("gone.py", 1)])
def test_a_half_installed_package_is_named_with_its_file(
    broken: Workspace, name: str, size: int
) -> None:
    release = version("pandera")
    record(broken, "pandera", release, f"pandera/{name},,{size}\n")
    put(broken, "pandera/__init__.py", "polars = undefined\n")
    said = refused(broken, *RUN)
    assert f"packages/pandera/{name} is missing or damaged." in said
    assert f"-m pip install --force-reinstall --no-deps pandera=={release}" in said


def test_a_library_that_the_system_cannot_load_is_named_with_the_reason(broken: Workspace) -> None:
    """polars goes on without it, and fails later with a NameError."""
    put(broken, "_polars_runtime_32/__init__.py", "BUILD_FEATURE_FLAGS = ''\n")
    put(broken, "_polars_runtime_32/_polars_runtime.abi3.so", "")
    said = refused(broken, *RUN[:-1])
    assert "polars" in said.splitlines()[0], "no warning or thread of the library speaks before"
    assert "The package polars-runtime-32 cannot be loaded: " in said
    assert "_polars_runtime.abi3.so: file too short" in said
    assert f"--force-reinstall --no-deps polars-runtime-32=={version('polars-runtime-32')}" in said
    broken.environment["PYTHONWARNINGS"] = "default"  # a programmer asks for them
    assert "UserWarning: Polars binary is missing!" in broken.do(*RUN).err


@pytest.mark.parametrize("command", ["check", "init"])
def test_nor_does_a_library_speak_before_the_message_of_other_commands(
    broken: Workspace, command: str
) -> None:
    put(broken, "_polars_runtime_32/__init__.py", "BUILD_FEATURE_FLAGS = ''\n")
    put(broken, "_polars_runtime_32/_polars_runtime.abi3.so", "")
    words = ("list.csv",) if command == "init" else RUN[1:-1]
    assert "polars" in refused(broken, command, *words).splitlines()[0]


def test_a_library_that_is_known_by_its_bare_name_is_found(broken: Workspace) -> None:
    """As where the system lacks one of those that it is linked to."""
    why = "libgcc_s.so.1: cannot open shared object file"
    put(
        broken,
        "pydantic_core/__init__.py",
        f"raise ImportError({why!r}, name='_pydantic_core', path=__file__)\n",
    )
    said = refused(broken, *RUN)
    assert f"The package pydantic_core cannot be loaded: {why}. Either it is damaged, or" in said


def test_a_processor_without_what_polars_needs_is_a_refusal_and_no_crash(
    broken: Workspace,
) -> None:
    import polars._cpu_check as real  # noqa: PLC0415

    warning = "Missing required CPU features.\n\nThe following required CPU features were "
    source = Path(real.__file__).read_text(encoding="utf-8")
    assert f"{warning}not detected:\n    {{" in source, "polars says it in other words now"
    put(
        broken,
        "_polars_runtime_32/__init__.py",
        f"import warnings\nwarnings.warn({warning + 'not detected:'!r} '\\n    avx2, fma\\nHint:',"
        " RuntimeWarning)\n",
    )
    said = refused(broken, *RUN)
    assert (
        "The package polars does not run on this machine's processor, which lacks avx2, fma."
        in said
    )
    assert "-m pip install 'polars[rtcompat]'" in said


@pytest.mark.skipif("_sqlite3" in sys.builtin_module_names, reason="it cannot be missing here")
def test_a_python_that_was_compiled_without_sqlite_is_named(broken: Workspace) -> None:
    put(broken, "_sqlite3.py", "raise ModuleNotFoundError('No module named it', name='_sqlite3')\n")
    said = refused(broken, *RUN)
    assert "Python's own module _sqlite3 cannot be loaded: No module named it." in said
    assert f"{sys.executable} is incomplete." in said
    assert "_sqlite3 do próprio Python" in refused(broken, *RUN, "--lang", "pt-BR")


def test_a_report_without_its_library_hides_no_row_that_was_sent(
    broken: Workspace, box: RunningSandbox
) -> None:
    put(broken, "xlsxwriter.py", "raise ImportError('it does not load', name='xlsxwriter')\n")
    done = broken.do("run", "list.csv", "-m", "list.yaml")
    assert "The package xlsxwriter cannot be loaded: it does not load." in done.out
    assert len(box.conversions()) == 2
    (broken.home / "packages" / "xlsxwriter.py").unlink()
    assert broken.do("report").code == 0
    again = broken.do(*RUN)
    assert (again.code, len(box.conversions())) == (0, 2), again.err


def test_no_list_is_put_away_for_a_reader_that_cannot_be_loaded(
    broken: Workspace, box: RunningSandbox, key_of: Callable[[str], str]
) -> None:
    broken.write("key", key_of("acme"))
    (broken.home / "key").chmod(0o600)
    (broken.home / "in").mkdir()
    copyfile(CORPUS / "leads.xlsx", broken.home / "in" / "leads.xlsx")
    broken.write("in/leads.xlsx.done", "")
    broken.write(
        "rdimport.toml",
        '[accounts.acme]\napi_key = {file = "key"}\n[jobs.fair]\naccount = "acme"\nfiles = "in/*"\n'
        'mapping = "list.yaml"\nmove_failed = "failed"\n',
    )
    put(broken, "fastexcel.py", "raise ImportError('it does not load', name='fastexcel')\n")
    done = broken.do("jobs", "run", "--config", "rdimport.toml")
    assert done.code == 2, done.err
    assert "The package fastexcel cannot be loaded: it does not load." in done.out
    assert not (broken.home / "failed").exists()
    assert broken.do("status", "--check").code == 2


def test_a_reader_that_fails_blames_no_list_while_a_package_is_damaged(broken: Workspace) -> None:
    spans = "<text:span>" * 200_000 + "</text:span>" * 200_000
    hostile.ods(
        broken.home / "deep.ods", f"<table:table-row>{hostile.ods_cell(spans)}</table:table-row>"
    )
    words = ("check", "deep.ods", "-m", "list.yaml")
    assert "deep.ods is damaged or malicious" in refused(broken, *words)
    record(broken, "fastexcel", version("fastexcel"), "fastexcel/gone.py,,1\n")
    assert "The package fastexcel is not completely installed" in refused(broken, *words)


def test_what_is_missing_once_rows_were_sent_does_not_say_that_none_was(
    broken: Workspace, box: RunningSandbox
) -> None:
    put(
        broken,
        "sitecustomize.py",
        "import sys\nsys.modules['rdimport.cli.screen.run'] = None\n",
    )
    record(broken, "fastexcel", version("fastexcel"), "fastexcel/gone.py,,1\n")
    done = crashed(broken, *RUN)
    assert (done.code, len(box.conversions())) == (3, 2), done.err
    assert "The package fastexcel is not completely installed" in done.err


def crashed(workspace: Workspace, *words: str) -> Done:
    process = workspace.start(*words)
    out, err = process.communicate(timeout=TIMEOUT)
    return Done(process.returncode, out, err)


@pytest.mark.parametrize(("lang", "key"), [("en", "0a12345678901b"), ("pt-BR", "ab-12345678-90")])
def test_a_bug_says_that_the_ledger_is_correct_and_nothing_about_people(
    broken: Workspace, box: RunningSandbox, lang: str, key: str
) -> None:
    """Also if a part of the key looks like somebody's number."""
    known, broken.key = broken.key, key
    put(
        broken,
        "sitecustomize.py",
        "from rdimport.plan.planner import Planner\n"
        "def make(*_arguments):\n"
        f"    people = 'ana.souza@exemplo.com.br', '+55 (11) 98765-4321', {key!r}\n"
        "    raise KeyError(*people)\n"
        "Planner.make = make\n",
    )
    done = crashed(broken, *RUN, "--lang", lang)
    assert done.code == 70, done.err
    ledger = {"en": "The ledger is correct", "pt-BR": "O registro está correto"}[lang]
    assert ledger in done.err
    assert "in make" in done.err
    assert "KeyError: ('***', '***', '***')" in done.err
    for secret in ("ana.souza", "98765", key[:6], key[-6:]):
        assert secret not in done.err
    (broken.home / "packages" / "sitecustomize.py").unlink()
    broken.key = known
    assert (broken.do(*RUN).code, len(box.conversions())) == (0, 2)


BUG = "raise KeyError('mine')\n"


@pytest.mark.parametrize(
    ("lang", "says"),
    [("en", "Not as they were installed, so the bug may be theirs"), ("pt-BR", "Não estão como")],
)
def test_a_bug_in_sources_that_somebody_changed_is_one_and_they_are_named(
    broken: Workspace, lang: str, says: str
) -> None:
    put(broken, "xlsxwriter.py", BUG)
    put(broken, "planner.py", "# my own way\n")
    put(broken, "fine.py", "# mine\n")
    record(broken, "rdimport", version("rdimport"), "planner.py,,9999\nfine.py,,7\n")
    done = crashed(broken, *RUN, "--lang", lang)
    assert done.code == 70, done.err
    assert "KeyError: 'mine'" in done.err
    assert says in done.err
    assert f"{broken.home}/packages/planner.py. " in done.err
    assert "fine.py" not in done.err


@pytest.mark.parametrize("content", [None, ""])
def test_a_source_of_ours_that_is_missing_or_empty_is_an_incomplete_installation(
    broken: Workspace, content: str | None
) -> None:
    put(broken, "pandera/__init__.py", BUG)
    if content is not None:
        put(broken, "planner.py", content)
    record(broken, "rdimport", version("rdimport"), "planner.py,,9999\n")
    said = refused(broken, *RUN)
    assert "The package rdimport is not completely installed" in said
    assert "Install rdimport again." in said


def test_a_bug_is_one_where_libraries_were_stripped_to_save_space(broken: Workspace) -> None:
    record(broken, "pandera", version("pandera"), "stripped.abi3.so,,9999\n")
    put(broken, "stripped.abi3.so", "smaller")
    put(broken, "xlsxwriter.py", "raise ValueError('a bug')\n")
    done = crashed(broken, *RUN)
    assert done.code == 70, done.err
    assert "ValueError: a bug" in done.err


def test_a_file_that_was_installed_elsewhere_is_not_missing(broken: Workspace) -> None:
    """On another drive of Windows, pip records its whole path."""
    record(broken, "pandera", version("pandera"), f"{broken.home / 'script.py'},,5\n")
    broken.write("script.py", "pass\n")
    put(broken, "xlsxwriter.py", BUG)
    done = crashed(broken, *RUN)
    assert done.code == 70, done.err
    assert "KeyError: 'mine'" in done.err


def test_a_command_without_its_modules_ends_with_2_in_both_languages() -> None:
    """Python's own 1 would mean that rows need attention."""
    code = "import sys; sys.modules['rdimport.cli'] = None; "
    code += "from rdimport.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 2
    assert "is not completely installed" in done.stderr
    assert "está incompleta" in done.stderr
