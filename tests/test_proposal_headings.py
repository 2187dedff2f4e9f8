"""Headings of real systems and forms, and headings that only look like them."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from rdimport.core.errors import MappingError
from rdimport.mapping import Mapping
from rdimport.proposal import propose
from rdimport.proposal.evidence import ColumnEvidence, gather
from rdimport.proposal.guess import guess

MEANT = {
    "name": (
        "Maria Lima",
        "NM_CLIENTE|Contact Person|NOME_COMPLETO|A1_NOME|Sacado|Comprador(a)|Aluno (a)|Sócio/a",
    ),
    "email": ("ana@example.com", "DS_EMAIL|EMAIL1|Pessoa - E-mail|A1_EMAIL|E-mail 1 - Value"),
    "mobile_phone": ("11987654321", "Telemóvel|NR_CELULAR|Cellular|Número do WhatsApp|CELULAR1"),
    "phone": ("11987654321", "Tel1|A1_TEL|Contato telefônico|NR_TELEFONE|Phone 1 - Value"),
    "city": ("Campinas", "Localidade|MUNICíPIO|A1_MUN|NM_MUNICIPIO|Mailing City"),
    "state": ("SP", "SG_UF|A1_EST|Unidade da Federação|Mailing State"),
    "company_name": ("Padaria Sol", "Organization Name|Associated Company|Organização - Nome"),
    "job_title": ("Gerente", "PROFISSãO|FUNçãO|Organization Title|Organization 1 - Title|Título do cargo"),
    "area_code": ("011", "DDD|Código de área|A1_DDD|DDD Celular|Prefixo"),
    "country_code": ("55", "DDI|Código do país"),
}
FALSE_FRIENDS = {
    "Maria Lima": "Company owner|Contact owner|Deal owner|Owner|Company Owner Name|Nome da turma",
    "Gerente": "Organization Department|Company Type|Company Status|Contato da empresa",
    "exemplo.com.br": "Company Domain Name",
    "ana@exemplo.com.br": "Owner email|E-mail do proprietário|Email Domain",
    "11987654321": "Owner phone|Company phone label|Fax",
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
