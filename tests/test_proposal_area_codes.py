"""Area codes in a separate column: what `init` proposes makes complete numbers of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdimport.mapping import Mapping
from rdimport.prepare import bind, prepare
from rdimport.proposal import propose
from rdimport.source import Hints, open_tables

if TYPE_CHECKING:
    from pathlib import Path


def sent(tmp_path: Path, heading: str, *rows: str) -> list[dict[str, str]]:
    """The payloads of the rows that are valid with the proposed mapping."""
    path = tmp_path / "leads.csv"
    lines = [f"a{i}@example.com;{row}" for i, row in enumerate(rows)]
    path.write_text("\n".join([f"Email;{heading}", *lines, ""]), encoding="utf-8")
    (table,) = open_tables([str(path)], Hints())
    (batch,) = table.batches()
    (tmp_path / "m.yaml").write_text(propose(table.columns, batch, path.name).text, "utf-8")
    mapping = Mapping.load(tmp_path / "m.yaml")
    prepared = prepare(batch, bind(mapping, table.columns, table.name))
    return [json.loads(text) for text in prepared.rows["payload"]]


@pytest.mark.parametrize("heading", ["DDD;Telefone", "Código de área;Celular", "Prefixo;WhatsApp"])
def test_the_code_goes_before_numbers_that_have_none(tmp_path: Path, heading: str) -> None:
    rows = ["11;900000015", "021;90000-0016", ";(31) 90000-0017", "41;", ";", "(51);+351912345678"]
    found = [row.get("mobile_phone") for row in sent(tmp_path, heading, *rows)]
    mobile = ["+5511900000015", "+5521900000016", "+5531900000017", None, None, "+351912345678"]
    assert found == mobile


def test_a_number_without_any_code_is_no_number_of_another_area(tmp_path: Path) -> None:
    assert len(sent(tmp_path, "DDD;Telefone", "11;900000015", ";900000016")) == 1


def test_a_countrys_code_counts_too(tmp_path: Path) -> None:
    rows = [
        "55;11;900000015",
        "+55;021;900000016",
        ";31;900000017",
        "1;305;3125550",
        "351;;912345678",
    ]
    found = [row.get("mobile_phone") for row in sent(tmp_path, "DDI;DDD;Telefone", *rows)]
    assert found[:3] == ["+5511900000015", "+5521900000016", "+5531900000017"]
    assert set(found[3:]) <= {"+13053125550", "+351912345678"}


def test_each_of_several_numbers_gets_its_own_code(tmp_path: Path) -> None:
    heading = "DDD Fixo;Telefone Fixo;DDD Celular;Celular"
    (row,) = sent(tmp_path, heading, "11;30000015;21;900000015")
    assert (row["mobile_phone"], row["personal_phone"]) == ("+5521900000015", "+551130000015")
