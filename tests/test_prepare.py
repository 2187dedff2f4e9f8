"""A batch through mapping, cleaning, validation and encoding."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.command import Workspace
from support.examples import costly
from support.lists import MAPPING as PEOPLE_MAPPING

from rdimport.core.errors import MappingError
from rdimport.core.row import DEFECT, FILE, ROW
from rdimport.core.schemas import ORIGIN, PROBLEMS
from rdimport.mapping import Mapping
from rdimport.mapping.targets import targets
from rdimport.prepare import IDENTITY, PAYLOAD, ROWS, Prepared, bind, cells, prepare
from rdimport.prepare.encode import DECLINED, GRANTED, by_status

COLUMNS = ("E-mail", "Nome", "Celular", "WhatsApp", "UF", "Aceite", "Tags", "Opt-in")
MAPPING = Mapping.parse("""\
conversion_identifier: "Feira ABF 2026"
fields:
  email: e-mail
  name: NOME
  mobile_phone: [Celular, WhatsApp]
  state: UF
  cf_aceite: {column: Aceite, type: boolean}
  tags: {column: Tags, split: ";", add: [Feira-2026]}
  traffic_source: {value: feira}
legal_bases: [{type: consent, status: {column: Opt-in}}]
""")


def frame(rows: list[dict[str, str | None]], columns: tuple[str, ...] = COLUMNS) -> pl.DataFrame:
    """Rows as from the reader: file 3, from row 2 on; `defect` is a separate column."""
    cells = {name: [row.get(name) for row in rows] for name in columns}
    defects = [row.get("defect") for row in rows]
    return pl.DataFrame(
        {
            FILE: [3] * len(rows),
            ROW: range(2, 2 + len(rows)),
            DEFECT: defects,
            **cells,
        },
        schema={**ORIGIN, **dict.fromkeys(columns, pl.String)},
    )


def run(*rows: dict[str, str | None], mapping: Mapping = MAPPING) -> Prepared:
    """Prepare some rows of a table with `COLUMNS`."""
    return prepare(frame(list(rows)), bind(mapping, COLUMNS, "lista.csv"))


def payload(**cells: str | None) -> Any:
    """The payload of one valid row."""
    result = run({"E-mail": "ana@exemplo.com.br", **cells})
    assert result.problems.rows() == []
    return json.loads(result.rows[PAYLOAD].item())


def test_a_full_row_becomes_the_payload_that_rd_documents() -> None:
    assert payload(
        Nome=" Ana  Souza ",
        Celular=" ",
        WhatsApp="(11) 98765-4321",
        UF="são paulo",
        Aceite="Sim",
        Tags="Quente; morno ;;quente",
        **{"Opt-in": "N"},
    ) == {
        "conversion_identifier": "Feira ABF 2026",
        "email": "ana@exemplo.com.br",
        "name": "Ana Souza",
        "mobile_phone": "+5511987654321",
        "state": "SP",
        "cf_aceite": True,
        "tags": ["quente", "morno", "feira-2026"],
        "traffic_source": "feira",
        "legal_bases": [{"category": "communications", "type": "consent", "status": "declined"}],
    }


def test_empty_cells_are_left_out_not_sent_as_null_or_blank() -> None:
    empty = payload(Nome="  ", UF=None, Aceite="\u00a0", Tags=" ; ;")
    assert set(empty) == {"conversion_identifier", "email", "tags", "traffic_source"}


def test_a_no_is_sent_as_false() -> None:
    assert payload(Aceite="não")["cf_aceite"] is False


def test_problems_name_file_row_column_and_the_cell_as_it_was() -> None:
    bad = {"E-mail": " Ana ", "Celular": "", "WhatsApp": "11", "UF": "XX", "Opt-in": "talvez"}
    result = run({"E-mail": "ana@exemplo.com.br"}, bad)
    assert result.problems.rows() == [
        (3, 3, "email.no_at", "email", "E-mail", " Ana ", ""),
        (3, 3, "uf.unknown", "state", "UF", "XX", ""),
        (3, 3, "phone.too_short", "mobile_phone", "WhatsApp", "11", ""),
        (3, 3, "boolean.unknown", "legal_bases", "Opt-in", "talvez", ""),
    ]
    assert result.rows[ROW].to_list() == [2]


def test_a_row_without_its_email_is_invalid() -> None:
    problems = run({"Nome": "Ana"}).problems.rows()
    assert problems == [(3, 2, "value.missing", "email", "E-mail", "", "")]


def test_a_row_that_is_no_sound_record_has_its_defect_and_no_other_problem() -> None:
    result = run({"E-mail": "x", "defect": "row.too_long"}, {"E-mail": "ana@exemplo.com.br"})
    assert result.problems.rows() == [(3, 2, "row.too_long", "", "", "", "")]
    assert result.rows[ROW].to_list() == [3]


def test_rows_keep_their_order_and_frames_their_schema() -> None:
    result = run(*({"E-mail": f"p{i}@exemplo.com.br" if i % 3 else "x"} for i in range(50)))
    assert result.rows.schema == ROWS
    assert result.problems.schema == result.warnings.schema == PROBLEMS
    assert result.rows[ROW].to_list() == [i + 2 for i in range(50) if i % 3]
    assert result.problems[ROW].to_list() == [i + 2 for i in range(50) if not i % 3]


def test_an_empty_batch_is_no_special_case() -> None:
    result = run()
    assert (result.rows.height, result.problems.height, result.left_out) == (0, 0, 0)
    assert result.rows.schema == ROWS


def test_two_spellings_of_one_address_are_one_conversion() -> None:
    same = run({"E-mail": "JOSE@EXEMPLO.COM "}, {"E-mail": "mailto:jose@exemplo.com"})
    both = {"conversion_identifier": "Feira ABF 2026", "email": "jose@exemplo.com"}
    assert [json.loads(text) for text in same.rows[IDENTITY]] == [both, both]


def test_the_identity_holds_the_identifier_of_the_row_and_all_identity_fields() -> None:
    mapping = Mapping.parse(
        "conversion_identifier: {column: Tags}\nidentity: [email, name]\n"
        "fields: {email: E-mail, name: Nome}"
    )
    row = {"E-mail": "ana@exemplo.com.br", "Nome": 'Ana "A"', "Tags": "Feira"}
    result = run(row, {**row, "Nome": None}, {**row, "Tags": None}, mapping=mapping)
    held = json.loads(result.rows[IDENTITY].item())
    assert list(held.values()) == ["Feira", "ana@exemplo.com.br", 'Ana "A"']
    assert result.problems.select(ROW, "code", "field").rows() == [
        (3, "value.missing", "name"),
        (4, "value.missing", "conversion_identifier"),
    ]


def test_beside_the_cookie_the_other_traffic_fields_are_left_out_with_a_warning() -> None:
    mapping = Mapping.parse(
        "conversion_identifier: x\n"
        "fields: {email: E-mail, traffic_source: Nome, traffic_medium: {value: offline}, "
        "traffic_value: UF}"
    )
    row = {"E-mail": "ana@exemplo.com.br", "UF": "sp"}
    result = run({**row, "Nome": "encoded_eyJmIjp7fX0="}, {**row, "Nome": "feira"}, mapping=mapping)
    first, second = (json.loads(text) for text in result.rows[PAYLOAD])
    assert set(first) == {"conversion_identifier", "email", "traffic_source"}
    assert (second["traffic_medium"], second["traffic_value"]) == ("offline", "sp")
    assert result.warnings.rows() == [
        (3, 2, "traffic.beside_cookie", "traffic_medium", "", "offline", ""),
        (3, 2, "traffic.beside_cookie", "traffic_value", "UF", "sp", ""),
    ]
    assert result.problems.height == 0


def test_a_missing_column_is_named_with_the_one_that_was_probably_meant() -> None:
    with pytest.raises(MappingError) as caught:
        bind(MAPPING, ("Email", "Nome", "Celular", "WhatsApp", "UF", "Aceite", "Opt-in"), "l.csv")
    hint = "; did you mean “Email”?"
    assert caught.value.message.splitlines() == [
        f"l.csv: has no column “e-mail”, which `email` asks for (mapping:3:10){hint}",
        "l.csv: has no column “Tags”, which `tags` asks for (mapping:8:18)",
    ]
    assert "“Celular”" in caught.value.remedy


@pytest.mark.parametrize(
    ("asked", "there", "meant"),
    [
        ("Aceita e-mail", "E-mail", ""),
        ("Autoriza o email?", "E-mail", ""),
        ("Contato por e-mail", "E-mail", ""),
        ("Aceita e-mail", "Aceito e-mails", "Aceito e-mails"),
        ("LGPD", "Aceite LGPD", "Aceite LGPD"),
        ("Optin", "Opt-in", "Opt-in"),
        ("Marketing", "Marketting", "Marketting"),
    ],
)
def test_of_a_missing_consent_no_column_of_another_kind_is_offered(
    workspace: Workspace, asked: str, there: str, meant: str
) -> None:
    basis = f'{{category: communications, type: consent, status: {{column: "{asked}"}}}}'
    workspace.write("list.yaml", f"{PEOPLE_MAPPING}legal_bases: [{basis}]\n")
    workspace.write(
        "list.csv", f"E-mail,Nome,{there if meant else 'Cidade'}\na@exemplo.com.br,Ana,x\n"
    )
    told = workspace.do("check", "list.csv", "-m", "list.yaml")
    assert (told.code, f"has no column “{asked}”" in told.err) == (2, True)
    assert ("did you mean" in told.err, f"“{meant}”?" in told.err) == (bool(meant), bool(meant))


def test_of_a_missing_address_no_consent_is_offered(workspace: Workspace) -> None:
    workspace.write("list.yaml", PEOPLE_MAPPING)
    workspace.write("list.csv", "Aceita e-mail,Nome\nsim,Ana\n")
    told = workspace.do("check", "list.csv", "-m", "list.yaml")
    assert (told.code, "did you mean" in told.err) == (2, False), told.err


def test_a_mapping_that_was_bound_before_is_bound_as_it_is_now_to_the_table_it_is_now_for() -> None:
    mapping = MAPPING.model_copy(deep=True)
    for table in ("l.csv", "m.csv"):
        assert bind(mapping, COLUMNS, table).table == table
        with pytest.raises(MappingError, match=f"^{table}: has no column"):
            bind(mapping, COLUMNS[1:], table)
    mapping.fields["cf_new"] = mapping.fields["name"]
    assert "cf_new" in bind(mapping, COLUMNS, "l.csv").fields()
    assert "cf_new" not in bind(MAPPING, COLUMNS, "l.csv").fields()


def test_a_mapping_that_is_changed_once_it_is_bound_changes_no_other_one() -> None:
    one, other = (MAPPING.model_copy(deep=True) for _ in range(2))
    for mapping in (one, other):
        mapping.fields["cf_other"] = mapping.fields["name"]
    bind(one, COLUMNS, "l.csv")
    one.fields["cf_new"] = one.fields["name"]
    assert run({"E-mail": "ana@x.com.br"}, mapping=other).rows.height == 1


def test_columns_match_without_case_accents_and_spaces() -> None:
    columns = ("  é-MAIL", "nome ", "celular", "WHATSAPP", "Uf", "aceite", "tags", "OPT-IN")
    bound = bind(MAPPING, columns, "l.csv")
    result = prepare(frame([{"  é-MAIL": "ana@exemplo.com.br"}], columns), bound)
    assert result.rows.height == 1


@pytest.mark.parametrize("odd", ["*", "^.*$", "{x}", 'a"b', "len()"])
def test_a_column_may_have_any_name(odd: str) -> None:
    text = json.dumps(odd)
    mapping = Mapping.parse(
        f"conversion_identifier: x\nfields: {{email: E-mail, name: {text}, city: [{text}, E-mail]}}"
    )
    columns = ("E-mail", odd)
    rows = [{"E-mail": "ana@exemplo.com.br", odd: "Ana"}, {"E-mail": "x", odd: "y" * 300}]
    result = prepare(frame(rows, columns), bind(mapping, columns, "l.csv"))
    assert json.loads(result.rows[PAYLOAD].item())["name"] == "Ana"
    assert result.problems["column"].to_list() == ["E-mail", odd, odd]


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=costly(120))
@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_whatever_a_cell_holds_the_payload_is_json_that_says_the_same(
    cells: list[tuple[str, str]],
) -> None:
    mapping = Mapping.parse(
        "conversion_identifier: 'a \"quoted\" \\ name'\n"
        "fields: {email: E-mail, name: {column: Nome, clean: none}, "
        "cf_a: {column: UF, type: list, split: '|'}}"
    )
    rows = [{"E-mail": "a@exemplo.com.br", "Nome": a or None, "UF": b or None} for a, b in cells]
    result = run(*rows, mapping=mapping)
    assert result.rows.height == len(cells)
    for text, (name, items) in zip(result.rows[PAYLOAD], cells, strict=True):
        read = json.loads(text)
        assert read["conversion_identifier"] == 'a "quoted" \\ name'
        shows = any(unicodedata.category(c) not in {"Cf", "Cc", "Zs", "Zl", "Zp"} for c in name)
        assert read.get("name") == (name if shows else None)
        found = read.get("cf_a", [])
        assert len(found) == len(set(found)) <= len(items.split("|"))
        assert all(item.strip() for item in found)


def test_a_row_with_a_basis_declined_is_not_counted_as_granted() -> None:
    mapping = Mapping.parse(
        "version: 1\nconversion_identifier: x\nfields: {email: E}\nlegal_bases:\n"
        '  - {type: consent, status: {column: "A"}}\n'
        '  - {type: pre_existent_contract, status: {column: "B"}}\n'
    )
    wanted = targets(mapping)
    first, second = [target.name for target in wanted if target.is_status]
    pairs = [("true", "true"), ("true", "false"), ("false", None), (None, None), ("true", None)]
    rows = pl.DataFrame(pairs, schema={first: pl.String, second: pl.String}, orient="row")
    found = rows.select(**by_status(wanted)).row(0, named=True)
    assert found == {GRANTED: 2, DECLINED: 2}
    assert rows.select(**by_status([t for t in wanted if not t.is_status])).row(0) == (0, 0)


MANY_CELLS: dict[str, list[str | None]] = {
    "E-mail": [" ANA@x.com.br ", "bia@x.com.br", "Ana <ana@x.com.br>", "joão@x.com.br"],
    "Nome": ["Ana", " Ana  Souza", "#N/D", None, "\u200b"],
    "Celular": ["(11) 98765-4321", "", "+351 912 345 678", "1.1987654321E+10"],
    "UF": ["SP", "são paulo", None, "XX"],
    "Aceite": ["Sim", "N", "talvez", None],
    "Tags": ["Quente; morno", "quente", None, ";"],
    "Opt-in": ["Sim", "não", "", "#REF!"],
}


def test_cells_that_repeat_are_cleaned_as_each_of_them_alone() -> None:
    rows = [
        {name: cells[at % len(cells)] for name, cells in MANY_CELLS.items()} for at in range(60)
    ]
    bound = bind(MAPPING, COLUMNS, "lista.csv")
    alone = [cells(frame([row]), bound)[0].frame.drop(ROW) for row in rows]
    assert cells(frame(rows), bound)[0].frame.drop(ROW).rows() == pl.concat(alone).rows()


def test_an_address_that_cleaning_changed_is_suspect_though_others_were_sent_as_they_are() -> None:
    addresses = ["ana@x.com.br", "joão@x.com.br", "Ana, fone 12 - bia@x.com.br", " CID@X.COM.BR"]
    warnings = run(*({"E-mail": address} for address in addresses)).warnings
    assert warnings.select(ROW, "code").rows() == [(3, "email.accents"), (4, "email.from_text")]
