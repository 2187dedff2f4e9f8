"""Headings of real systems and forms, and headings that only look like them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import polars as pl
import pytest

import rdimport
from rdimport import check
from rdimport.core.errors import MappingError
from rdimport.mapping import Mapping
from rdimport.plan.planner import PAYLOAD
from rdimport.proposal import propose
from rdimport.proposal.evidence import ColumnEvidence, gather
from rdimport.proposal.guess import guess

MEANT = {
    "name": (
        "Maria Lima",
        (
            "NM_CLIENTE|Contact Person|NOME_COMPLETO|A1_NOME|Sacado|Comprador(a)|Aluno (a)|Sócio/a|"
            "Condômino|Apellido y Nombre|Billing Name"
        ),
    ),
    "email": ("ana@example.com", "DS_EMAIL|EMAIL1|Pessoa - E-mail|A1_EMAIL|E-mail 1 - Value"),
    "mobile_phone": ("11987654321", "Telemóvel|SMS|NR_CELULAR|Cellular|Número do WhatsApp"),
    "phone": ("11987654321", "Número|Coluna 3|Tel1|A1_TEL|Contato telefônico|Phone 1 - Value"),
    "city": ("Campinas", "Localidade|MUNICíPIO|A1_MUN|NM_MUNICIPIO|Mailing City"),
    "state": ("SP", "SG_UF|A1_EST|Unidade da Federação|Mailing State"),
    "company_name": ("Padaria Sol", "Organization Name|Associated Company|Organização - Nome"),
    "job_title": ("Gerente", "PROFISSãO|FUNçãO|Organization 1 - Title|Título do cargo"),
    "area_code": ("011", "DDD|Código de área|A1_DDD|DDD Celular|Prefixo"),
    "country_code": ("55", "DDI|Código do país"),
}
FALSE_FRIENDS = {
    "Maria Lima": "Company owner|Contact owner|Deal owner|Owner|Company Owner Name|Nome da turma",
    "Gerente": "Organization Department|Company Type|Company Status|Contato da empresa",
    "exemplo.com.br": "Company Domain Name",
    "ana@exemplo.com.br": "Owner email|E-mail do proprietário|Email Domain",
    "11987654321": "Owner phone|Company phone label|Fax|ID WhatsApp|Telefone ID",
    "1180": "Número|Coluna 3",
    "#1001": "Name|Nome",
    "Zé": "Apelido",
    "C001": "Cidade ID|ID do cliente",
    "4321": "CD_CLIENTE|ID_PESSOA|TP_PESSOA|Prefixo|DDD",
}


LOOKS = pytest.mark.xdist_group("headings")
"""One process examines the cells, which are few."""


@cache
def column_of(cell: str) -> ColumnEvidence:
    """The survey of a column filled with this cell."""
    return gather(pl.DataFrame({"x": [cell] * 10}))["x"]


@LOOKS
@pytest.mark.parametrize(
    ("heading", "cell", "field"),
    [(h, cell, field) for field, (cell, hs) in MEANT.items() for h in hs.split("|")],
)
def test_a_heading_is_understood(heading: str, cell: str, field: str) -> None:
    assert str(guess([heading], {heading: column_of(cell)})[heading].holds) == field


@LOOKS
@pytest.mark.parametrize(
    ("heading", "cell"), [(h, cell) for cell, hs in FALSE_FRIENDS.items() for h in hs.split("|")]
)
def test_a_false_friend_is_left_out(heading: str, cell: str) -> None:
    """Another column has the address, so that this one is not taken for lack of a better one."""
    columns = {"Email": column_of("bia@example.com"), heading: column_of(cell)}
    assert heading not in guess([*columns], columns)


@pytest.mark.parametrize(
    ("heading", "cells", "is_boolean"),
    [
        ("Sexo", ["F"] * 10, False),
        ("Gênero", ["f"] * 10, False),
        ("Coluna X", ["F"] * 10, False),
        ("Ativo", ["S", "N"] * 5, True),
    ],
)
def test_a_column_of_women_is_no_column_of_noes(
    heading: str, cells: list[str], *, is_boolean: bool
) -> None:
    rows = pl.DataFrame({"Email": ["bia@example.com"] * 10, heading: cells})
    text = propose(rows.columns, rows, "x.csv").text
    (line,) = [line for line in text.splitlines() if heading in line]
    assert ("type: boolean" in line) is is_boolean


def test_a_portuguese_word_is_understood_as_what_it_means() -> None:
    text = "conversion_identifier: x\nfields: {email: E, name: {column: N, clean: nome}}\n"
    with pytest.raises(MappingError, match="did you mean `name`"):
        Mapping.parse(text)


NAME = {"First Name": "Ana", "Last Name": "Lima"}


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (NAME | {"Middle Name": "da Silva"}, "Ana da Silva Lima"),
        ({"Nome": "Ana", "Segundo nome": "da Silva", "Sobrenome": "Lima"}, "Ana da Silva Lima"),
        (NAME | {"Full Name": "Ana da Silva Lima"}, "Ana da Silva Lima"),
        (NAME | {"Full Name": ""}, "Ana Lima"),
        (NAME | {"Name": "#1001"}, "Ana Lima"),
        ({"Nome": "Ana Lima", "Apelido": "Aninha"}, "Ana Lima"),
        ({"Nome": "Ana Lima", "Segundo nome": "Bia"}, "Ana Lima"),
    ],
)
def test_a_name_is_sent_whole(tmp_path: Path, cells: dict[str, str], name: str) -> None:
    assert sent(tmp_path, cells)["name"] == name


def test_dashes_where_a_name_is_missing_do_not_make_its_column_one_of_numbers() -> None:
    names = pl.DataFrame({"Nome": ["Ana Lima", "-", "- -", "-"]})
    evidence = gather(names.with_columns(Email=pl.lit("ana@example.com")))
    assert str(guess([*evidence], evidence)["Nome"].holds) == "name"


def test_what_is_delivered_to_somebody_else_does_not_fill_a_gap(tmp_path: Path) -> None:
    buyer = {"Nome": "Ana Lima", "Telefone": "", "Cidade": ""}
    recipient = {"Telefone de entrega": "11987654321", "Shipping City": "Campinas"}
    assert set(sent(tmp_path, buyer | recipient)) & {"mobile_phone", "city"} == set()


def test_source_and_medium_side_by_side_are_those_of_a_campaign(tmp_path: Path) -> None:
    source = {"Source": "google"}
    assert "traffic_source" not in sent(tmp_path, source)
    done = sent(tmp_path, source | {"Medium": "cpc", "Campaign": "natal", "Term": "loja"})
    kinds = ("source", "medium", "campaign", "value")
    assert [done[f"traffic_{kind}"] for kind in kinds] == ["google", "cpc", "natal", "loja"]


def test_noughts_alone_are_no_answers() -> None:
    rows = pl.DataFrame(
        {"E-mail": ["ana@example.com"] * 2, "Limite": ["0", "0"], "VIP": ["0", "1"]}
    )
    text = propose(rows.columns, rows, "lista.csv").text
    assert "# cf_limite: Limite " in text
    assert "# cf_vip: {column: VIP, type: boolean}" in text


def test_the_example_of_several_phones_is_one_that_is_there() -> None:
    cells = {"E-mail": "ana@example.com", "Celular": None, "WhatsApp": "11987654321"}
    rows = pl.DataFrame([cells], schema=dict.fromkeys(cells, pl.String))
    assert "“11987654321”" in propose(rows.columns, rows, "lista.csv").text


def sent(folder: Path, cells: dict[str, str]) -> dict[str, object]:
    """The payload that the proposed mapping makes of one row."""
    row = {"E-mail": "ana@example.com"} | cells
    file = folder / "lista.csv"
    file.write_text(f"{';'.join(row)}\n{';'.join(row.values())}\n", encoding="utf-8")
    done = check(file, Mapping.parse(rdimport.propose(file).text), quota=None)
    (payload,) = (text for frame in done.payloads() for text in frame[PAYLOAD])
    return dict(json.loads(payload))
