"""The commands of the pages on the ledger and on settling, run as the pages say."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from support.command import Done, Workspace
from support.posix import interrupt
from support.postgres import Server
from support.reports import csv_rows
from support.samples import ROOT
from test_docs_pages import blocks, words_of
from test_settle import age, export_of, listening, posted

from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

DOCS = ROOT / "docs"
LEDGER_PAGES = ["ledger.md", "pt/registro.md"]
SETTLE_PAGES = ["settle.md", "pt/incertas.md"]
MAPPING = "version: 1\nconversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"
HEAD = "Nome;E-mail\n"
EARLY = "Ana Souza;ana@exemplo.com.br\n"
LATE = "Bruno Lima;bruno@exemplo.com.br\n"


class Machine:
    """A machine as the page assumes: a state directory, a backup, a list, a database."""

    def __init__(self, workspace: Workspace, page: str) -> None:
        self.workspace, self.page = workspace, DOCS / page
        self.places = {
            "/var/lib/": f"{workspace.home}/var/",
            "/backup/": f"{workspace.home}/backup/",
            "~/": f"{workspace.home}/",
            "$(date +%F)": "2026-11-29",
        }
        self.ran: list[str] = []
        for folder in ("var", "backup", "lists", "listas", ".config/rdimport"):
            (workspace.home / folder).mkdir(parents=True)
        workspace.write("leads.yaml", MAPPING)
        workspace.write("leads.csv", HEAD + EARLY)
        workspace.environment["XDG_CONFIG_HOME"] = str(workspace.home / ".config")

    def text(self, line: str) -> str:
        for place, here in self.places.items():
            line = line.replace(place, here)
        return re.sub(r"postgresql://\S+", self.places.get("database", ""), line)

    def lines(self, *named: str) -> Iterator[str]:
        """The lines of the block that contains all of these."""
        (block,) = [
            block for block in blocks(self.page, "sh") if all(word in block for word in named)
        ]
        for line in block.splitlines():
            yield self.text(line)

    def types(self, line: str, code: int = 0) -> Done:
        """Type a line; in a terminal it would ask for confirmation."""
        words = words_of(line)
        done = self.workspace.here(*words, *(["--yes"] if words[1] == "accept" else []))
        assert done.code == code, (line, done.out, done.err)
        self.ran.append(" ".join(words[:2]) if words[0] == "ledger" else words[0])
        return done

    def sent(self, people: str) -> int:
        """How many requests a run from the state directory sends."""
        self.workspace.write("leads.csv", HEAD + people)
        state = ("--state-dir", self.text("/var/lib/rdimport"))
        requests = self.workspace.here(
            "run", "leads.csv", "-m", "leads.yaml", *state, "--json", "--quota", "none"
        ).summary["requests"]
        assert isinstance(requests, int)
        return requests


@pytest.mark.parametrize("page", LEDGER_PAGES)
def test_a_shared_ledger_is_begun_as_the_page_says(
    page: str, workspace: Workspace, postgres: Server
) -> None:
    machine = Machine(workspace, page)
    machine.places["database"] = postgres.new_database()
    for line in machine.lines("pip install"):
        if line.startswith("rdimport"):
            machine.types(line)
    assert machine.ran == ["fleet", "run"]
    again = workspace.here(
        "run", "leads.csv", "-m", "leads.yaml", "--ledger", machine.places["database"], "--json"
    )
    assert (again.code, again.summary["requests"]) == (0, 0)


@pytest.mark.parametrize("page", LEDGER_PAGES)
def test_a_ledger_moves_to_a_database_and_back_as_the_page_says(
    page: str, workspace: Workspace, postgres: Server
) -> None:
    machine = Machine(workspace, page)
    machine.places["database"] = postgres.new_database()
    assert machine.sent(EARLY) == 1
    for line in machine.lines("ledger copy", "/var/lib", "postgresql"):
        machine.types(line)
    assert machine.ran == ["ledger copy"] * 2
    (copy,) = (workspace.home / "backup").iterdir()
    shared = ("--ledger", machine.places["database"])
    back = ("--state-dir", str(copy))
    machine.types(f"rdimport run leads.csv -m leads.yaml {' '.join(back)}", code=2)
    assert workspace.here("ledger", "accept", "--yes", *back).code == 0
    for place in (shared, back):
        machine.types(f"rdimport run leads.csv -m leads.yaml --quota none {' '.join(place)}")
        assert workspace.here("ledger", "check", *place).code == 0
    assert workspace.here("report", "--json", *shared).summary["already_imported"] == 1


@pytest.mark.parametrize("page", LEDGER_PAGES)
def test_a_ledger_is_restored_from_its_backup_as_the_page_says(
    page: str, workspace: Workspace
) -> None:
    machine = Machine(workspace, page)
    assert machine.sent(EARLY) == 1
    for line in machine.lines("ledger copy", "$(date"):
        machine.types(line)
    backup = workspace.home / "backup"
    (backup / "rdimport-2026-11-29").rename(backup / "rdimport-2026-03-01")
    assert machine.sent(EARLY + LATE) == 1
    moved, copied, checked = machine.lines("mv ", "ledger copy", "check")
    shutil.move(*moved.split()[1:])
    machine.types(copied)
    shutil.copy(
        workspace.home / "leads.csv", workspace.home / words_of(checked)[1].partition("/")[0]
    )
    refused = machine.types(checked, code=2)
    assert "rdimport ledger accept" in refused.err
    (accept,) = machine.lines("ledger accept")
    machine.types(accept)
    machine.types(checked)
    assert machine.ran == ["ledger copy"] * 2 + ["check", "ledger accept", "check"]
    assert machine.sent(EARLY + LATE) == 1, "as the page says, the row since the copy goes again"


@pytest.mark.parametrize("page", LEDGER_PAGES)
def test_the_key_of_a_ledger_is_kept_apart_as_the_page_says(
    page: str, workspace: Workspace
) -> None:
    machine = Machine(workspace, page)
    workspace.environment["RDIMPORT_STATE_DIR"] = machine.text("/var/lib/rdimport")
    assert machine.sent(EARLY) == 1
    (line,) = machine.lines("ledger key")
    machine.types(line)
    workspace.environment["RDIMPORT_LEDGER_KEY_FILE"] = words_of(line)[-1]
    assert machine.sent(EARLY) == 0


@pytest.fixture
def doubtful(workspace: Workspace, box: RunningSandbox) -> Workspace:
    """The page's list, some of whose rows arrived without an answer."""
    rows = "".join(f"Pessoa {n};p{n}@exemplo.com.br\n" for n in range(12))
    workspace.write("list.csv", HEAD + rows)
    workspace.write("list.yaml", MAPPING)
    box.set_faults(Faults(reset_after=1.0, skip=2, at_most=3))
    done = workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json")
    box.set_faults(Faults())
    assert (done.code, done.summary["uncertain"]) == (1, 3)
    return workspace


def in_doubt(workspace: Workspace) -> list[str]:
    """The addresses of the last run's rows that need a person."""
    summary = workspace.here("report", "--json").summary
    return [row["E-mail"] for row in csv_rows(workspace.home / summary["failures_csv"])]


def of_settling(page: str, named: str) -> list[str]:
    (block,) = [b for b in blocks(DOCS / page, "sh") if named in b]
    lines = block.replace("\\\n", " ").replace("list.xlsx", "list.csv").splitlines()
    return [line for line in lines if line.startswith("rdimport")]


def typed(workspace: Workspace, line: str, *words: str) -> None:
    done = workspace.here(*words_of(line), *words)
    assert done.code == 0, (line, done.out, done.err)


@pytest.mark.parametrize("page", SETTLE_PAGES)
def test_calls_settle_rows_as_the_page_says(page: str, doubtful: Workspace) -> None:
    """One call is received, the others were by something else."""
    listen, read = of_settling(page, "--listen")
    assert words_of(listen)[:2] == ["settle", "--listen"]
    first, *others = [json.dumps(call(name)) for name in in_doubt(doubtful)]
    with listening(doubtful) as (url, process):
        assert posted(url, first.encode()) == 200
        interrupt(process, signal.SIGINT)
        done = doubtful.wait(process)
    assert (done.code, done.summary["settled"]) == (0, 1)
    doubtful.write("webhooks.jsonl", "\n".join(others))
    typed(doubtful, read)
    assert in_doubt(doubtful) == []


def call(email: str) -> dict[str, object]:
    return {
        "event_type": "WEBHOOK.CONVERTED",
        "event_identifier": "Feira",
        "event_timestamp": datetime.now(UTC).isoformat(),
        "contact": {"email": email, "name": "Pessoa"},
    }


@pytest.mark.parametrize("page", SETTLE_PAGES)
def test_an_export_settles_rows_as_the_page_says(
    page: str, doubtful: Workspace, box: RunningSandbox
) -> None:
    doubtful.write("export.yaml", *blocks(DOCS / page, "yaml"))
    doubtful.write("export.csv", box.export())
    (line,) = of_settling(page, "--utc-offset")
    typed(doubtful, line)
    assert in_doubt(doubtful) == []


@pytest.mark.parametrize("page", SETTLE_PAGES)
def test_a_complete_export_frees_rows_as_the_page_says(
    page: str, doubtful: Workspace, box: RunningSandbox
) -> None:
    """The times are those of the page's example, moved to now; the rows were sent hours before."""
    age(doubtful)
    missing = in_doubt(doubtful)[0]
    doubtful.write("export.yaml", *blocks(DOCS / page, "yaml"))
    lines = [line for line in export_of(box).splitlines() if missing not in line]
    doubtful.write("export.csv", "\n".join(lines))
    settle, run = of_settling(page, "--complete-from")
    now = datetime.now(UTC)
    since, end = ((now + timedelta(hours=hours)).isoformat() for hours in (-24, -1))
    typed(doubtful, settle.replace("2026-11-28T18:00", end).replace("2026-11-27", since))
    assert in_doubt(doubtful) == [missing]
    typed(doubtful, run, "--quota", "none")
    assert doubtful.here("report", "--json").summary["requests"] == 1
    assert in_doubt(doubtful) == []
