"""Every command of the guides is run verbatim, on a list as the page assumes."""

from __future__ import annotations

import re
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Workspace
from support.samples import ROOT

from rdimport.core.errors import MappingError
from rdimport.mapping import Mapping

DOCS = ROOT / "docs"
ELSEWHERE = {"tutorial", "fleet", "frota", "start", "instalar", "install", "registro", "incertas"}
"""Their commands need a database server, have their own test, or install something."""

PAGES = [
    path
    for folder in (DOCS / "guides", DOCS / "pt")
    for path in sorted(folder.glob("*.md"))
    if path.stem not in ELSEWHERE
]
LIST = "Nome;E-mail;Celular;Situação\n" + "".join(
    f"Pessoa {n};p{n}@exemplo.com.br;(11) 98765-43{n:02d};ativo\n" for n in range(6)
)
WRONG = "Carla Dias;carla.exemplo.com.br;(31) 98888-7777;ativo\n"
MAPPING = "version: 1\nconversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"
SETTINGS = """
[accounts.default]
api_key = {env = "ACME_KEY"}
[jobs.acme-feira]
account = "default"
files = "leads.csv"
mapping = "leads.yaml"
"""


def name_of(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def typed(page: Path) -> Iterator[str]:
    """The commands in the blocks for typing, without comments."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ").strip()
            if words.startswith("rdimport "):
                yield words


RUN = [path for path in PAGES if list(typed(path)) and path.stem not in ("index", "mapeamento")]


@pytest.fixture
def workspace(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A folder with what the guides mention, and the failure report of an earlier run."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    workspace.write("leads.csv", LIST + WRONG)
    workspace.write("leads.yaml", MAPPING)
    workspace.write("saiu.csv", "E-mail\np0@exemplo.com.br\n")
    settings = workspace.write("rdimport.toml", SETTINGS)
    workspace.environment |= {
        "RDIMPORT_CONFIG": str(workspace.home / settings),
        "ACME_KEY": str(workspace.key),
    }
    for archive in ("audiencia.zip", "audience.zip"):
        with zipfile.ZipFile(workspace.home / archive, "w") as file:
            file.writestr("subscribed_members.csv", LIST)
            file.writestr("unsubscribed_members.csv", LIST)
    assert workspace.here("run", "leads.csv", "-m", "leads.yaml", "--quota", "none").code == 1
    (report,) = workspace.reports.iterdir()
    report.rename(workspace.reports / "RUN")
    return workspace


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_each_command_of_a_guide_works_as_it_stands(page: Path, workspace: Workspace) -> None:
    for line in typed(page):
        words = shlex.split(line, comments=True)[1:]
        # What kind of file it is makes no difference to the command. A process knows one keyring.
        command = workspace.do if words[0] == "key" else workspace.here
        done = command(*(word.replace("leads.xlsx", "leads.csv") for word in words))
        assert done.code in (0, 1), (line, done.out, done.err)


def test_each_guide_that_tells_of_commands_is_among_them() -> None:
    names = {name_of(path) for path in RUN}
    wanted = {"correct", "keys", "lgpd", "lists"}
    assert {f"guides/{name}.md" for name in wanted} <= names
    wanted = {"corrigir", "chaves", "cron", "importacao", "lgpd", "listas"}
    assert {f"pt/{name}.md" for name in wanted} <= names


@pytest.mark.parametrize("page", [*PAGES, DOCS / "jobs.md", DOCS / "start.md"], ids=name_of)
def test_each_mapping_of_a_guide_is_one(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        if "jobs:" in block:
            continue  # a workflow
        whole = block if "version:" in block else f"version: 1\n{block}"
        whole += "" if "conversion_identifier" in block else "conversion_identifier: x\n"
        whole += "" if "fields:" in block else "fields: {email: EMAIL}\n"
        try:
            Mapping.parse(whole)
        except MappingError as error:
            pytest.fail(f"{block}{error}")
