"""The mapping file: what it means, and the messages for mistakes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rdimport.core.errors import MappingError
from rdimport.mapping import Clean, Mapping, Type

WHOLE = """\
version: 1
conversion_identifier: "Feira ABF 2026"
source: {sheet: Leads, header_row: 3}
fields:
  email: E-mail
  mobile_phone: [Celular, WhatsApp]
  state: {column: UF, clean: uf}
  cf_aceite: {column: Aceite, type: boolean}
  tags: {column: Tags, split: ";", add: [feira-2026]}
  traffic_source: {value: feira}
legal_bases: [{category: communications, type: consent, status: {column: Opt-in}}]
identity: [email]
on_duplicate: first
on_change: send
"""


def refused(text: str) -> list[str]:
    """The lines that a person sees for a wrong mapping."""
    with pytest.raises(MappingError) as caught:
        Mapping.parse(text, "m.yaml")
    return caught.value.message.splitlines()


def test_every_part_of_the_language_arrives_as_a_typed_value() -> None:
    mapping = Mapping.parse(WHOLE)
    assert mapping.conversion_identifier.value == "Feira ABF 2026"
    assert mapping.hints().sheet == "Leads"
    assert mapping.hints().header_row == 3
    assert mapping.fields["email"].column == ("E-mail",)
    assert mapping.fields["mobile_phone"].column == ("Celular", "WhatsApp")
    assert mapping.fields["state"].clean == (Clean.UF,)
    assert mapping.fields["cf_aceite"].type is Type.BOOLEAN
    assert mapping.fields["tags"].split == ";"
    assert mapping.fields["tags"].add == ("feira-2026",)
    assert mapping.fields["traffic_source"].value == "feira"
    assert mapping.legal_bases[0].status.column == ("Opt-in",)
    assert mapping.identity == ("email",)
    assert (mapping.on_duplicate, mapping.on_change) == ("first", "send")


def test_columns_are_all_that_the_mapping_names_each_once() -> None:
    text = WHOLE.replace('"Feira ABF 2026"', "{column: UF}")
    wanted = ("UF", "E-mail", "Celular", "WhatsApp", "Aceite", "Tags", "Opt-in")
    assert Mapping.parse(text).columns() == wanted


def test_a_mapping_of_three_lines_is_enough() -> None:
    mapping = Mapping.parse("conversion_identifier: News\nfields:\n  email: E-mail\n")
    assert (mapping.version, mapping.identity, mapping.on_duplicate) == (1, ("email",), "last")


def test_words_and_numbers_that_yaml_takes_for_something_else_stay_text() -> None:
    mapping = Mapping.parse(
        "conversion_identifier: 2026\n"
        "fields:\n  email: NO\n  name: 00123\n  city: 2026-01-01\n  state: yes\n  country: 1.50\n"
    )
    assert mapping.conversion_identifier.value == "2026"
    assert mapping.columns() == ("NO", "00123", "2026-01-01", "yes", "1.50")


def test_all_errors_come_at_once_each_with_its_line_and_column() -> None:
    lines = refused(
        "version: 1\n"
        "conversion_identifer: x\n"
        "fields:\n"
        "  emial: E-mail\n"
        "  name: {colum: Nome}\n"
        "  city: {column: X, clean: phne}\n"
        "  state: {column: UF, value: x}\n"
        "  job_title:\n"
        "source: {header_row: zero}\n"
        "on_duplicate: lst\n"
    )
    cleaners, slip = ", ".join(Clean), "; did you mean"
    duplicates = f"on_duplicate: expected one of first, last, merge; found `lst`{slip} `last`?"
    assert lines == [
        "m.yaml:1:1: `conversion_identifier` is missing",
        "m.yaml:2:1: unknown key `conversion_identifer`; did you mean `conversion_identifier`?",
        "m.yaml:3:1: fields: `email` is missing: RD finds and creates contacts by it",
        "m.yaml:4:3: fields.emial: not a field of RD Station Marketing; did you mean `email`?",
        "m.yaml:5:10: fields.name: unknown key `colum`; did you mean `column`?",
        f"m.yaml:6:28: fields.city.clean: expected one of {cleaners}; found `phne`{slip} `phone`?",
        "m.yaml:7:10: fields.state: use one of column, value, expr, about, not column and value",
        "m.yaml:8:3: fields.job_title: expected a column name, or `{column: …}`, and found nothing",
        "m.yaml:9:22: source.header_row: expected a whole number, found `zero`",
        f"m.yaml:10:15: {duplicates}",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1", "m.yaml:2:1: not YAML: indent with spaces, not with tabs"),
        ("a: b: c", "m.yaml:1:5: not YAML: align the keys in one column"),
        ("a: @x", "m.yaml:1:4: not YAML: put text that starts with a special character"),
        ("a: *", "m.yaml:1:5: not YAML: put text that starts with a special character"),
        ("a: & b", "m.yaml:1:5: not YAML: put text that starts with a special character"),
        ("a: |b", "m.yaml:1:5: not YAML: put text that starts with a special character"),
        ("a: - b", "m.yaml:1:4: not YAML: put text that starts with a special character"),
        ("a: ? b", "m.yaml:1:4: not YAML: put text that starts with a special character"),
        ("a: !b!c", "m.yaml:1:4: not YAML: put text that starts with a special character"),
        ("a: *x", "m.yaml:1:4: not YAML: put text that starts with * into quotes"),
        ("a: [x, y", "m.yaml:1:9: not YAML: a bracket is never closed, a comma is missing"),
        ("a: 'x", "m.yaml:1:6: not YAML: a quotation mark is opened and never closed"),
        ("a: 1\nb\nc: 1", "m.yaml:2:1: not YAML: a line is neither `key: value` nor indented"),
        ("a: 1\n---\nb: 1", "m.yaml:2:1: not YAML: a mapping file holds one document"),
        ("a: 1\nb: \x07", "m.yaml:2:1: a character that YAML does not allow"),
        ("a: &x {b: *x}", "m.yaml:1:4: too many values, or nested too deeply"),
        ("[a]: 1", "m.yaml:1:1: a key must be plain text"),
        ("", "m.yaml:1:1: expected keys such as `conversion_identifier` and `fields`"),
        ("- a", "m.yaml:1:1: expected keys such as `conversion_identifier` and `fields`"),
    ],
)
def test_text_that_is_no_mapping_gets_one_clear_line(text: str, message: str) -> None:
    lines = refused(text)
    assert len(lines) == 1
    assert lines[0].startswith(message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  email: Mail\n", "m.yaml:4:3: fields.email: is given twice"),
        ("  cf_Cor: Cor\n", "m.yaml:4:3: fields.cf_Cor: a custom field is written cf_"),
        ("  cf_a: {column: A, split: ','}\n", "m.yaml:4:28: fields.cf_a.split: only a list has"),
        ("  name: {column: A, type: list}\n", "m.yaml:4:27: fields.name.type: only custom fields"),
        ("  name: {column: A, add: [x]}\n", "m.yaml:4:26: fields.name.add: only a list has items"),
        ("  name: {}\n", "m.yaml:4:9: fields.name: say where the value comes from"),
        ("  name: {column: []}\n", "m.yaml:4:18: fields.name.column: must not be empty"),
        ("  name: {column: {a: b}}\n", "m.yaml:4:18: fields.name.column: expected text, found"),
        ("  legal_bases: X\n", "m.yaml:4:3: fields.legal_bases: `legal_bases` is a key of its own"),
        ("identity: [emial]\n", "m.yaml:4:11: identity: `emial` is not one of the fields"),
        ("identity: []\n", "m.yaml:4:11: identity: must not be empty"),
        (
            "  cf_a: {column: A, clean: date, date_format: '%Q'}\n",
            "m.yaml:4:47: fields.cf_a.date_format: expected day, month and year",
        ),
        ("  cf_a: {column: A, values: {}}\n", "m.yaml:4:29: fields.cf_a.values: must not be empty"),
        (
            "checks: {email: {pattern: '(?=x)'}}\n",
            "m.yaml:4:27: checks.email.pattern: not a regular expression: `(?=`, `(?!`",
        ),
        ("version: 2\n", "m.yaml:4:10: version: this rdimport reads mappings of version 1, not 2"),
        ("version: 1_000\n", "m.yaml:4:10: version: this rdimport reads mappings of version 1,"),
        ("version: 0\n", "m.yaml:4:10: version: expected 1 or more, found `0`"),
        ("invalid: true\n", "m.yaml:4:10: invalid: expected keys with values below it"),
        ("checks: [email]\n", "m.yaml:4:9: checks: expected keys with values below it"),
        ("source: {header_row: 0}\n", "m.yaml:4:22: source.header_row: expected 1 or more, found"),
        ("legal_bases: x\n", "m.yaml:4:14: legal_bases: expected a list, found `x`"),
        (
            "legal_bases: [{type: consent, status: sim}]\n",
            "m.yaml:4:15: legal_bases.0: status is granted or declined, not `sim`; for a column",
        ),
        (
            "legal_bases: [{type: consnt, status: granted}]\n",
            "m.yaml:4:22: legal_bases.0.type: expected one of consent, ",
        ),
        (
            "legal_bases:\n" + "- {type: consent, status: granted}\n" * 2,
            "m.yaml:6:3: legal_bases.1: the legal basis `consent` is given twice",
        ),
    ],
)
def test_a_wrong_value_is_reported_with_its_place(more: str, message: str) -> None:
    lines = refused(f"conversion_identifier: x\nfields:\n  email: E-mail\n{more}")
    assert len(lines) == 1
    assert lines[0].startswith(message)


def test_a_mapping_whose_fields_are_empty_lacks_the_email() -> None:
    lines = refused("conversion_identifier: x\nfields: {}\n")
    assert lines == ["m.yaml:2:9: fields: `email` is missing: RD finds and creates contacts by it"]


def test_an_identifier_of_nothing_is_asked_for_as_text() -> None:
    lines = refused("conversion_identifier:\nfields: {email: E-mail}\n")
    assert lines == [
        "m.yaml:1:1: conversion_identifier: expected text, or `{column: …}`, and found nothing"
    ]


def test_a_long_value_is_shown_by_its_beginning() -> None:
    lines = refused(f"conversion_identifier: x\nfields: {'x' * 30_000}\n")
    assert lines == [
        f"m.yaml:2:9: fields: expected keys with values below it, found `{'x' * 200}…`"
    ]


@pytest.mark.parametrize(
    "more", ["identity: {long}", "invalid: {{{long}: row}}", "{long}: x", "checks: {{{long}: 5}}"]
)
def test_a_long_name_is_shown_by_its_beginning(more: str) -> None:
    text = more.format(long="x" * 1_000)
    for line in refused(f"conversion_identifier: x\nfields: {{email: M}}\n{text}\n"):
        assert "x" * 200 + "…" in line
        assert len(line) < 700


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'a: b\nb: "\\U99999999"\n',
            "m.yaml:2:5: not YAML: what follows the \\ in a text is not k",
        ),
        ('a: "\\q"\n', "m.yaml:1:6: not YAML: what follows the \\ in a text is not known to YAML"),
        ("%YAML 3.0\n---\na: b\n", "m.yaml:1:1: not YAML: remove the line that begins with %"),
        ("%TAG x y\n---\na: b\n", "m.yaml:1:6: not YAML: remove the line that begins with %"),
        ('[jobs.j]\na = "x"\n', "m.yaml:2:1: not YAML: a line is neither `key: value` nor inden"),
        ("]\n", "m.yaml:1:1: not YAML: what stands here is not understood"),
        ("[" * 3_000, "m.yaml:1:1: too many values, or nested too deeply, for a mapping"),
    ],
)
def test_text_that_is_no_yaml_gets_a_sentence_of_our_own(text: str, message: str) -> None:
    (line,) = refused(text)
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("a: x", "m.yaml:3:1: unknown key `a`; expected one of version, "),
        ("identity: a", "m.yaml:3:11: identity: `a` is not one of the fields of this mapping; it"),
        ("on_duplicate: [last]", "m.yaml:3:15: on_duplicate: expected one of first, last, merge; "),
        (
            "fields: {email: M, cf_a: {column: A, clean: number, decimal: x}}",
            "m.yaml:3:62: fields.cf_a.decimal: expected one of `,`, `.`; found `x`",
        ),
    ],
)
def test_nothing_is_suggested_that_resembles_the_value_by_chance(more: str, message: str) -> None:
    fields = "" if more.startswith("fields") else "fields: {email: M}"
    (line,) = refused(f"conversion_identifier: x\n{fields}\n{more}\n")
    assert line.startswith(message)
    assert "did you mean" not in line


def test_a_file_that_cannot_be_read_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("mapping")
    latin = folder / "latin.yaml"
    latin.write_bytes("conversion_identifier: Promoção".encode("cp1252"))
    with pytest.raises(MappingError, match=r"latin\.yaml: is not UTF-8 text"):
        Mapping.load(latin)
    with pytest.raises(MappingError, match=r"none\.yaml: cannot be read: No such file"):
        Mapping.load(folder / "none.yaml")


def test_a_byte_order_mark_does_no_harm(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("mapping") / "bom.yaml"
    path.write_text(WHOLE, encoding="utf-8-sig")
    assert Mapping.load(path).model_dump() == Mapping.parse(WHOLE).model_dump()


def test_who_only_reads_a_mapping_does_not_wait_for_pandera() -> None:
    code = "import sys, rdimport.mapping; sys.exit('pandera' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_column_knows_where_it_is_named() -> None:
    mapping = Mapping.parse(
        "conversion_identifier: {column: Campanha}\n"
        "fields:\n"
        "  email: [E-mail, Outro]\n"
        "  name: {expr: upper(Nome)}\n"
        "  cf_a:\n"
        "    column:\n"
        "      - A\n"
        "      - B\n"
        "legal_bases: [{type: consent, status: {column: Sim}}]\n"
        "where: UF = 'SP'\n",
        "m.yaml",
    )
    places = {column: mapping.place(column) for column in mapping.columns()}
    assert places == {
        "Campanha": "m.yaml:1:33",
        "E-mail": "m.yaml:3:11",
        "Outro": "m.yaml:3:19",
        "Nome": "m.yaml:4:16",
        "A": "m.yaml:7:9",
        "B": "m.yaml:8:9",
        "Sim": "m.yaml:9:48",
        "UF": "m.yaml:10:8",
    }
    assert mapping.place("elsewhere") == ""


def test_a_mapping_of_fields_without_end_is_refused_before_they_cost_time() -> None:
    many = "".join(f"  cf_a{i}: Nome\n" for i in range(3_000))
    text = f"conversion_identifier: x\nfields:\n  email: E-mail\n{many}"
    with pytest.raises(MappingError, match="3001 fields; a mapping takes 1000"):
        Mapping.parse(text)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"fields": 5}, ("`conversion_identifier` is missing", "fields: expected keys")),
        ({"fields": {"emial": "E"}}, ("fields.emial: not a field", "did you mean `email`?")),
        ({"fields": {"name": "N"}}, ("fields: `email` is missing",)),
        ({"fields": {"email": {"colunm": "E"}}}, ("fields.email: unknown key `colunm`",)),
    ],
)
def test_a_mapping_that_a_program_makes_is_explained_as_one_in_a_file(
    values: dict[str, object], told: tuple[str, ...]
) -> None:
    given = values if values["fields"] == 5 else {"conversion_identifier": "x", **values}
    with pytest.raises(MappingError) as refused:
        Mapping(**given)  # type: ignore[arg-type]  # that is what is tried
    for words in told:
        assert words in str(refused.value)
    assert "pydantic" not in str(refused.value)
