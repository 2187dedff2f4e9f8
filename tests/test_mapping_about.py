"""`{about: …}` fills a field with a row's origin, which never counts as a change."""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from rdimport.core.errors import MappingError
from rdimport.mapping import Mapping

if TYPE_CHECKING:
    from support.command import Workspace

    from rdimport.sandbox.embedded import RunningSandbox

LIST = "E-mail;Nome\nana@example.com;Ana\nbia@example.com;Bia\n"
MAPPING = """
conversion_identifier: Feira
fields:
  email: E-mail
  name: Nome
  cf_arquivo: {about: file}
  cf_planilha: {about: sheet}
  cf_linha: {about: row, type: integer}
  cf_dia: {about: date}
  tags: {about: file, add: [feira]}
on_change: send
"""


def run(workspace: Workspace, file: str, *words: str) -> dict[str, int]:
    return workspace.here("run", file, "-m", "m.yaml", "--quota", "none", "--json", *words).summary


def test_a_row_says_where_it_comes_from(workspace: Workspace, box: RunningSandbox) -> None:
    workspace.write(
        "listas/feira.csv" if (workspace.home / "listas").is_dir() else "feira.csv", LIST
    )
    workspace.write("m.yaml", MAPPING)
    days = {f"{datetime.now().astimezone():%Y-%m-%d}"}
    assert run(workspace, "feira.csv")["accepted"] == 2
    days.add(f"{datetime.now().astimezone():%Y-%m-%d}")
    first, second = box.conversions()
    assert first["cf_arquivo"] == "feira.csv"
    assert (first["cf_linha"], second["cf_linha"]) == (2, 3)
    assert first["cf_dia"] in days
    assert "cf_planilha" not in first
    assert sorted(first["tags"]) == ["feira", "feira.csv"]


def test_the_same_people_in_another_file_and_row_are_not_sent_again(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("feira.csv", LIST)
    workspace.write("m.yaml", MAPPING.replace("  tags: {about: file, add: [feira]}\n", ""))
    run(workspace, "feira.csv")
    text = (workspace.home / "feira.csv").read_text(encoding="utf-8")
    workspace.write("outra.csv", text.replace("ana@", "zeca@example.com;Zeca\nana@"))
    for _ in range(2):
        found = run(workspace, "outra.csv")
        assert found["already_imported"] >= 2
    assert [each["email"] for each in box.conversions()][2:] == ["zeca@example.com"]
    shutil.move(workspace.home / "outra.csv", workspace.home / "nova.csv")
    before = box.requests
    text = (workspace.home / "nova.csv").read_text(encoding="utf-8")
    workspace.write("nova.csv", text.replace("Bia", "Beatriz"))
    assert (run(workspace, "nova.csv")["accepted"], box.requests) == (1, before + 1)


def test_where_a_row_comes_from_is_not_whose_it_is() -> None:
    with pytest.raises(MappingError, match="identity"):
        Mapping.parse(MAPPING + "identity: [email, cf_arquivo]\n")
    with pytest.raises(MappingError, match="about"):
        Mapping.parse(MAPPING.replace("about: row", "about: page"))
