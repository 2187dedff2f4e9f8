"""The parts of the mapping language that change rows: values, expressions, where, checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from rdimport.core.errors import MappingError
from rdimport.core.messages import speaking
from rdimport.core.row import FILE, ROW
from rdimport.core.schemas import ORIGIN
from rdimport.destination.rdstation.custom_fields import CustomFields
from rdimport.mapping import Clean, Format, Mapping, Type
from rdimport.prepare import PAYLOAD, Prepared, bind, prepare

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "conversion_identifier: Feira\nfields:\n  email: E-mail\n"
COLUMNS = ("E-mail", "A", "B", "Dt Cadastro")


def batch(*rows: dict[str, str | None]) -> pl.DataFrame:
    """Rows from number 2 on; the default e-mail is valid."""
    cells = {c: [row.get(c) for row in rows] for c in COLUMNS}
    cells["E-mail"] = [row.get("E-mail", f"p{i}@exemplo.com.br") for i, row in enumerate(rows)]
    return pl.DataFrame(
        {FILE: [0] * len(rows), ROW: range(2, 2 + len(rows)), **cells},
        schema={FILE: pl.UInt32, ROW: pl.UInt32, **dict.fromkeys(COLUMNS, pl.String)},
    ).select(
        FILE, ROW, *(pl.lit(None, dtype=pl.String).alias(c) for c in list(ORIGIN)[2:]), *COLUMNS
    )


def run(yaml: str, *rows: dict[str, str | None], catalogue: CustomFields | None = None) -> Prepared:
    """Prepare rows with a mapping of `email` and the given text."""
    bound = bind(Mapping.parse(HEAD + yaml), COLUMNS, "lista.csv", catalogue)
    return prepare(batch(*rows), bound)


def values(yaml: str, field: str, *cells: str | None) -> list[Any]:
    """The values sent in a field for cells of column A; None if it is left out."""
    result = run(yaml, *({"A": cell} for cell in cells))
    assert result.problems.rows() == []
    return [json.loads(text).get(field) for text in result.rows[PAYLOAD]]


def codes(yaml: str, *cells: str | None) -> list[tuple[int, str, str]]:
    """Index of the cell in column A, code and detail of every problem."""
    found = run(yaml, *({"A": cell} for cell in cells)).problems
    return [
        (row - 2, code, detail) for row, code, detail in found.select(ROW, "code", "detail").rows()
    ]


# ---- values, otherwise, default, cut ------------------------------------------------------------


def test_listed_values_are_found_without_regard_to_case_accents_and_spaces() -> None:
    yaml = "  cf_a: {column: A, values: {1: Franquia, Opção 2: Loja própria}}\n"
    cells = ("1", " 1 ", "OPCAO  2", "opção 2", None, "Franquia")
    wanted = ["Franquia", "Franquia", "Loja própria", "Loja própria", None, "Franquia"]
    assert values(yaml, "cf_a", *cells) == wanted


def test_a_value_that_is_not_listed_is_invalid_unless_the_mapping_says_otherwise() -> None:
    yaml = "  cf_a: {column: A, values: {1: Um, 2: Dois}%s}\n"
    assert codes(yaml % "", "3", "1") == [(0, "value.not_listed", "Um, Dois")]
    assert values(yaml % ", otherwise: empty", "cf_a", "3", "1") == [None, "Um"]
    assert values(yaml % ", otherwise: keep", "cf_a", "3", "1") == ["3", "Um"]
    both = yaml % ", otherwise: empty, default: Outro"
    assert values(both, "cf_a", "3", "1", None) == ["Outro", "Um", "Outro"]


def test_listed_values_reach_booleans_lists_and_rds_own_fields() -> None:
    yes = "  cf_a: {column: A, type: boolean, values: {Quero: true, Dispenso: false}}\n"
    assert values(yes, "cf_a", "quero", "DISPENSO") == [True, False]
    items = "  tags: {column: A, split: ';', values: {F: Franquia}, otherwise: keep}\n"
    assert values(items, "tags", "f; Frio", "F;F") == [["franquia", "frio"], ["franquia"]]
    state = "  state: {column: A, values: {Capital: são paulo}, otherwise: keep}\n"
    assert values(state, "state", "capital", "rj") == ["SP", "RJ"]


@pytest.mark.parametrize("field", ["country: {", "cf_a: {type: boolean, ", "state: {"])
def test_a_default_of_which_nothing_is_left_changes_no_cell(field: str) -> None:
    yaml = f"  {field}column: A, default: ' '}}\n"
    assert values(yaml, field.partition(":")[0], None, " ") == [None, None]


def test_an_empty_cell_gets_the_default() -> None:
    assert values("  country: {column: A, default: Brasil}\n", "country", None, " ", "Peru") == [
        "Brasil",
        "Brasil",
        "Peru",
    ]
    assert values("  tags: {column: A, default: Sem Tag}\n", "tags", None, "x") == [
        ["sem tag"],
        ["x"],
    ]


def test_long_text_is_cut_if_the_mapping_says_so() -> None:
    assert values("  cf_a: {column: A, cut: 5}\n", "cf_a", "abcdefgh", "abcd  fgh") == [
        "abcde",
        "abcd",
    ]
    assert codes("  cf_a: A\n", "x" * 256) == [(0, "text.too_long", "255")]


def test_what_the_mapping_calls_empty_is_empty_and_formula_errors_always_are() -> None:
    assert values("  cf_a: A\n", "cf_a", "#N/D", "#REF!", "N/D") == [None, None, "N/D"]
    mapping = "  cf_a: A\nempty: ['-', n/d]\n"
    assert values(mapping, "cf_a", "-", " N/D ", "#N/D", "a-b") == [None, None, "#N/D", "a-b"]


# ---- expressions --------------------------------------------------------------------------------


def test_an_expression_joins_columns_and_columns_match_without_regard_to_case() -> None:
    yaml = "  name: {expr: \"concat_ws(' ', a, B)\"}\n"
    result = run(yaml, {"A": "Ana", "B": "Souza"}, {"A": "Ana"}, {})
    names = [json.loads(text).get("name") for text in result.rows[PAYLOAD]]
    assert names == ["Ana Souza", "Ana", None]


def test_an_expression_gives_text_from_numbers_and_conditions() -> None:
    number = '  cf_a: {expr: "CAST(A AS INT) * 2", type: integer}\n'
    assert values(number, "cf_a", "21", None) == [42, None]
    truth = "  cf_a: {expr: \"A = 'x'\", type: boolean}\n"
    assert values(truth, "cf_a", "x", "y") == [True, False]
    column = "  cf_a: {expr: 'upper(\"dt cadastro\")'}\n"
    result = run(column, {"Dt Cadastro": "hoje"})
    assert json.loads(result.rows[PAYLOAD].item())["cf_a"] == "HOJE"


def test_a_cell_with_which_an_expression_fails_makes_its_row_invalid_and_no_other() -> None:
    yaml = '  cf_a: {expr: "CAST(A AS INT) * 2", type: integer}\n'
    result = run(yaml, *({"A": str(i) if i not in {3, 17} else "x"} for i in range(40)))
    assert result.problems.select(ROW, "code", "field", "column", "value").rows() == [
        (5, "expr.failed", "cf_a", "A", "x"),
        (19, "expr.failed", "cf_a", "A", "x"),
    ]
    doubled = [json.loads(text)["cf_a"] for text in result.rows[PAYLOAD]]
    assert doubled == [i * 2 for i in range(40) if i not in {3, 17}]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("count(*)", "an expression may only use its own row"),
        ("A = max(A)", "an expression may only use its own row"),
        ("row_number() over ()", "an expression may only use its own row"),
        ("foo(A)", "“foo” is not a function of expressions"),
        ("A ||", "not an SQL expression"),
        ("SELECT 1", "an expression must not contain a query"),
    ],
)
def test_an_expression_that_is_none_or_looks_at_other_rows_is_refused_with_its_place(
    expression: str, message: str
) -> None:
    with pytest.raises(MappingError) as error:
        Mapping.parse(f'{HEAD}  name: {{expr: "{expression}"}}\n', "m.yaml")
    assert error.value.message.startswith(f"m.yaml:4:16: fields.name.expr: {message}")


# ---- where --------------------------------------------------------------------------------------


def test_rows_that_where_excludes_are_counted_and_nothing_else() -> None:
    rows = [
        {"A": "SP"},
        {"A": "MG"},
        {"A": None},
        {"A": "RJ", "E-mail": "x"},
        {"A": "MG", "E-mail": "x"},
    ]
    result = run("where: a IN ('SP', 'RJ')\n", *rows)
    assert result.rows[ROW].to_list() == [2]
    assert result.problems.select(ROW, "code").rows() == [(5, "email.no_at")]
    assert result.left_out == 3


def test_a_condition_that_fails_for_a_row_makes_it_invalid_rather_than_lost() -> None:
    result = run("where: CAST(A AS INT) > 3\n", {"A": "5"}, {"A": "x"}, {"A": "1"})
    assert result.rows[ROW].to_list() == [2]
    assert result.problems.select(ROW, "code").rows() == [(3, "expr.failed")]
    assert result.left_out == 1


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("A + 1", "ela faz contas com texto"),
        ("A - B", "ela faz contas com texto"),
        ("A / 2", "ela faz contas com texto"),
        ("A > 5", "ela compara texto com um número ou uma data"),
        ("A IN (1, 2)", "ela compara texto com um número ou uma data"),
        ("A AND B", "falta uma comparação onde há um texto ou um número"),
        ("CASE WHEN A THEN 1 END", "falta uma comparação onde há um texto ou um número"),
    ],
)
def test_an_expression_over_wrong_kinds_is_explained_in_the_readers_words(
    expression: str, told: str
) -> None:
    with speaking("pt-BR"), pytest.raises(MappingError) as error:
        run(f'where: "{expression}"\n')
    said = f"não é possível calcular a expressão (`where` (mapping:4:8)): {told}"
    assert error.value.message.endswith(said)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [("(", "um parêntese foi aberto"), ("[a-", "um colchete foi aberto"), ("*a", "não tem nada")],
)
def test_a_pattern_that_is_none_is_explained_in_the_readers_words(pattern: str, told: str) -> None:
    with speaking("pt-BR"), pytest.raises(MappingError) as error:
        Mapping.parse(f"{HEAD}checks: {{email: {{pattern: '{pattern}'}}}}\n", "m.yaml")
    assert "checks.email.pattern: não é uma expressão regular: " in error.value.message
    assert told in error.value.message
    assert "error" not in error.value.message


def test_a_cell_that_cannot_be_converted_is_all_that_is_said_of_it() -> None:
    result = run("where: CAST(A AS INT) > 3\n", {"A": "x"})
    assert result.problems["detail"].to_list() == ['"x"']


def test_a_where_that_gives_no_yes_or_no_is_refused() -> None:
    with pytest.raises(MappingError, match=r"`where` \(mapping:4:8\) is not a condition"):
        run("where: upper(A)\n")


# ---- checks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "check", "good", "bad", "code"),
    [
        ("cf_a: A", "required: true", "x", None, "value.missing"),
        ("cf_a: A", "format: cnpj", "11.222.333/0001-81", "11.222.333/0001-82", "cnpj.syntax"),
        ("cf_a: {column: A, clean: cnpj}", "format: cnpj", "11222333000181", "1", "cnpj.syntax"),
        ("cf_a: {column: A, clean: cpf}", "format: cpf", "39053344705", "1" * 11, "cpf.syntax"),
        ("cf_a: {column: A, clean: cep}", "format: cep", "1310100", "13", "cep.syntax"),
        ("cf_a: {column: A, clean: date}", "format: date", "31/12/26", "31/13/26", "date.syntax"),
        ("cf_a: {column: A, clean: url}", "format: url", "exemplo.com", "x y", "url.syntax"),
        ("cf_a: {column: A, clean: number}", "min: 0", "R$ 10", "abc", "number.syntax"),
        ("cf_a: {column: A, clean: number}", "min: 0", "10", "1.234", "number.ambiguous"),
        ("cf_a: {column: A, clean: number}", "min: 0", "0", "-1", "number.too_small"),
        ("cf_a: {column: A, clean: number}", "max: 10000", "10000", "10001", "number.too_large"),
        ("cf_a: A", "max: 5", "5", "cinco", "number.syntax"),
        ("cf_a: A", "format: integer", "5", "5.5", "integer.syntax"),
        ("cf_a: A", "format: email", "a@exemplo.com", "a", "email.no_at"),
        ("cf_a: A", "one_of: [x, y]", "x", "z", "value.not_listed"),
        ("cf_a: A", "pattern: '^[A-Z]{3}|x$'", "ABC", "abc", "text.pattern"),
        ("cf_a: A", "min_length: 3", "abc", "ab", "text.too_short"),
        ("cf_a: A", "max_length: 3", "abc", "abcd", "text.too_long"),
        ("tags: {column: A, split: ';'}", "max_length: 2", "a;b", "a;b;c", "list.too_long"),
        ("tags: {column: A, split: ';'}", "min_length: 2", "a;b", "a", "list.too_short"),
        ("tags: {column: A, split: ';'}", "one_of: [a, b]", "a;b", "a;c", "value.not_listed"),
        ("cf_a: {column: A, type: list, split: ' ', clean: cep}", "required: true",
         "1310100 20040020", "1310100 1", "cep.syntax"),
        ("tags: {column: A, clean: text}", "max_length: 9", "a", "Quente", "tags.capitals"),
        ("cf_a: {column: A, type: integer}", "min: 1", "1", "0", "number.too_small"),
        ("cf_a: {column: A, type: integer}", "min: 1", "1", "1,5", "integer.syntax"),
        ("client_tracking_id: A", "required: true", "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "x",
         "client_tracking_id.syntax"),
    ],
)  # fmt: skip
def test_each_declared_check_finds_a_planted_bad_value_and_passes_a_good_one(
    field: str, check: str, good: str, bad: str | None, code: str
) -> None:
    name = field.partition(":")[0]
    yaml = f"  {field}\nchecks: {{{name}: {{{check}}}}}\n"
    assert [(at, found) for at, found, _ in codes(yaml, good, bad, good)] == [(1, code)]


@pytest.mark.parametrize(
    "yaml",
    [
        *(f"  cf_a: {{column: A, clean: {name}}}\n" for name in Clean),
        "  cf_a: {column: A, clean: date, date_format: '%d/%m/%Y'}\n",
        *(f"  cf_a: {{column: A, type: {name}}}\n" for name in Type),
        *(f"  cf_a: A\nchecks: {{cf_a: {{format: {name}}}}}\n" for name in Format),
        "  cf_a: A\nchecks: {cf_a: {pattern: x, min: 1, max: 2, min_length: 9, one_of: [y]}}\n",
    ],
)
def test_an_empty_cell_is_valid_unless_every_row_needs_it(yaml: str) -> None:
    assert codes(yaml, None, "", " ") == []


@pytest.mark.parametrize(
    ("check", "bad", "code"),
    [
        ("role", "vendas@exemplo.com.br", "email.role"),
        ("throwaway", "a@yopmail.com", "email.throwaway"),
    ],
)
def test_role_and_throwaway_addresses_are_found_only_when_asked_for(
    check: str, bad: str, code: str
) -> None:
    row: dict[str, str | None] = {"E-mail": bad}
    free = run("", row)
    assert (free.problems.height, free.warnings.height) == (0, 0)
    strict = run(f"checks: {{email: {{{check}: invalid}}}}\n", row, {})
    assert strict.problems.select(ROW, "code").rows() == [(2, code)]
    mild = run(f"checks: {{email: {{{check}: suspect}}}}\n", row, {})
    assert mild.warnings.select(ROW, "code", "value").rows() == [(2, code, bad)]
    assert mild.rows.height == 2


def test_a_slip_of_a_big_provider_is_suspect_with_what_was_meant() -> None:
    result = run("", {"E-mail": "Ana@GMIAL.com"}, {"E-mail": "x@gmial.com", "A": "y" * 300}, {})
    assert result.warnings.select(ROW, "code", "value", "detail").rows() == [
        (2, "email.typo", "Ana@GMIAL.com", "ana@gmail.com"),
        (3, "email.typo", "x@gmial.com", "x@gmail.com"),
    ]
    assert result.rows.height == 3


def test_an_address_that_stood_among_words_is_suspect() -> None:
    words = "Ana Souza - ana@exemplo.com"
    result = run("", {"E-mail": words}, {"E-mail": "Ana <ana@exemplo.com>"})
    assert result.warnings.select(ROW, "code", "value", "detail").rows() == [
        (2, "email.from_text", words, "ana@exemplo.com"),
    ]
    assert result.problems.height == 0


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("maria silva@exemplo.com", "email.words"),
        ("maria@exämple.com", "email.domain_accents"),
        ("a@exemplo.com; b@exemplo.com", "email.several"),
        ("a@@exemplo.com", "email.syntax"),
        ("a@exemplo,com", "email.syntax"),
        ("ana", "email.no_at"),
    ],
)
def test_a_refused_address_is_reported_with_its_cause(cell: str, code: str) -> None:
    result = run("", {"E-mail": cell})
    assert (result.rows.height, result.problems["code"].to_list()) == (0, [code])


def test_a_row_that_is_invalid_anyway_is_not_suspect_too() -> None:
    result = run("  cf_a: A\n", {"E-mail": "x@gmial.com", "A": "y" * 300})
    assert (result.problems.height, result.warnings.height) == (1, 0)


# ---- phones, body size, constants, catalogue ----------------------------------------------------


def test_one_column_of_phones_fills_both_fields_each_with_its_kind() -> None:
    yaml = "  mobile_phone: A\n  personal_phone: A\n"
    result = run(yaml, {"A": "11 98765-4321"}, {"A": "11 3456-7890"}, {"A": "123"}, {"A": None})
    sent = [json.loads(text) for text in result.rows[PAYLOAD]]
    assert [(row.get("mobile_phone"), row.get("personal_phone")) for row in sent] == [
        ("+5511987654321", None),
        (None, "+551134567890"),
        (None, None),
    ]
    assert result.problems.select(ROW, "code", "field").rows() == [
        (4, "phone.too_short", "mobile_phone")
    ]


def test_a_row_larger_than_rd_takes_is_invalid() -> None:
    many = ";".join(f"{i:0200d}" for i in range(1100))
    result = run("  tags: {column: A, split: ';'}\n", {"A": many}, {"A": "x"})
    assert result.problems.select(ROW, "code", "detail").rows() == [(2, "row.too_large", "200000")]
    assert result.rows[ROW].to_list() == [3]


def test_a_constant_that_rd_would_refuse_is_an_error_of_the_mapping() -> None:
    for yaml, message in (
        ("mobile_phone: {value: 11}", "`mobile_phone`: the phone number “11” has too few digits"),
        ("state: {value: XX}", "`state`: “XX” is not a Brazilian state"),
        ("state: {column: A, default: XX}", "`state`: “XX” is not a Brazilian state"),
        (
            "cf_a: {column: A, type: boolean, values: {Q: talvez}}",
            "`cf_a`: “talvez” is neither yes nor no",
        ),
        ("cf_a: {column: A, type: integer, default: um}", "`cf_a`: “um” is not a whole number"),
        (f"tags: {{column: A, add: [{'x' * 256}]}}", "`tags`: the text has more than 255"),
    ):
        with pytest.raises(MappingError, match=message):
            run(f"  {yaml}\n")


RD_LISTING = {
    "fields": [
        {"api_identifier": "email", "data_type": "STRING"},
        {"api_identifier": "cf_interesse", "data_type": "STRING",
         "valid_options": [{"value": "Franquia", "label": {"pt-BR": "A"}}, {"value": "Loja"}]},
        {"api_identifier": "cf_filhos", "data_type": "INTEGER"},
    ]
}  # fmt: skip


def test_a_custom_field_that_the_account_lacks_is_an_error_with_the_one_that_was_meant(
    tmp_path: Path,
) -> None:
    path = tmp_path / "campos.json"
    path.write_text(json.dumps(RD_LISTING), encoding="utf-8")
    catalogue = CustomFields.load(path)
    with pytest.raises(MappingError) as caught:
        run("  cf_interese: A\n  cf_filhos: B\n", catalogue=catalogue)
    assert caught.value.message.splitlines() == [
        f"the account has no field `cf_interese` ({path}); did you mean `cf_interesse`?",
        "`cf_filhos` is of type integer in RD: write `type: integer`",
    ]


def test_an_option_that_the_account_does_not_have_is_invalid(tmp_path: Path) -> None:
    path = tmp_path / "campos.yaml"
    path.write_text(
        "- cf_livre\n- {name: cf_interesse, type: text, options: [Franquia, Loja]}\n",
        encoding="utf-8",
    )
    catalogue = CustomFields.load(path)
    result = run(
        "  cf_interesse: A\n  cf_livre: B\n", {"A": "Loja"}, {"A": "Outra"}, catalogue=catalogue
    )
    assert result.problems.select(ROW, "code", "detail").rows() == [
        (3, "option.unknown", "Franquia, Loja")
    ]


@pytest.mark.parametrize("text", ["", "cf_a", "{a: b}", "fields: x", "- [", "\x00"])
def test_a_catalogue_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "campos.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError, match=r"campos\.yaml"):
        CustomFields.load(path)
    with pytest.raises(MappingError, match="cannot be read"):
        CustomFields.load(tmp_path / "none.yaml")


def test_an_address_that_lost_letters_is_suspect_with_what_is_sent() -> None:
    rows: list[dict[str, str | None]] = [
        {"E-mail": "joão@exemplo.com"},
        {"E-mail": "Conceição <ana@exemplo.com>"},
    ]
    assert run("", *rows).warnings.select(ROW, "code", "detail").rows() == [
        (2, "email.accents", "joao@exemplo.com"),
    ]


@pytest.mark.parametrize("cell", ["\x1f", '"', "\\", "é", "€", "😀", "a;"])
@pytest.mark.parametrize("field", ["  cf_a: A\n", "  tags: {column: A, split: ';'}\n"])
def test_who_needs_no_payload_is_told_of_the_same_rows_that_are_too_large(
    field: str, cell: str
) -> None:
    bound = bind(Mapping.parse(HEAD + field + "  cf_b: B\n"), COLUMNS, "lista.csv")
    for size in (10, 16_000, 33_000, 40_000, 70_000, 199_000, 200_000):
        rows = batch({"A": cell * (size // len(cell)), "B": "x"}, {"A": "x"}, {"E-mail": "none"})
        whole, less = prepare(rows, bound), prepare(rows, bound, payloads=False)
        assert less.problems.equals(whole.problems)
        assert less.warnings.equals(whole.warnings)
        assert less.rows.drop(PAYLOAD).equals(whole.rows.drop(PAYLOAD))
        if whole.rows[PAYLOAD].str.len_bytes().max() > 150_000:
            assert less.rows.equals(whole.rows)


def test_who_needs_no_payload_gets_none() -> None:
    bound = bind(Mapping.parse(HEAD + "  cf_a: A\n"), COLUMNS, "lista.csv")
    rows = batch({"A": "a" * 20}, {"A": "x"})
    assert prepare(rows, bound, payloads=False).rows[PAYLOAD].to_list() == [None, None]
    nobody = prepare(batch({"E-mail": "none"}), bound, payloads=False)
    assert nobody.rows.is_empty()
    assert nobody.problems.height == 1
