"""What a check shows of a list for sign-off: the informative rows and columns."""

from __future__ import annotations

import re

import pytest
from support.command import Workspace
from support.lists import MAPPING

HEADING = "Qual é o seu maior desafio de marketing, considerando a sua equipe e o seu orçamento?"


def test_long_headings_are_cut_with_a_mark_and_empty_columns_share_a_line(
    workspace: Workspace,
) -> None:
    workspace.write(
        "list.csv", f'E-mail,Vazia,Outra vazia,"{HEADING}"\na@x.com,,,equipe\nb@x.com,,,x\n'
    )
    seen = workspace.here("check", "list.csv").out
    assert "Qual é o seu maior desafio…" in seen.replace("\n", " ") or "Qual é o seu maior…" in seen
    assert "Columns that are empty: “Vazia”, “Outra vazia”." in seen
    assert not [line for line in seen.splitlines() if line.startswith(("Vazia ", "Outra vazia "))]
    assert "Colunas vazias: “Vazia”" in workspace.here("check", "list.csv", "--lang", "pt-BR").out
    mapped = MAPPING.replace("name: Nome", "cf_a: Vazia, cf_b: Outra vazia")
    workspace.write("list.yaml", mapped)
    shown = workspace.here("check", "list.csv", "-m", "list.yaml").out
    assert "Empty in every row: cf_a (“Vazia”), cf_b (“Outra vazia”)" in shown


ROWS = {
    "plain": "plain@exemplo.com.br,Ana,11987654321",
    "changed": "CHANGED@exemplo.com.br,Ana,11987654321",
    "suspect": "suspect@gmial.com,Ana,11987654321",
    "dropped": "dropped@exemplo.com.br,Ana,1",
}
RULES = """\
version: 1
conversion_identifier: Teste
fields: {email: E-mail, name: Nome, mobile_phone: Celular}
invalid: {mobile_phone: drop}
"""


@pytest.mark.parametrize("odd", ["changed", "suspect", "dropped"])
def test_rows_that_are_changed_suspect_or_dropped_are_shown_before_plain_ones(
    workspace: Workspace, odd: str
) -> None:
    plain = [f"p{n}@exemplo.com.br,Ana,+5511987654321" for n in range(30)]
    workspace.write("list.csv", "\n".join(["E-mail,Nome,Celular", *plain, ROWS[odd]]))
    workspace.write("list.yaml", RULES)
    shown = workspace.here("check", "list.csv", "-m", "list.yaml").out
    rows = [line for line in shown.splitlines() if line.startswith("Row ")]
    assert [line.split()[1].rstrip(",") for line in rows] == ["32", "2"]


def test_a_list_that_is_not_there_is_reported_before_a_missing_key(workspace: Workspace) -> None:
    workspace.key = None
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", "E-mail,Nome\na@x.com,A\n")
    for files, said in (
        (("no.csv", "list.yaml"), "no.csv does not exist"),
        (("list.csv", "no.yaml"), "no.yaml"),
        (("list.csv", "list.yaml"), "no API key"),
    ):
        done = workspace.here("run", files[0], "-m", files[1])
        assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
def test_the_figures_of_a_field_stand_beside_it_on_80_columns(
    workspace: Workspace, lang: str
) -> None:
    workspace.write("list.csv", f"E-mail,Nome,Celular\n{ROWS['plain']}\n")
    workspace.write("list.yaml", RULES)
    shown = workspace.here("check", "list.csv", "-m", "list.yaml", "--lang", lang).out
    (line,) = re.findall(r"^mobile_phone +1 .*“Celular”$", shown, re.MULTILINE)
    assert len(line) < 80
