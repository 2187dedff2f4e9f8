"""`invalid: {field: drop}`: a person is not lost because of an unneeded cell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import openpyxl
import pytest

from rdimport.core.errors import MappingError
from rdimport.mapping import Mapping

if TYPE_CHECKING:
    from support.command import Workspace

    from rdimport.sandbox.embedded import RunningSandbox

LIST = (
    "Nome;E-mail;Celular;UF\n"
    "Ana;ana@example.com;(11) 90000-0001;SP\n"
    "Bia;bia@example.com;123;SP\n"
    "Caio;caio@example.com;não tem;ZZ\n"
    "Duda;sem-arroba;123;SP\n"
)
MAPPING = """
conversion_identifier: Feira
fields: {email: E-mail, name: Nome, mobile_phone: Celular, state: UF}
invalid: {mobile_phone: drop}
"""


def test_the_person_is_sent_without_the_cell_and_the_report_says_so(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("leads.csv", LIST)
    workspace.write("m.yaml", MAPPING)
    words = ("leads.csv", "-m", "m.yaml", "--lang", "en")
    checked = workspace.here("check", *words)
    assert "cell.dropped" in checked.out + checked.err
    done = workspace.here("run", *words, "--quota", "none", "--json")
    counted = {name: done.summary[name] for name in ("rows", "accepted", "invalid")}
    assert (counted, done.code) == ({"rows": 4, "accepted": 2, "invalid": 2}, 1)
    assert done.summary["suspect"] == {"cell.dropped": 1}
    sent = {each["email"]: each.get("mobile_phone") for each in box.conversions()}
    assert sent == {"ana@example.com": "+5511900000001", "bia@example.com": None}
    book = openpyxl.load_workbook(workspace.home / done.summary["failures_xlsx"])
    header, *rows = book["sent without"].iter_rows(values_only=True)
    (row,) = [dict(zip(header, row, strict=True)) for row in rows]
    assert (row["Nome"], row["Celular"], row["rdimport_row"]) == ("Bia", "123", "3")
    assert (row["rdimport_field"], row["rdimport_value"]) == ("mobile_phone", "123")


def test_a_corrected_report_does_not_send_those_people_again(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("leads.csv", LIST)
    workspace.write("m.yaml", MAPPING)
    done = workspace.here("run", "leads.csv", "-m", "m.yaml", "--quota", "none", "--json")
    before = box.requests
    again = workspace.here(
        "run", done.summary["failures_xlsx"], "-m", "m.yaml", "--quota", "none", "--json"
    )
    assert (again.summary["rows"], box.requests) == (2, before)
    assert workspace.here("ledger", "check").code == 0


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("", "email"),
        ("identity: [email, name]", "name"),
        ("checks: {name: {required: true}}", "name"),
        ("", "city"),
    ],
)
def test_what_every_row_needs_cannot_be_dropped(more: str, field: str) -> None:
    text = (
        "conversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"
        f"invalid: {{{field}: drop}}\n{more}\n"
    )
    with pytest.raises(MappingError, match=field):
        Mapping.parse(text)


def test_the_value_row_is_the_default() -> None:
    mapping = Mapping.parse(MAPPING.replace("drop", "row"))
    assert (mapping.dropped, json.loads(mapping.model_dump_json())["invalid"]) == (
        frozenset(),
        {"mobile_phone": "row"},
    )
