"""Every printed command does what the sentence next to it says, in any folder."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
from support.command import KEY, Workspace, command_here, command_in
from support.processes import Process, dying_with_parent
from support.waiting import TIMEOUT, until

from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = "version: 1\nconversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"
HEAD = "Nome;E-mail\n"
PEOPLE = [f"p{i}@exemplo.com.br" for i in range(7)]
ROWS = [f"Pessoa;{email}\n" for email in PEOPLE]
WRONG = "Ninguém;sem arroba\n"
MENDED = "ninguem@exemplo.com.br"
RUN = ("run", "lista.csv", "-m", "o mapa.yaml", "--quota", "none")
UNCERTAIN, ACCEPTED, PENDING = PEOPLE[:3], PEOPLE[3:5], PEOPLE[5:]


def words_of(command: str) -> list[str]:
    """The arguments that a shell passes to `rdimport` for this line."""
    script = f"rdimport() {{ printf '%s\\0' \"$@\"; }}; {command}"
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    return said.stdout.split("\0")[:-1]


class OtherFolder:
    """Another folder, where somebody pastes a command and has only the key."""

    def __init__(self, home: Path, box: RunningSandbox) -> None:
        self._home = home
        self._box = box
        home.mkdir()

    def type(self, command: str, stdin: str = "", key: str | None = None) -> list[str]:
        """Type the command; return who was sent a conversion."""
        before = len(self._box.conversions())
        env = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LANG": "C.UTF-8"}
        env |= {"RDIMPORT_API_KEY": self._box.api_key if key is None else key}
        if stdin:
            process = command_in(self._home, env, words_of(command), stdin=subprocess.PIPE)
            _, err = process.communicate(stdin, timeout=TIMEOUT)
            code = process.returncode
        else:
            done = command_here(self._home, env, words_of(command))
            code, err = done.code, done.err
        assert code in (0, 1, 3), err
        return sorted(sent["email"] for sent in self._box.conversions()[before:])


@pytest.fixture
def there(tmp_path: Path, box: RunningSandbox) -> OtherFolder:
    return OtherFolder(tmp_path / "elsewhere", box)


@pytest.fixture
def oddly_named(tmp_path: Path, box: RunningSandbox) -> Workspace:
    """A folder whose name a shell could misread."""
    home = tmp_path / "d'Ana & João $HOME"
    home.mkdir()
    workspace = Workspace(home, box.api_key, box.base_url)
    workspace.write("o mapa.yaml", MAPPING)
    return workspace


def printed(text: str) -> list[str]:
    return re.findall(r"^  (rdimport .*)$", text, re.MULTILINE)


def in_workbook(path: Path) -> list[str]:
    cells = (c.value for s in openpyxl.load_workbook(path) for row in s.iter_rows() for c in row)
    return [value for value in cells if isinstance(value, str) and value.startswith("rdimport ")]


def in_page(path: Path) -> list[str]:
    found = re.findall(r"<pre>(.*?)</pre>", path.read_text(encoding="utf-8"), re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", text)) for text in found]


def edit(path: Path, *, delete: str = "", mend: bool = False) -> None:
    """Edit failures.xlsx as a person does: delete a row, correct an address."""
    book = openpyxl.load_workbook(path)
    (sheet,) = (sheet for sheet in book if "E-mail" in [cell.value for cell in sheet[1]])
    column = [cell.value for cell in sheet[1]].index("E-mail") + 1
    for row in range(sheet.max_row, 1, -1):
        cell = sheet.cell(row, column)
        if cell.value == delete:
            sheet.delete_rows(row)
        elif mend and cell.value == "sem arroba":
            cell.value = MENDED
    book.save(path)


def reports(workspace: Workspace) -> Path:
    (folder,) = workspace.reports.iterdir()
    return folder


@pytest.mark.parametrize(("lang", "quiet"), [("en", False), ("pt-BR", True)])
def test_all_places_print_commands_that_send_what_their_sentence_says(
    oddly_named: Workspace, there: OtherFolder, box: RunningSandbox, lang: str, *, quiet: bool
) -> None:
    oddly_named.write("a lista.csv", HEAD + "".join(ROWS) + WRONG)
    box.set_faults(Faults(reset_after=1.0, at_most=3))
    options = ["--limit", 5, "--concurrency", 1, "--quota", "none", "--account", "loja"]
    quietly = ["--quiet"] if quiet else []
    words = ["a lista.csv", "-m", "o mapa.yaml", *options, "--lang", lang, *quietly]
    done = oddly_named.here("run", *words)
    box.set_faults(Faults())
    report = reports(oddly_named)
    on_screen = printed(done.err if quiet else done.out)
    assert len(on_screen) == 3
    for commands in (in_workbook(report / "failures.xlsx"), in_page(report / "report.html")):
        assert commands == on_screen
    assert printed(oddly_named.here("status").out) == on_screen
    assert KEY not in "".join(on_screen)
    rest, mended, resent = on_screen
    assert there.type(rest) == PENDING
    assert there.type(mended) == []
    edit(report / "failures.xlsx", delete=UNCERTAIN[0], mend=True)
    assert there.type(mended) == [MENDED]
    assert there.type(resent) == UNCERTAIN[1:]
    assert [there.type(command) for command in on_screen] == [[], [], []]


def test_what_is_deleted_from_failures_csv_is_not_sent_either(
    oddly_named: Workspace, there: OtherFolder, box: RunningSandbox
) -> None:
    oddly_named.write("lista.csv", HEAD + "".join(ROWS[:3]))
    box.set_faults(Faults(reset_after=1.0, at_most=3))
    (resent,) = printed(oddly_named.here(*RUN).out)
    box.set_faults(Faults())
    path = reports(oddly_named) / "failures.csv"
    lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[2:]), encoding="utf-8-sig")
    command = resent.replace("failures.xlsx", "failures.csv")
    assert there.type(command.replace("--resend uncertain", "")) == []
    assert there.type(command) == PEOPLE[1:3]


def test_sending_again_that_was_stopped_continues_with_the_remaining_rows(
    oddly_named: Workspace, there: OtherFolder, box: RunningSandbox
) -> None:
    oddly_named.write("lista.csv", HEAD + "".join(ROWS[:4]))
    box.set_faults(Faults(reset_after=1.0, at_most=4))
    (resent,) = printed(oddly_named.here(*RUN, "--concurrency", 1).out)
    box.set_faults(Faults())
    first = there.type(f"{resent} --limit 1")
    assert len(first) == 1
    latest = printed(oddly_named.here("status").out)[0]
    assert "--resend uncertain" in latest
    assert sorted(first + there.type(latest)) == PEOPLE[:4]
    assert there.type(latest) == []


@pytest.mark.parametrize("go_on", [False, True])
def test_sending_again_that_left_rows_uncertain_once_more_says_how_to_send_these(
    oddly_named: Workspace, there: OtherFolder, box: RunningSandbox, *, go_on: bool
) -> None:
    """Also if the rest of the request was completed first, by a run that left them."""
    oddly_named.write("lista.csv", HEAD + "".join(ROWS[:4]))
    box.set_faults(Faults(reset_after=1.0, at_most=4))
    (resent,) = printed(oddly_named.here(*RUN, "--concurrency", 1).out)
    box.set_faults(Faults(reset_after=1.0, at_most=2))
    lost = there.type(f"{resent} --limit 2")
    assert len(lost) == 2
    box.set_faults(Faults())
    rest, again = printed(oddly_named.here("status").out)
    left = sorted(set(PEOPLE[:4]) - set(lost))
    if go_on:
        assert there.type(rest) == left
        (again,) = printed(oddly_named.here("status").out)
    assert there.type(again) == lost
    assert there.type(again) == []
    assert there.type(rest) == ([] if go_on else left)


def test_the_same_command_never_sends_twice_what_a_stopped_one_left_uncertain(
    oddly_named: Workspace, there: OtherFolder, box: RunningSandbox
) -> None:
    """Each stopped run of a report's command has its own uncertain rows: only its report asks about
    them.
    """
    oddly_named.write("lista.csv", HEAD + "".join(ROWS[:4]))
    box.set_faults(Faults(reset_after=1.0, at_most=7))
    (resent,) = printed(oddly_named.here(*RUN, "--concurrency", 1).out)
    turns = [there.type(f"{resent} --limit 1") for _ in range(3)]
    box.set_faults(Faults())
    turns.append(there.type(resent))
    assert sorted(email for turn in turns for email in turn) == PEOPLE[:4]


def packed(workspace: Workspace) -> list[str]:
    with zipfile.ZipFile(workspace.home / "export.zip", "w") as archive:
        archive.writestr("subscribed.csv", HEAD + "".join(ROWS) + WRONG)
        archive.writestr("unsubscribed.csv", HEAD + "Fora;fora@exemplo.com.br\n")
    return ["export.zip", "--member", "subscribed*"]


def two_files(workspace: Workspace) -> list[str]:
    return [
        "./" + workspace.write("-a.csv", HEAD + "".join(ROWS[:4])),
        workspace.write("b.csv", HEAD + "".join(ROWS[4:]) + WRONG),
    ]


def pattern(workspace: Workspace) -> list[str]:
    two_files(workspace)
    return ["*.csv"]


def hinted(workspace: Workspace) -> list[str]:
    text = "Título\n" + (HEAD + "".join(ROWS) + WRONG).replace(";", "\t")
    name = workspace.write("lista.txt", text.encode("utf-16"))
    return [name, "--delimiter", "tab", "--encoding", "utf-16", "--header-row", "2"]


def sheet(workspace: Workspace) -> list[str]:
    book = openpyxl.Workbook()
    table = book.active
    assert table is not None
    table.append(["Nome", "E-mail"])
    table.append(["Fora", "fora@exemplo.com.br"])
    right = book.create_sheet("Os leads")
    for line in [HEAD, *ROWS, WRONG]:
        right.append(line.strip().split(";"))
    book.save(workspace.home / "pasta.xlsx")
    return ["pasta.xlsx", "--sheet", "Os leads"]


@pytest.mark.parametrize("given", [packed, two_files, pattern, hinted, sheet])
def test_commands_read_the_same_list_and_reach_the_same_ledger(
    oddly_named: Workspace, there: OtherFolder, given
) -> None:
    files = given(oddly_named)
    key = oddly_named.home / "a chave"
    key.write_text(str(oddly_named.key))
    key.chmod(0o600)
    places = ["--api-key-file", key.name, "--state-dir", "o estado", "--report-dir", "saída"]
    words = ["-m", "o mapa.yaml", "--limit", 1, "--quota", "none", *places]
    done = oddly_named.here("run", *files, *words)
    rest, mended = printed(done.out)
    (first,) = (oddly_named.home / "saída").iterdir()
    sent = there.type(rest, key="")
    assert len(sent) == 6
    assert set(sent) < set(PEOPLE)
    assert first.name in mended
    edit(first / "failures.xlsx", mend=True)
    assert there.type(mended, key="") == [MENDED]
    assert there.type(rest, key="") == []


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
def test_a_list_from_standard_input_is_asked_for_once_more(
    oddly_named: Workspace, there: OtherFolder, lang: str
) -> None:
    text = HEAD + "".join(ROWS) + WRONG
    words = ["run", "-", "-m", "o mapa.yaml", "--limit", "2", "--lang", lang]
    out = oddly_named.feed(text, *words).out
    assert {"en": "standard input", "pt-BR": "entrada padrão"}[lang] in " ".join(out.split())
    rest, _ = printed(out)
    assert there.type(rest, stdin=text) == PEOPLE[2:]


def test_a_sandbox_of_its_own_is_gone_and_the_next_one_says_how_to_send_to_it(
    oddly_named: Workspace, tmp_path: Path
) -> None:
    oddly_named.write("lista.csv", HEAD + "".join(ROWS))
    done = oddly_named.do("run", "--sandbox", "lista.csv", "-m", "o mapa.yaml", "--limit", 2)
    (start,) = printed(done.out)
    venv = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": venv, "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    said = tmp_path / "said"
    with said.open("w") as err:
        box = Process(
            ["/bin/sh", "-c", f"exec {start} --port 0"],
            stderr=err,
            env=env,
            cwd=tmp_path,
            preexec_fn=dying_with_parent(),
        )
    try:
        until(lambda: "Ctrl+C" in said.read_text())
        typed = re.findall(r"Send to it: (.*)", said.read_text())[0]
        assert typed.startswith("RDIMPORT_API_KEY=")
        home = str(oddly_named.home).replace("'", "'\\''")
        typed = typed.replace("FILE", f"'{home}/lista.csv'", 1)
        typed = typed.replace("MAPPING", f"'{home}/o mapa.yaml'") + " --json"
        sent = subprocess.run(
            ["/bin/sh", "-c", typed], env=env, cwd=tmp_path,
            capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
        assert '"accepted": 7' in sent.stdout, sent.stderr
    finally:
        box.terminate()
        box.wait(TIMEOUT)


def test_init_and_check_print_commands_that_work_from_any_folder(
    oddly_named: Workspace, there: OtherFolder
) -> None:
    files = hinted(oddly_named)
    (propose,) = printed(oddly_named.here("check", *files).out)
    assert there.type(propose) == []
    written = (oddly_named.home.parent / "elsewhere" / "mapping.yaml").read_text(encoding="utf-8")
    look = re.findall(r"^# +(rdimport check .*)$", written, re.MULTILINE)
    said = oddly_named.here("init", *files, "-o", "novo.yaml").err
    assert there.type(printed(said)[0]) == []
    assert there.type(look[0]) == []


def test_a_run_whose_report_is_gone_is_told_how_to_have_it_written_again(
    oddly_named: Workspace, there: OtherFolder
) -> None:
    oddly_named.write("lista.csv", HEAD + WRONG)
    oddly_named.here(*RUN)
    folder = reports(oddly_named)
    shutil.rmtree(folder)
    (again,) = printed(oddly_named.here("status").out)
    assert there.type(again) == []
    assert (folder / "failures.xlsx").exists()


@pytest.mark.parametrize(
    ("lang", "sentence"), [("en", "No row was sent"), ("pt-BR", "Nenhuma linha foi enviada")]
)
def test_a_run_that_leaves_everybody_out_does_not_say_that_they_arrived(
    workspace: Workspace, box: RunningSandbox, lang: str, sentence: str
) -> None:
    workspace.write("list.csv", HEAD + "".join(ROWS))
    workspace.write("list.yaml", f"{MAPPING}where: \"Nome = 'Outra'\"\n")
    check = workspace.here("check", "list.csv", "-m", "list.yaml", "--lang", lang)
    assert "conversion_identifier" not in check.out
    done = workspace.here("run", "list.csv", "-m", "list.yaml", "--lang", lang)
    assert done.code == 0
    assert sentence in done.out
    assert not box.conversions()
