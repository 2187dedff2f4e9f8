"""`expr` and `where` are data: what is allowed works, and all else is refused at once."""

from __future__ import annotations

import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdimport.core.errors import MappingError
from rdimport.core.row import FILE, ROW
from rdimport.core.schemas import ORIGIN
from rdimport.mapping import Mapping, sql
from rdimport.mapping.sql import functions
from rdimport.prepare import bind, prepare

HEAD = "conversion_identifier: Feira\nfields:\n  email: E-mail\n"


def quoted(text: str) -> str:
    """Text as a double-quoted YAML string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def mapped(expression: str) -> Mapping:
    return Mapping.parse(f"{HEAD}  cf_x: {{clean: none, expr: {quoted(expression)}}}\n", "m.yaml")


def batch(*rows: dict[str, str | None]) -> pl.DataFrame:
    """A batch of a list with these cells; the first row is number 2."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    origin = {name: [None] * len(rows) for name in list(ORIGIN)[2:]}
    emails = [f"p{at}@exemplo.com.br" for at in range(len(rows))]
    frame = pl.DataFrame(
        {**origin, "E-mail": emails, **columns},
        schema=dict.fromkeys([*origin, "E-mail", *columns], pl.String),
    )
    place = [pl.lit(0, dtype=pl.UInt32).alias(FILE)]
    return frame.select(*place, pl.int_range(2, pl.len() + 2, dtype=pl.UInt32).alias(ROW), pl.all())


def results(expression: str, *rows: dict[str, str | None]) -> list[str | None]:
    """The result of the expression for each row, none of which is invalid."""
    cells = batch(*rows)
    prepared = prepare(cells, bind(mapped(expression), ["E-mail", *rows[0]], "lista.csv"))
    assert prepared.problems.rows() == []
    return prepared.good["cf_x"].to_list()


EXAMPLES = [
    *((one.example, one.gives) for one in dict.fromkeys(functions.FUNCTIONS.values())),
    *((one.example, one.gives) for one in functions.OPERATORS),
]


@pytest.mark.parametrize(("example", "gives"), EXAMPLES, ids=[one for one, _ in EXAMPLES])
def test_every_example_of_the_reference_gives_what_stands_beside_it_in_any_batch(
    example: str, gives: str
) -> None:
    other = {**dict.fromkeys(functions.SAMPLE), "Data": "01/02/2003", "Valor": "1", "Idade": "7"}
    assert results(example, functions.SAMPLE) == [gives]
    assert results(example, other, functions.SAMPLE, other)[1] == gives


ORDINARY = """
A || B + C
A + B || C
A * B || C
A = 'x' || 'y'
NOT A = B AND C = B
A IS NULL = TRUE
A = B IS NULL
A = B = C
-A::INT
- A * B
A LIKE 'x%' AND B = 'y' OR NOT C NOT IN ('z', 'w') AND B IS NOT NULL
A || B ILIKE '%x_'
A BETWEEN B AND C AND B <> C
A NOT BETWEEN 'a' AND 'b' OR B >= C
A - B - C + B
A / B / C * B % 2
A - -1
A = +1
CASE WHEN A = 'x' THEN B WHEN B IS NULL THEN C ELSE 'z' END || '!'
CASE A WHEN 'x' THEN 1 END
coalesce(nullif(trim(A), ''), upper(B))
SUBSTRING(A FROM 1 FOR 2)
TRIM(LEADING '0' FROM A)
POSITION('n' IN A)
EXTRACT(YEAR FROM DATE(A, '%d/%m/%Y'))
TRY_CAST(A AS DECIMAL(10, 2)) > 1.5e3
CAST(STRPTIME(A, '%d/%m/%Y %H:%M') AS DATE) <= DATE '2026-01-31'
'it''s' || "Dt ""de"" Cadastro" || `B`
A IN (B, 'a') IS TRUE
""".strip().splitlines()


@pytest.mark.parametrize("expression", ORDINARY)
def test_an_expression_means_what_it_means_to_polars(expression: str) -> None:
    assert str(sql.parse(expression)) == str(pl.sql_expr(expression))


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60))
def test_whatever_stands_between_quotation_marks_stays_one_text(text: str) -> None:
    expression = "'" + text.replace("'", "''") + "'"
    assert pl.select(sql.parse(expression)).item() == text
    if text and not text.startswith(("^", "*")):
        assert sql.columns('"' + text.replace('"', '""') + '"') == (text,)


OTHERS_FILES = "(SELECT column_1 FROM read_csv('{path}') LIMIT 1)"
QUERIES = [
    OTHERS_FILES,
    "read_csv('{path}')",
    "Nome IN (SELECT column_1 FROM read_csv('{path}'))",
    "EXISTS (SELECT * FROM read_csv('{path}'))",
    "Nome = ANY (SELECT column_1 FROM read_csv('{path}'))",
    "Nome; SELECT * FROM read_csv('{path}')",
    "CASE WHEN TRUE THEN (SELECT column_1 FROM scan_csv('{path}')) END",
    "COALESCE((WITH x AS (SELECT 1) SELECT * FROM x), Nome)",
    "(VALUES (1))",
    "(TABLE x)",
    "Nome /* ' */ || (SELECT column_1 FROM read_csv('{path}')) -- '",
    "$$a$$ || (SELECT 1)",
    "E'\\' || (SELECT column_1 FROM read_csv(' || '{path}'))",
    "Nome || U&'\\0027'",
    "\u017fELECT(1)",
    "CAST((SELECT 1) AS VARCHAR)",
    "TRIM(BOTH 'a' FROM (SELECT 'a'))",
    "EXTRACT(YEAR FROM (SELECT 1))",
    "UNNEST([1, 2])",
    "COLUMNS('.*')",
    "*",
    '"^.*$"',
    '"*"',
    "UPPER(Nome) OVER ()",
    "ARRAY[1, 2][9]",
    "Nome.x",
    "NOW()",
]


@pytest.mark.parametrize("expression", QUERIES)
@pytest.mark.parametrize("key", ["expr", "where"])
def test_what_is_no_expression_over_the_row_is_refused_with_its_place(
    key: str, expression: str, tmp_path: Path
) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("the secret\nmore\n", encoding="utf-8")
    written = quoted(expression.format(path=path))
    text = HEAD + (f"  name: {{expr: {written}}}\n" if key == "expr" else f"where: {written}\n")
    place = "4:16: fields.name.expr: " if key == "expr" else "4:8: where: "
    with pytest.raises(MappingError) as caught:
        Mapping.parse(text, "m.yaml")
    assert caught.value.message.startswith(f"m.yaml:{place}")
    assert "the secret" not in caught.value.message


def test_check_ends_with_2_and_reads_no_file_of_the_expression(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("the secret\nmore\n", encoding="utf-8")
    (tmp_path / "lista.csv").write_text("E-mail;Nome\nana@exemplo.com.br;Ana\n", encoding="utf-8")
    expression = quoted(OTHERS_FILES.format(path=tmp_path / "secret.csv"))
    (tmp_path / "m.yaml").write_text(f"{HEAD}  name: {{expr: {expression}}}\n", encoding="utf-8")
    command = [sys.executable, "-m", "rdimport", "check", "lista.csv", "-m", "m.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "m.yaml:4:16: fields.name.expr: an expression must not contain a query" in done.stderr
    assert "the secret" not in done.stdout + done.stderr


LARGE = {
    "terms": "+".join(["1"] * 3_000),
    "terms within the tokens": "+".join(["1"] * 900),
    "concatenation": " || ".join(["A"] * 20_000),
    "concatenation of few": " || ".join(["A"] * 60),
    "or": " OR ".join(["A = 'a'"] * 150),
    "in": "A IN (" + ",".join(f"'{at}'" for at in range(9_000)) + ")",
    "parentheses": "(" * 9_000 + "A" + ")" * 9_000,
    "parentheses within the tokens": "(" * 900 + "A" + ")" * 900,
    "not": "NOT " * 1_500 + "TRUE",
    "minus": "- " * 1_500 + "1",
    "case": "CASE WHEN TRUE THEN " * 300 + "1" + " END" * 300,
    "functions": "LOWER(" * 600 + "A" + ")" * 600,
    "casts": "CAST(" * 300 + "A" + " AS VARCHAR)" * 300,
    "casts behind": "A" + "::VARCHAR" * 300,
    "equals": "A" + " = A" * 150,
    "mixed": "LOWER((A || " * 100 + "A" + "))" * 100,
    "lpad": "LPAD(A, 2000000000, 'x')",
    "lpad of a cell": "LPAD(A, CAST(B AS INT), 'x')",
    "lpad of a sum": "RPAD(A, 500 * 500000, 'x')",
    "lpads": "||".join(["LPAD(A, 500, 'x')"] * 100),
    "replace": "REPLACE(" * 9 + "'a'" + ", 'a', 'aaaaaaaaaa')" * 9,
    "replace in cells": "REPLACE(" * 4 + "A" + ", 'a', 'aaaaaaaaaa')" * 4,
    "replace by cells": "REPLACE(A, 'a', B)",
    "replace nothing": "REPLACE(A, '', 'aaaaaaaaaa')",
    "regexp": "REGEXP_REPLACE(" * 3 + "A" + ", 'x*', 'aaaaaaaaaa', 'g')" * 3,
    "references": r"REGEXP_REPLACE(A, '(.*)', '\1\1\1\1', 'g')",
    "pattern": "REGEXP_LIKE(A, '((((a{100}){100}){100}){100})')",
    "patterns": " OR ".join(["REGEXP_LIKE(A, 'a{200}')"] * 20),
    "like": "A LIKE '" + "%a" * 1_500 + "'",
    "mark": "CONCAT_WS(REPLACE('a', 'a', 'b'), A, B)",
    "long mark": "CONCAT_WS('" + "x" * 3_000 + "', A, A, A, A, A)",
    "format": "STRFTIME(DATE '2026-01-01', '%999999999d')",
    "dates": "DATE '2026-01-01' + 999999999",
    "interval": "DATE '2026-01-01' + INTERVAL '99999999 days'",
    "instant": "CAST(CAST(9999999999999999 AS TIMESTAMP) AS VARCHAR)",
    "places": "ROUND(1.5, 4000000000)",
    "number": "9" * 5_000,
    "exponent": "1e400",
    "type": "CAST(1 AS DECIMAL(99999999999, -1))",
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_or_would_grow_is_refused_in_one_line_at_little_cost(name: str) -> None:
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    tracemalloc.start()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with pytest.raises(ValueError, match=r"\A[^\n]{10,200}\Z"):
            sql.parse(LARGE[name])
    finally:
        sys.setprofile(before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert calls < 50_000
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "expression",
    [
        "+".join(["LENGTH(A)"] * 90),
        " OR ".join(["A = 'a'"] * 100),
        "A IN (" + ",".join(f"'{at}'" for at in range(900)) + ")",
        "CASE " + " ".join(f"WHEN A = '{at}' THEN 'x{at}'" for at in range(90)) + " END",
        "LOWER(" * 39 + "A" + ")" * 39,
        "(A || " * 18 + "A" + ")" * 18,
        "NOT " * 19 + "A = 'x'",
        "REPLACE(" * 30 + "A" + ", '.', '')" * 30,
    ],
    ids=range(8),
)
def test_what_is_within_the_bounds_runs(expression: str) -> None:
    assert len(results(expression, {"A": "a", "B": "b"}, {"A": "b", "B": None})) == 2


@pytest.mark.parametrize("expression", ["REPLACE(A, 'a', 'aaaaaaaaaa')", "A || '!'"])
def test_a_row_of_which_an_expression_makes_too_much_is_invalid_and_no_other(
    expression: str,
) -> None:
    cells = batch({"A": "b"}, {"A": "a" * 32_767}, {"A": "c"})
    prepared = prepare(cells, bind(mapped(expression), ["E-mail", "A"], "lista.csv"))
    found = prepared.problems.select(ROW, "code", "field", "detail").rows()
    assert found == [(3, "expr.too_long", "cf_x", "32767")]
    assert prepared.rows[ROW].to_list() == [2, 4]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("LEN(Nome)", "“LEN” is not a function of expressions; did you mean LENGTH?"),
        ("ROUND(Valor)", "ROUND takes a number"),
        ("CAST(Data AS DATE)", "write DATE(text, '%d/%m/%Y')"),
        ("CAST(Nome AS UUID)", "“UUID” is not a type; it may be INT, "),
        ("Dt Cadastro", '“Cadastro” is not understood; a name with blanks or symbols'),
        ("UPPER(Nome", "it ends where , is needed"),
        ("Nome LIKE Sobrenome", "LIKE needs a text in ''"),
        ("LEFT(Nome)", "LEFT is written LEFT(text, length)"),
        ("'Nome", "a quotation mark is opened and never closed"),
        ("A OR", "it ends too early"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_write(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        sql.parse(expression)


@pytest.mark.parametrize("steer", ["\x1b[2J", "\x9b31m", "\u202e"])
@pytest.mark.parametrize(
    "expression",
    ["Nome {}", 'Nome "{}"', "DATE '{}'", 'CAST(Nome AS "{}")', '"^{}$"', "'{}' Nome"],
)
def test_a_refusal_repeats_nothing_that_steers_a_terminal(expression: str, steer: str) -> None:
    with pytest.raises(ValueError, match=r"expression|type|date") as caught:
        sql.parse(expression.format(steer))
    assert str(caught.value).isprintable()
