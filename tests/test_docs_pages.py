"""The commands of the pages on a first import, jobs and the fleet, run in order."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import Workspace
from support.postgres import Server
from support.samples import ROOT, mapping, sample
from test_docs_guides import typed

DOCS = ROOT / "docs"
FAIR = mapping("feira_abf_2026.xlsx").read_text("utf-8")
NEWSLETTER = "version: 1\nconversion_identifier: Newsletter\nfields: {email: E-mail, name: Nome}\n"
LIST = "Nome;E-mail\nAna Souza;ana@exemplo.com.br\nBruno Lima;bruno@exemplo.com.br\n"


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def words_of(line: str) -> list[str]:
    return shlex.split(line, comments=True)[1:]


def test_a_first_import_goes_as_the_page_says(workspace: Workspace) -> None:
    """Service commands are for machines with one, except for the last."""
    shutil.copy(sample("feira_abf_2026.xlsx"), workspace.home / "leads.xlsx")
    ran, page = [], DOCS / "start.md"
    of_service = re.findall(
        r"^sudo -u leads \S+/(rdimport .*)", page.read_text("utf-8"), re.MULTILINE
    )
    for line in [*typed(page), *of_service]:
        words = words_of(
            line.replace("/var/lib/rdimport", "state").replace("--plan pro", "--quota none")
        )
        done = workspace.here(*words)
        assert done.code in (0, 1), (line, done.out, done.err)
        ran.append(words[0])
    assert ran == ["init", "check", "run", "status"]


@pytest.fixture
def clients(workspace: Workspace, key_of: Callable[[str], str]) -> Workspace:
    """Twenty clients, or the two of them that docs/jobs.md has, with their lists and keys."""
    settings = blocks(DOCS / "jobs.md", "toml")[0].replace('plan = "pro"', 'quota = "none"')
    assert 'quota = "none"' in settings
    for folder in ("acme/entrada", "padaria", "chaves"):
        (workspace.home / folder).mkdir(parents=True)
    shutil.copy(sample("feira_abf_2026.xlsx"), workspace.home / "acme" / "entrada" / "outubro.xlsx")
    workspace.write("acme/feira.yaml", FAIR)
    workspace.write("padaria/newsletter.csv", LIST)
    workspace.write("padaria/newsletter.yaml", NEWSLETTER)
    (workspace.home / workspace.write("chaves/padaria-lua", key_of("padaria-lua"))).chmod(0o600)
    config = workspace.home / workspace.write("rdimport.toml", settings)
    workspace.environment |= {"RDIMPORT_CONFIG": str(config), "ACME_KEY": key_of("acme")}
    workspace.environment["RDIMPORT_STATE_DIR"] = str(workspace.home / "estado")
    return workspace


def test_the_jobs_of_the_page_are_run_as_it_says(clients: Workspace) -> None:
    lines = list(typed(DOCS / "jobs.md"))
    assert [words_of(line)[0] for line in lines] == ["jobs"] * 4 + ["status"]
    for line in lines:
        done = clients.here(*words_of(line))
        assert done.code in (0, 1), (line, done.out, done.err)
    assert "acme-feira" in done.out
    assert "padaria-newsletter" in done.out


def test_a_job_is_added_as_the_page_says(clients: Workspace) -> None:
    (line,) = re.findall(r"`(rdimport init [^`]+)`", (DOCS / "jobs.md").read_text("utf-8"))
    done = clients.here(*words_of(line.replace("acme-feira", "acme-outubro")))
    assert done.code == 0, done.err
    assert "acme-outubro" in clients.here("jobs", "list").out


@pytest.mark.parametrize("page", ["fleet.md", "pt/frota.md"])
def test_a_fleet_is_begun_as_the_page_says(page: str, clients: Workspace, postgres: Server) -> None:
    """Instead of a worker that runs on, one with `--once` does all that there is."""
    clients.environment["RDIMPORT_LEDGER"] = postgres.new_database()
    ran = []
    for line in typed(DOCS / page):
        words = words_of(line.replace("/srv/www/", "").replace("/srv/leads/", ""))
        done = clients.here(*words, *(["--once"] if words[0] == "worker" else []))
        assert done.code == 0, (line, done.out, done.err)
        ran.append(words[0])
    assert ran[:3] == ["fleet", "worker", "fleet"]
