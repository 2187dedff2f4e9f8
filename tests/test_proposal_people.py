"""One row is one person: the name, phone and e-mail that `init` proposes are the same person's."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from support.command import Workspace

from rdimport.mapping import Mapping
from rdimport.proposal import Proposal, propose
from rdimport.source.header import unique_names

NAMES = ["Ana Sá", "Bia Reis", "Caio Luz", "Davi Melo"]


def cells(heading: str, at: int) -> list[str]:
    """Values that fit a heading, different from those of every other column."""
    if re.search("(?i)mail", heading):
        return [f"p{at}.{row}@exemplo.com.br" for row in range(4)]
    if re.search("(?i)tel|fone|celular|phone|whats", heading):
        return [f"1198{at:03d}00{row}0" for row in range(4)]
    return NAMES


def proposed(headings: str, **changed: list[str]) -> Proposal:
    """The proposal for a list with these headings; `c3` is the cells of the third column."""
    columns = unique_names(headings.split(";"))
    rows = {c: changed.get(f"c{at}", cells(c, at)) for at, c in enumerate(columns, 1)}
    return propose(columns, pl.DataFrame(rows), "lista.csv")


def fields(proposal: Proposal) -> tuple[str, ...]:
    """The columns of email, name and phones; None if a field is not filled."""
    mapping = Mapping.parse(proposal.text)
    found = []
    for name in ("email", "name", "mobile_phone", "personal_phone"):
        if name in mapping.fields:
            found += mapping.fields[name].columns
    return tuple(found)


CASES = {
    "Nome;E-mail;Nome;E-mail": "E-mail;Nome",
    "Nome;E-mail;Telefone;Nome;E-mail;Telefone": "E-mail;Nome;Telefone",
    "Nome;E-mail;Telefone;Nome.1;E-mail.1;Telefone.1": "E-mail;Nome;Telefone",
    "Nome_1;Email_1;Nome_2;Email_2;Celular_2": "Email_1;Nome_1",
    "Nome;E-mail;Telefone;E-mail;Telefone": "E-mail;Nome;Telefone",
    "First Name;Last Name;Email;First Name;Last Name;Email": "Email;First Name;Last Name",
    "Comprador;E-mail;Telefone;Participante;E-mail;Telefone":
        "E-mail (2);Participante;Telefone (2)",
    "Buyer Name;Buyer Email;Attendee Name;Attendee Email": "Attendee Email;Attendee Name",
    "Nome do comprador;E-mail do comprador;Telefone do comprador;Nome do participante;"
    "E-mail do participante": "E-mail do participante;Nome do participante",
    "Participante 1 - Nome;Participante 1 - E-mail;Participante 2 - Nome;Participante 2 - E-mail":
        "Participante 1 - E-mail;Participante 1 - Nome",
    "Nome do aluno;Nome do responsável;E-mail do responsável;Telefone do responsável":
        "E-mail do responsável;Nome do responsável;Telefone do responsável",
    "Nome do aluno;E-mail;Nome do responsável;E-mail do responsável": "E-mail;Nome do aluno",
    "Nome;E-mail do responsável;Telefone": "E-mail do responsável",
    "Nome da mãe;E-mail da mãe;Celular da mãe;Nome do pai;E-mail do pai;Celular do pai":
        "E-mail da mãe;Nome da mãe;Celular da mãe",
    "Nome (mãe);E-mail (mãe);Nome (filho);E-mail (filho)": "E-mail (mãe);Nome (mãe)",
    "Nome;E-mail;Nome da mãe;Telefone da mãe": "E-mail;Nome",
    "Titular;E-mail;Dependente;E-mail": "E-mail;Titular",
    "Nome do titular;E-mail do titular;Nome do dependente;Telefone do dependente":
        "E-mail do titular;Nome do titular",
    "Nome;E-mail;Indicado por;Telefone de quem indicou": "E-mail;Nome",
    "Nome do indicador;E-mail do indicador;Nome do indicado;E-mail do indicado":
        "E-mail do indicado;Nome do indicado",
    "Nome;E-mail;Celular;Cônjuge;E-mail do cônjuge;Celular do cônjuge": "E-mail;Nome;Celular",
    "Nome;E-mail;Telefone de emergência;Contato de emergência": "E-mail;Nome",
    "Nome;E-mail;Contato de emergência (nome);Contato de emergência (telefone)": "E-mail;Nome",
    "Nome;E-mail;Celular;Emergency Contact Name;Emergency Contact Phone": "E-mail;Nome;Celular",
    "Nome;E-mail;Telefone do responsável": "E-mail;Nome",
    "Nome;E-mail;Celular;Telefone (mãe)": "E-mail;Nome;Celular",
    "Nome;E-mail;Telefone recado": "E-mail;Nome",
    "Paciente;E-mail;Telefone;Telefone do responsável": "E-mail;Paciente;Telefone",
    "E-mail;Nome;Telefone;Vendedor;E-mail do vendedor": "E-mail;Nome;Telefone",
}  # fmt: skip


@pytest.mark.parametrize("headings", CASES)
def test_name_phone_and_email_are_those_of_one_person_and_the_others_are_named(
    headings: str,
) -> None:
    proposal = proposed(headings)
    assert ";".join(fields(proposal)) == CASES[headings]
    assert "# A row of this list describes several people." in proposal.text


ONE_PERSON = {
    "Nome;E-mail;Telefone;Telefone 2": "E-mail;Nome;Telefone;Telefone 2",
    "Nome;E-mail;E-mail 2;Telefone 1;Telefone 2": "E-mail;Nome;Telefone 1;Telefone 2",
    "Nome;E-mail;Telefone;Telefone": "E-mail;Nome;Telefone;Telefone (2)",
    "Empresa;Responsável;E-mail;Telefone": "E-mail;Responsável;Telefone",
    "Empresa;Nome do responsável;E-mail do responsável;Telefone":
        "E-mail do responsável;Nome do responsável;Telefone",
    "Nome;E-mail do participante;Telefone": "E-mail do participante;Nome;Telefone",
    "Nome do titular;E-mail do titular;Celular": "E-mail do titular;Nome do titular;Celular",
}  # fmt: skip


@pytest.mark.parametrize("headings", ONE_PERSON)
def test_a_list_of_one_person_a_row_is_read_as_one(headings: str) -> None:
    proposal = proposed(headings)
    assert ";".join(fields(proposal)) == ONE_PERSON[headings]
    assert "several people" not in proposal.text


@pytest.mark.parametrize(
    "headings", ["Aluno;Responsável;E-mail;Telefone", "Filho;Mãe;E-mail", "Nome da mãe;E-mail;Nome"]
)
def test_a_name_that_is_not_certainly_the_emails_is_left_out_and_reported(headings: str) -> None:
    proposal = proposed(headings)
    names = set(fields(proposal)) & {"Aluno", "Responsável", "Filho", "Mãe", "Nome da mãe"}
    assert names == set()
    if headings.endswith("Nome"):
        assert fields(proposal) == ("E-mail", "Nome")
    else:
        assert "# No column is clearly this person's name" in proposal.text


def test_the_person_who_mostly_has_an_email_is_the_lead() -> None:
    headings = "Nome do comprador;E-mail do comprador;Nome do participante;E-mail do participante"
    rare = ["ana@exemplo.com.br", "", "", ""]
    assert fields(proposed(headings, c4=rare)) == ("E-mail do comprador", "Nome do comprador")


@pytest.mark.parametrize(
    ("name", "taken"), [("Nome", "Mãe Sá"), ("Nome (2)", "Davi Sá")], ids=["first", "second"]
)
@pytest.mark.parametrize("command", [["check"], ["run", "--sandbox"]], ids=["check", "run"])
def test_of_two_columns_with_one_heading_the_mapping_names_either_and_is_told_which(
    command: list[str], name: str, taken: str, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path)
    workspace.write(
        "lista.csv", "Nome;Cidade;Nome;E-mail\nMãe Sá;Santos;Davi Sá;davi@exemplo.com.br\n"
    )
    mapping = f"conversion_identifier: x\nfields: {{email: E-mail, name: {name}}}\n"
    workspace.write("m.yaml", mapping)
    done = workspace.here(*command, "lista.csv", "-m", "m.yaml")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    note = (
        "lista.csv has 2 columns with the same heading: “Nome” is column 1, “Nome (2)” is column 3"
    )
    assert f"{note}; the mapping uses “{name}”." in said
    if command == ["check"]:
        assert re.search(rf"name +{taken}", done.out)
