"""The JSON schema and the page match the model, and every key is checked in its place."""

from __future__ import annotations

import copy
import json
import re
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import mapping_reference as reference
import pytest
from ruamel.yaml import YAML

from rdimport.core.errors import MappingError
from rdimport.core.messages.codes import Code
from rdimport.core.yaml_document import parse
from rdimport.mapping import Check, FieldSource, LegalBasis, Mapping, Source, SourceHints
from rdimport.mapping.json_schema import descriptions

ROOT = Path(__file__).parent.parent
VALIDATOR = jsonschema.Draft202012Validator(Mapping.schema())

FULL: dict[str, Any] = {
    "version": "1",
    "conversion_identifier": {"column": "Campanha", "default": "Feira"},
    "source": {"member": "sub*.csv", "sheets": "Leads *", "sheet": "Leads",
               "header_row": "3", "delimiter": ";",
               "encoding": "utf-8", "repair": "false"},
    "fields": {
        "email": {"column": ["E-mail", "Outro"], "several": "first", "correct_typos": "true"},
        "name": {"expr": "concat_ws(' ', Nome, Sobrenome)", "clean": ["name"], "cut": "80"},
        "mobile_phone": {"column": "Fone", "default_area": "11", "default_country": "BR"},
        "tags": {"column": "Tags", "split": ";", "add": ["feira"]},
        "country": {"value": "Brasil"},
        "cf_a": {"column": "A", "values": {"1": "Um"}, "otherwise": "empty", "default": "Zero"},
        "cf_b": {"column": "B", "type": "integer", "clean": "number", "decimal": ","},
        "cf_c": {"column": "C", "clean": "date", "date_format": "%d/%m/%Y"},
        "cf_d": "D",
        "cf_e": {"about": "file"},
    },
    "legal_bases": [
        {"category": "communications", "type": "consent", "status": {"column": "Opt-in"}},
        {"type": "legitimate_interest", "status": "granted"},
    ],
    "where": "UF = 'SP'",
    "empty": ["-"],
    "identity": ["email", "cf_d"],
    "on_duplicate": "merge",
    "on_change": "send",
    "invalid": {"mobile_phone": "drop"},
    "catalogue": "campos.json",
    "checks": {
        "cf_d": {"required": "true", "format": "cnpj", "pattern": "^[0-9]", "one_of": ["x"],
                 "min_length": "1", "max_length": "20"},
        "cf_b": {"min": "0", "max": "10"},
        "email": {"role": "suspect", "throwaway": "invalid"},
    },
}  # fmt: skip
"""A mapping with every key of the language."""


def written(data: object, pad: str = "") -> str:
    """A mapping as a YAML file, one value per line."""
    if isinstance(data, dict) and data:
        return "".join(f"\n{pad}{scalar(k)}: {written(v, pad + '  ')}" for k, v in data.items())
    if isinstance(data, list | tuple) and data:
        return "".join(f"\n{pad}- {written(item, pad + '  ')}" for item in data)
    return scalar(data)


def scalar(value: object) -> str:
    """A scalar, without quotes if YAML needs none; JSON is YAML."""
    is_plain = re.fullmatch(r"[^\W\d](?:[\w. -]*\w)?", str(value)) and value != "null"
    return str(value) if isinstance(value, str) and is_plain else json.dumps(value)


def lines_of(data: object) -> dict[tuple[Any, ...], int]:
    """The line on which `written` begins each value; that of its key where the value is below."""
    found: dict[tuple[Any, ...], int] = {(): 2}
    lines = count(2)

    def look(value: object, path: tuple[Any, ...]) -> None:
        of_list = isinstance(value, list | tuple)
        pairs = enumerate(value) if of_list else value.items() if isinstance(value, dict) else ()
        for key, item in pairs:
            below = of_list and bool(item) and isinstance(item, dict | list | tuple)
            found[*path, key] = next(lines) + below
            look(item, (*path, key))

    look(data, ())
    return found


def test_a_mapping_is_written_as_it_is() -> None:
    document = parse(written(FULL))
    assert document.data == FULL
    assert {path: document.place(path)[0] for path in document.values} == lines_of(FULL)


def paths(data: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the mapping that has a key or a list position."""
    pairs = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [p for key, value in pairs for p in [(*path, key), *paths(value, (*path, key))]]


def dotted(path: object) -> str:
    """A place as named in a test's title."""
    return ".".join(map(str, path)) if isinstance(path, tuple) else ""


def changed(path: tuple[Any, ...], change: Any) -> dict[str, Any]:
    """`FULL` with one value changed."""
    data = copy.deepcopy(FULL)
    within: Any = data
    for step in path[:-1]:
        within = within[step]
    change(within, path[-1])
    return data


def place_of(data: object, path: tuple[Any, ...]) -> set[int]:
    """The lines of a place in the mapping, of its content, and of its parent key."""
    lines = lines_of(data)
    within = [other for other in lines if other[: len(path)] == path]
    return {lines[other] for other in (path[:-1], path, *within)}


def test_the_mapping_that_is_mutated_holds_every_key_and_is_right() -> None:
    keys = {step for path in paths(FULL) for step in path if isinstance(step, str)}
    for model in (Mapping, SourceHints, Source, FieldSource, LegalBasis, Check):
        assert set(model.model_fields) <= keys
    Mapping.parse(written(FULL))


FREE_NAMES = {"1"}
FREE_TEXT = {"value", "default", "column", "add", "empty", "member", "sheet", "sheets", "delimiter",
             "encoding", "catalogue", "one_of", "values", "split", "date_format"}  # fmt: skip


NAMED = [path for path in paths(FULL) if isinstance(path[-1], str) and path[-1] not in FREE_NAMES]
"""Places with a key that can be misspelt: no list positions, no cell contents."""


@pytest.mark.parametrize("path", NAMED, ids=dotted)
def test_a_misspelt_key_is_refused_at_its_place_with_the_one_that_was_meant(
    path: tuple[Any, ...],
) -> None:
    key = path[-1]

    def misspell(within: dict[str, Any], name: str) -> None:
        pairs = [(f"{k}Z" if k == name else k, v) for k, v in within.items()]
        within.clear()
        within.update(pairs)

    text = written(changed(path, misspell))
    with pytest.raises(MappingError) as caught:
        Mapping.parse(text, "m.yaml")
    line = next(n for n, row in enumerate(text.splitlines(), 1) if f"{key}Z" in row)
    mine = [m for m in caught.value.message.splitlines() if f"{key}Z" in m]
    assert mine, caught.value.message
    assert any(m.startswith(f"m.yaml:{line}:") for m in mine), (line, mine)


@pytest.mark.parametrize("path", paths(FULL), ids=dotted)
@pytest.mark.parametrize("wrong", [{"a": {"b": "c"}}, [["x"]]], ids=["keys", "lists"])
def test_a_value_of_a_wrong_shape_is_refused_at_its_place(
    path: tuple[Any, ...], wrong: object
) -> None:
    data = changed(path, lambda within, key: within.__setitem__(key, wrong))
    with pytest.raises(MappingError) as caught:
        Mapping.parse(written(data), "m.yaml")
    lines = {int(m.split(":")[1]) for m in caught.value.message.splitlines()}
    assert lines & place_of(data, path), caught.value.message


def takes_any_text(path: tuple[Any, ...]) -> bool:
    """Whether any text is allowed at a place, or is its short form."""
    key = path[-1] if isinstance(path[-1], str) else path[-2]
    free = path[0] in FREE_TEXT or key in FREE_TEXT | FREE_NAMES | {"conversion_identifier"}
    return free or path[-2:-1] == ("values",) or (path[0] == "fields" and len(path) == 2)


@pytest.mark.parametrize(
    "path", [path for path in paths(FULL) if not takes_any_text(path)], ids=dotted
)
def test_a_word_that_means_nothing_is_refused_where_only_some_words_do(
    path: tuple[Any, ...],
) -> None:
    data = changed(path, lambda within, key: within.__setitem__(key, "zzz("))
    with pytest.raises(MappingError) as caught:
        Mapping.parse(written(data), "m.yaml")
    lines = {int(m.split(":")[1]) for m in caught.value.message.splitlines()}
    assert lines & place_of(data, path), caught.value.message


@pytest.mark.parametrize("name", ["feira_abf_2026", "erp_clientes", "newsletter"])
def test_the_json_schema_accepts_the_mappings_of_the_samples(name: str) -> None:
    text = (ROOT / "mappings" / f"{name}.yaml").read_text(encoding="utf-8")
    assert list(VALIDATOR.iter_errors(YAML(typ="safe", pure=True).load(text))) == []
    Mapping.parse(text)


def as_editor_sees(data: Any) -> Any:
    """Numbers and booleans as such, if the YAML file has them without quotes."""
    if isinstance(data, dict):
        return {key: as_editor_sees(value) for key, value in data.items()}
    if isinstance(data, list):
        return [as_editor_sees(item) for item in data]
    return json.loads(data) if data in {"true", "false"} or str(data).isdecimal() else data


def test_the_json_schema_accepts_every_key_and_marks_every_misspelt_one() -> None:
    plain = as_editor_sees(FULL)
    assert list(VALIDATOR.iter_errors(plain)) == []
    jsonschema.Draft202012Validator.check_schema(Mapping.schema())
    for path in paths(plain):
        if isinstance(path[-1], str) and path[-1] not in FREE_NAMES and path[0] != "x":
            wrong = copy.deepcopy(plain)
            within: Any = wrong
            for step in path[:-1]:
                within = within[step]
            within[f"{path[-1]}Z"] = within.pop(path[-1])
            assert list(VALIDATOR.iter_errors(wrong)), path


@pytest.mark.parametrize(
    ("model", "around"),
    [
        (Mapping, {}),
        (SourceHints, {"source": ...}),
        (LegalBasis, {"legal_bases": [...]}),
        (FieldSource, {}),
        (Check, {}),
    ],
)
def test_every_key_has_a_sentence_and_examples_that_the_parser_takes(
    model: Any, around: dict[str, Any]
) -> None:
    said = descriptions(model)
    for key, field in model.model_fields.items():
        assert said[key], key
        assert field.examples, key
        for example in field.examples:
            Mapping.parse(written(_with_example(model, key, example)))


def _with_example(model: Any, key: str, example: object) -> dict[str, Any]:
    data: dict[str, Any] = {
        "conversion_identifier": "x",
        "fields": dict.fromkeys(("email", "cf_cnpj", "city", "cf_pedido", "mobile_phone"), "X"),
    }
    if model is Mapping:
        extra = {"checks": {"cf_cnpj": "X", "city": "X", "email": "X"}, "fields": {}}
        return (
            {**data, key: example}
            if key not in extra
            else {
                **data,
                key: example,
                "fields": {"email": "X", **extra[key], **(example if key == "fields" else {})},
            }
        )
    if model is SourceHints:
        return {**data, "source": {key: example}}
    if model is LegalBasis:
        basis = {"type": "consent", "status": "granted", key: example}
        return {**data, "legal_bases": [basis]}
    if model is Check:
        name = "email" if key in {"role", "throwaway"} else "cf_cnpj"
        return {**data, "checks": {name: {key: example}}}
    beside = {
        "otherwise": {"column": "X", "values": {"a": "b"}},
        "split": {"column": "X", "type": "list"},
        "add": {"column": "X", "type": "list"},
        "several": {"column": "X", "clean": "phone"},
        "correct_typos": {"column": "X", "clean": "email"},
        "default_area": {"column": "X", "clean": "phone"},
        "default_country": {"column": "X", "clean": "phone"},
        "decimal": {"column": "X", "clean": "number"},
        "date_format": {"column": "X", "clean": "date"},
        "value": {},
        "expr": {},
        "about": {},
    }
    data["fields"]["cf_x"] = {**beside.get(key, {"column": "X"}), key: example}
    return data


def test_the_reference_page_and_the_schema_file_are_current() -> None:
    hint = "run `python docs/mapping_reference.py`"
    for lang, path in reference.PAGE_FILES.items():
        assert path.read_text(encoding="utf-8") == reference.page(lang), hint
    schema = (ROOT / reference.SCHEMA_FILE).read_text(encoding="utf-8")
    assert schema == reference.schema_text(), hint
    assert json.loads(schema) == Mapping.schema()


def test_the_page_names_every_code_with_what_to_do() -> None:
    page = reference.page()
    for code in Code:
        assert f"| `{code}` |" in page


def test_the_example_at_the_top_of_the_page_is_a_mapping() -> None:
    text = reference.page().split("```yaml\n")[1].split("```")[0]
    assert Mapping.parse(text).fields["email"].column == ("E-mail",)
    assert list(VALIDATOR.iter_errors(YAML(typ="safe", pure=True).load(text))) == []
