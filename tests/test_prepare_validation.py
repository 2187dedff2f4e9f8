"""The pandera schema by itself, and the catalogue of what it may find."""

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
from rdimport.prepare.validate import failures, schema

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
    with pytest.raises(SchemaErrors) as told:
        plain.validate(frame(email="x", name=None, tags=["A"], cf_n="6"), lazy=True)
    found = told.value.failure_cases.select("column", "check").rows()
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
    assert named
    assert named <= set(Code), named - set(Code)
