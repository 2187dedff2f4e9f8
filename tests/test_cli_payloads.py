"""`check --payloads FILE`: a preview to sign off."""

from __future__ import annotations

import json
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.command import Workspace

    from rdimport.sandbox.embedded import RunningSandbox

LIST = "E-mail;Nome\nana@example.com;ANA\nbia@example.com;Bia\nruim;X\nana@example.com;Ana Sá\n"
MAPPING = "conversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"


def written(workspace: Workspace, *words: str) -> list[dict[str, object]]:
    done = workspace.here("check", "leads.csv", "-m", "m.yaml", "--payloads", "p.jsonl", *words)
    assert done.code in (0, 1), done.err
    text = (workspace.home / "p.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_each_payload_is_the_one_that_a_run_sends(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("leads.csv", LIST)
    workspace.write("m.yaml", MAPPING)
    found = written(workspace)
    assert [(each["file"], each["row"]) for each in found] == [("leads.csv", 3), ("leads.csv", 5)]
    assert box.requests == 0
    if sys.platform != "win32":
        assert stat.S_IMODE((workspace.home / "p.jsonl").stat().st_mode) == 0o600
    workspace.here("run", "leads.csv", "-m", "m.yaml", "--quota", "none", "--json")
    by_email = {each["email"]: each for each in box.conversions()}
    assert {each["payload"]["email"]: each["payload"] for each in found} == by_email  # type: ignore[index]
    (workspace.home / "p.jsonl").unlink()
    assert written(workspace) == []


def test_a_limit_holds_for_the_preview_too(workspace: Workspace) -> None:
    workspace.write("leads.csv", LIST)
    workspace.write("m.yaml", MAPPING)
    assert len(written(workspace, "--limit", "1")) == 1


def test_a_file_that_is_there_is_not_written_over(workspace: Workspace) -> None:
    workspace.write("leads.csv", LIST)
    workspace.write("m.yaml", MAPPING)
    done = workspace.here("check", "leads.csv", "-m", "m.yaml", "--payloads", "leads.csv")
    assert (done.code, "--payloads" in done.err) == (2, True)
    assert (workspace.home / "leads.csv").read_text(encoding="utf-8") == LIST


def test_a_place_that_takes_no_file_is_reported_and_not_as_a_run_that_stopped(
    workspace: Workspace,
) -> None:
    workspace.write("leads.csv", LIST)
    workspace.write("m.yaml", MAPPING)
    done = workspace.here("check", "leads.csv", "-m", "m.yaml", "--payloads", "m.yaml/p.jsonl")
    assert (done.code, done.err.count("--payloads"), "ledger" in done.err) == (2, 1, False)
