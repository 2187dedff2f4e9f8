"""The pandera schema on its own, and the catalogue of its findings."""

from __future__ import annotations

import re
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest
from pandera.errors import SchemaErrors

from rdimport.core.errors import Bug
from rdimport.core.messages.codes import Code
from rdimport.mapping import Mapping
from rdimport.prepare.validate import failures, passes, schema

MAPPING = Mapping.parse("""\
conversion_identifier: Feira
fields:
  email: E-mail
  name: Nome
  tags: {column: Tags, split: ";"}
  cf_n: {column: N, type: integer}
checks: {name: {required: true, max_length: 10}, cf_n: {max: 5}}
""")
SCHEMA = {
    "conversion_identifier": pl.String,
    "email": pl.String,
    "name": pl.String,
    "tags": pl.List(pl.String),
    "cf_n": pl.String,
}


def frame(**cells: object) -> pl.DataFrame:
    row = {"conversion_identifier": "Feira", "email": "ana@exemplo.com", "name": "Ana"}
    return pl.DataFrame({**dict.fromkeys(SCHEMA), **row, **cells}, schema=SCHEMA)


def test_the_schema_is_a_plain_pandera_schema_that_can_be_used_alone() -> None:
    plain = schema(MAPPING)
    assert isinstance(plain, pa.DataFrameSchema)
    good = frame(tags=["a"], cf_n="5")
    assert plain.validate(good).equals(good)
    with pytest.raises(SchemaErrors) as caught:
        plain.validate(frame(email="x", name=None, tags=["A"], cf_n="6"), lazy=True)
    found = caught.value.failure_cases.select("column", "check").rows()
    assert set(found) == {
        ("email", "email.syntax"),
        ("name", "not_nullable"),
        ("tags", "tags.capitals"),
        ("cf_n", "number.too_large|5"),
    }


def test_every_failing_cell_is_found_in_one_pass_with_its_position_code_and_detail() -> None:
    rows = pl.concat([frame(), frame(email="x", name="x" * 300), frame(), frame(name=None)])
    found = failures(rows, schema(MAPPING)).sort("index", "target", "code", "detail")
    assert found.rows() == [
        (1, "email", "email.no_at", ""),
        (1, "name", "text.too_long", "10"),
        (1, "name", "text.too_long", "255"),
        (3, "name", "value.missing", ""),
    ]


def test_a_frame_without_rows_or_faults_has_no_failures() -> None:
    assert failures(frame(), schema(MAPPING)).height == 0
    assert failures(frame()[:0], schema(MAPPING)).height == 0


def test_a_frame_of_another_form_is_a_bug_and_not_a_bad_row() -> None:
    with pytest.raises(Bug, match="does not have its form"):
        failures(frame().with_columns(tags=pl.lit("a")), schema(MAPPING))


def test_every_code_that_the_code_can_give_is_in_the_catalogue() -> None:
    package = Path(__file__).parent.parent / "rdimport"
    files = (package / "prepare").glob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    codes = set(re.findall(r'f?"((?:\{what\}|[a-z_]+)\.[a-z_]+)[|"]', text))
    named = {c.replace("{what}", what) for c in codes for what in ("text", "list")}
    named -= {"pandera.polars"}  # a module
    assert named
    assert named <= set(Code), named - set(Code)


EVERYTHING = Mapping.parse("""\
conversion_identifier: Feira
fields:
  email: E-mail
  name: Nome
  mobile_phone: Celular
  state: UF
  website: {column: Site, clean: url}
  client_tracking_id: Visita
  traffic_source: Origem
  traffic_medium: Meio
  tags: {column: Tags, split: ";"}
  cf_list: {column: Interesses, type: list, split: ";", values: {a: A, b: B}, otherwise: invalid}
  cf_integer: {column: N, type: integer}
  cf_boolean: {column: Aceite, type: boolean}
  cf_number: {column: Valor, clean: number}
  cf_date: {column: Dia, clean: date}
  cf_day: {column: Dia, clean: date, date_format: "%d/%m/%Y"}
  cf_cpf: {column: CPF, clean: cpf}
  cf_cnpj: {column: CNPJ}
  cf_cep: {column: CEP, clean: cep}
  cf_one: Um
  cf_pattern: Forma
  cf_option: Escolha
checks:
  email: {role: invalid, throwaway: invalid}
  name: {required: true, min_length: 2, max_length: 10}
  tags: {min_length: 1, max_length: 2}
  cf_integer: {min: 0, max: 5}
  cf_cnpj: {format: cnpj}
  cf_one: {one_of: [a, b]}
  cf_pattern: {pattern: "^[a-z]$"}
""")
GOOD = {
    "conversion_identifier": "Feira",
    "email": "ana@exemplo.com",
    "name": "Ana",
    "mobile_phone": "+5511987654321",
    "state": "SP",
    "website": "https://exemplo.com",
    "client_tracking_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "traffic_source": "encoded_eyJ",
    "tags": ["a"],
    "cf_list": ["A"],
    "cf_integer": "5",
    "cf_boolean": "true",
    "cf_number": "1.5",
    "cf_date": "2026-11-28",
    "cf_day": "28/11/2026",
    "cf_cpf": "529.982.247-25",
    "cf_cnpj": "11.222.333/0001-81",
    "cf_cep": "01310-100",
    "cf_one": "a",
    "cf_pattern": "x",
    "cf_option": "sim",
}
LONG = "x" * 256
BAD: dict[tuple[str, str], object] = {
    ("conversion_identifier", "not_nullable"): None,
    ("conversion_identifier", "text.too_long|255"): LONG,
    ("email", "email.syntax"): "ana",
    ("email", "email.role"): "contato@exemplo.com",
    ("email", "email.throwaway"): "ana@mailinator.com",
    ("email", "not_nullable"): None,
    ("name", "text.too_long|255"): LONG,
    ("name", "text.too_short|2"): "A",
    ("name", "text.too_long|10"): "A" * 11,
    ("name", "not_nullable"): None,
    ("mobile_phone", "phone.syntax"): "987654321",
    ("state", "uf.unknown"): "XX",
    ("website", "url.syntax"): "exemplo",
    ("client_tracking_id", "client_tracking_id.syntax"): "0f8f",
    ("traffic_source", "text.too_long|255"): LONG,
    ("traffic_medium", "text.too_long|255"): LONG,
    ("traffic_medium", "traffic.beside_cookie"): "cpc",
    ("tags", "text.too_long|255"): [LONG],
    ("tags", "tags.capitals"): ["A"],
    ("tags", "list.too_short|1"): [],
    ("tags", "list.too_long|2"): ["a", "b", "c"],
    ("cf_list", "text.too_long|255"): [LONG],
    ("cf_list", "value.not_listed|A, B"): ["A", "C"],
    ("cf_integer", "integer.syntax"): "1.5",
    ("cf_integer", "number.too_small|0"): "-1",
    ("cf_integer", "number.too_large|5"): "6",
    ("cf_boolean", "boolean.unknown"): "talvez",
    ("cf_number", "number.syntax"): "1,5",
    ("cf_date", "date.syntax"): "28/11/2026",
    ("cf_day", "date.syntax"): "2026-11-28",
    ("cf_cpf", "cpf.syntax"): "529.982.247-26",
    ("cf_cnpj", "text.too_long|255"): LONG,
    ("cf_cnpj", "cnpj.syntax"): "11.222.333/0001-82",
    ("cf_cep", "cep.syntax"): "0131",
    ("cf_one", "text.too_long|255"): LONG,
    ("cf_one", "value.not_listed|a, b"): "c",
    ("cf_pattern", "text.too_long|255"): LONG,
    ("cf_pattern", "text.pattern|^[a-z]$"): "X",
    ("cf_option", "text.too_long|255"): LONG,
    ("cf_option", "option.unknown|sim, não"): "talvez",
}
"""For each check in the schema, a cell that it rejects, perhaps with others."""


def test_every_check_that_is_declared_turns_a_bad_cell_away() -> None:
    whole = schema(EVERYTHING, {"cf_option": ["sim", "não"]})
    declared = {(name, str(c.error)) for name, col in whole.columns.items() for c in col.checks}
    required = {(name, "not_nullable") for name, col in whole.columns.items() if not col.nullable}
    assert declared | required == set(BAD)
    types = {name: col.dtype.type for name, col in whole.columns.items()}
    row = {name: GOOD.get(name) for name in types}
    assert failures(pl.DataFrame([row], schema=types), whole).height == 0
    rows = [{**row, name: cell} for (name, _), cell in BAD.items()]
    with pytest.raises(SchemaErrors) as caught:
        whole.validate(pl.DataFrame(rows, schema=types), lazy=True)
    found = set(caught.value.failure_cases.select("index", "column", "check").rows())
    assert {(at, *check) for at, check in enumerate(BAD)} <= found


def test_what_the_schema_turns_away_does_not_pass_without_it_either() -> None:
    options = {"cf_option": ["sim", "não"]}
    types = {name: col.dtype.type for name, col in schema(EVERYTHING, options).columns.items()}
    good = {name: GOOD.get(name) for name in types}
    assert passes(pl.DataFrame([good], schema=types), EVERYTHING, options)
    for (name, check), cell in BAD.items():
        row = pl.DataFrame([{**good, name: cell}], schema=types)
        assert check == "not_nullable" or not passes(row, EVERYTHING, options), (name, check)
