"""The pages of the site: their commands are right, and each link resolves."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from site_reference import write_all
from summary_reference import MEANINGS
from support.command import Workspace
from support.programs import working_browser
from support.samples import ROOT

from rdimport.cli import options
from rdimport.core.errors import ExitCode
from rdimport.core.messages import LANGUAGES
from rdimport.core.messages.codes import Code
from rdimport.core.row import State

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.pt-BR.md",
    *(path for path in DOCS.rglob("*.md") if path.parent.name != "reference"),
]
PORTUGUESE = (ROOT / "README.pt-BR.md").read_text(encoding="utf-8")
TUTORIALS = [DOCS / "pt" / "tutorial.md", DOCS / "tutorial.md"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def typed(text: str) -> Iterator[str]:
    """The rdimport commands in the blocks of a page, without comments."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ").strip()
            if words.startswith("rdimport ") and "&&" not in words:
                yield words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_command_of_a_page_is_understood(page: Path) -> None:
    for line in typed(re.sub(r"\$\([^)]*\)", "X", page.read_text(encoding="utf-8"))):
        words = [word for word in shlex.split(line, comments=True)[1:] if word not in ("…", "|")]
        if "--version" not in words and words[0].islower():
            assert options.parser().parse_args(words).command == words[0], line


def helped(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        options.parser().parse_args([*command.split(), "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_sentence_calls_a_command_or_an_option_is_one(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for span in re.findall(r"`rdimport ([a-z][^`]+)`", text):
        words = " ".join(span.split()).partition(" > ")[0].split()
        named = " ".join(words[: 1 + (words[0] in ("jobs", "ledger", "fleet"))])
        for option in re.findall(r"--[a-z-]+", " ".join(words)):
            assert f"{option}" in helped(named, capsys), span
        assert f"rdimport {named}" in helped(named, capsys), span


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#: ]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", sorted({*ROOT.glob("*.md"), *PAGES}), ids=name_of)
def test_each_row_of_a_table_has_the_cells_of_its_header(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for table in re.findall(r"(?:^ *\|.*\n)+", text, re.MULTILINE):
        rows = table.splitlines()
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
        assert [row for row, n in zip(rows, cells, strict=True) if n != cells[0]] == []


def test_each_page_stands_in_the_contents_of_its_language() -> None:
    for folder in (DOCS, DOCS / "pt"):
        contents = (folder / "index.md").read_text(encoding="utf-8")
        for page in folder.rglob("*.md"):
            name = page.relative_to(folder).with_suffix("").as_posix()
            if (
                not name.startswith(("pt/", "reference/", "decisions/", "decisoes/"))
                and name != "index"
            ):
                assert f"\n{name}\n" in contents, name


PARALLEL = {
    "fleet": "frota",
    "ledger": "registro",
    "settle": "incertas",
    "speed": "velocidade",
    "mapping": "mapeamento",
    "tutorial": "tutorial",
    "python": "python",
}
"""Pages with the same content in both languages, heading by heading and row by row."""


def shape(page: Path) -> dict[str, list[str]]:
    """The levels of a page's headings, its tables' columns and rows, its blocks of code."""
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    tables = re.findall(r"(?:^\|.*\n)+", prose, re.MULTILINE)
    return {
        "headings": re.findall(r"^#+(?= )", prose, re.MULTILINE),
        "tables": [
            f"{t.count(chr(10))} rows, {t.partition(chr(10))[0].count('|')}" for t in tables
        ],
        "code": re.findall(r"^```(\w+)", text, re.MULTILINE),
    }


@pytest.mark.parametrize(("english", "portuguese"), PARALLEL.items())
def test_a_page_has_the_headings_and_tables_of_its_other_language(
    english: str, portuguese: str
) -> None:
    assert shape(DOCS / f"{english}.md") == shape(DOCS / "pt" / f"{portuguese}.md")


def test_the_portuguese_readme_explains_every_state_and_every_exit_code() -> None:
    assert [state for state in State if f"| `{state}` |" not in PORTUGUESE] == []
    assert [code for code in ExitCode if f"| {int(code)} |" not in PORTUGUESE] == []


@pytest.mark.parametrize("page", TUTORIALS, ids=name_of)
def test_the_pictures_of_a_tutorial_are_small_and_told_in_words(page: Path) -> None:
    shown = re.findall(r"!\[([^\]]*)\]\(pictures/(\w+\.png)\)", page.read_text(encoding="utf-8"))
    folder = page.parent / "pictures"
    assert sorted(name for _words, name in shown) == sorted(p.name for p in folder.iterdir())
    for words, name in shown:
        assert len(words) > 30
        content = (folder / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 100_000, "make pictures"


@pytest.mark.xdist_group("browser")
def test_the_pictures_are_made_by_doing_what_the_tutorial_says(tmp_path: Path) -> None:
    pictures = pytest.importorskip("pictures")  # a POSIX terminal
    with working_browser() as chromium:
        pictures.make(pictures.TUTORIALS[0], tmp_path, chromium)
    made = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(made) == {"run.png", "report.png", "sandbox.png"}
    assert min(made.values()) > 20_000


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_reference_names_every_command_and_every_code(tmp_path: Path, lang: str) -> None:
    write_all(tmp_path, "pt-BR" if lang == "pt-BR" else "en")
    commands = (tmp_path / "commands.md").read_text(encoding="utf-8")
    for command in ("run", "check", "init", "status", "jobs run", "ledger", "sandbox", "forget"):
        assert f"## rdimport {command.split()[0]}" in commands
    assert "`--canary" in commands
    codes = (tmp_path / "codes.md").read_text(encoding="utf-8")
    assert [code for code in Code if f"| `{code}` |" not in codes] == []


def test_the_reference_of_the_summary_has_the_keys_that_json_prints(
    tmp_path: Path, workspace: Workspace
) -> None:
    workspace.write("leads.csv", "E-mail\nana@exemplo.com.br\n")
    workspace.write("leads.yaml", "conversion_identifier: Feira\nfields: {email: E-mail}\n")
    printed = workspace.here("run", "leads.csv", "-m", "leads.yaml", "--json").summary
    write_all(tmp_path, "en")
    documented = re.findall(r"(?m)^\| `(\w+)` \|", (tmp_path / "summary.md").read_text("utf-8"))
    assert [key for key in documented if key != "report_failed"] == list(printed)
    assert list(MEANINGS) == documented, "each key's meaning, and no other"


@pytest.mark.parametrize("page", TUTORIALS, ids=name_of)
def test_the_tutorial_goes_as_it_says(page: Path, tmp_path: Path) -> None:
    person = Workspace(tmp_path)
    text = page.read_text(encoding="utf-8")
    (name,) = set(re.findall(r"`(\w+\.csv)`", text)) - {"failures.csv"}
    steps = re.findall(r"```(csv|sh)\n(.*?)```", text, re.DOTALL)
    ran = 0
    for kind, content in steps:
        if kind == "csv":
            (tmp_path / name).write_text(content, encoding="utf-8")
            continue
        for line in content.splitlines():
            words, _, remark = line.partition("  #")
            done = person.here(*shlex.split(words)[1:])
            expected = re.findall(r"\d", remark)
            assert done.code == int(expected[0] if expected else 0), done.err
            ran += 1
    assert ran == 5
