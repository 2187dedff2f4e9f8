"""The JSON schema of mapping files, used by editors for completion and validation."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

from rdimport.destination.rdstation.fields import CUSTOM_FIELD, FIELDS, LEGAL_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

_TEXT: Final = {"type": ["string", "number", "boolean"]}
"""The parser accepts these as text: it reads every scalar as written."""

_NOT_FIELDS: Final = frozenset({"conversion_identifier", "legal_bases"})


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a mapping, including the short forms that the model expands."""
    schema = model.model_json_schema()
    for section in _sections(model):
        part = schema if section is model else schema["$defs"].get(section.__name__, {})
        for key, text in descriptions(section).items():
            if key in part.get("properties", ()):
                described = {**part["properties"][key], "description": text}
                part["properties"][key] = dict(sorted(described.items()))
    schema = _relaxed(schema)
    parts, keys = schema["$defs"], schema["properties"]
    whole = {"$ref": "#/$defs/Source"}
    keys["conversion_identifier"] = _either(keys["conversion_identifier"], _TEXT, whole)
    status = parts["LegalBasis"]["properties"]["status"]
    parts["LegalBasis"]["properties"]["status"] = _either(
        status, {"enum": list(LEGAL_STATUSES)}, whole
    )
    columns = parts["Source"]["properties"]["column"]["anyOf"]
    parts["FieldSource"] = {"anyOf": [parts["FieldSource"], *columns]}
    names = {
        "anyOf": [
            {"enum": [name for name in FIELDS if name not in _NOT_FIELDS]},
            {"pattern": f"^{CUSTOM_FIELD.pattern.removesuffix(chr(92) + 'Z')}$"},
        ]
    }
    for key in ("fields", "checks", "invalid"):
        keys[key]["propertyNames"] = names
    keys["fields"]["required"] = ["email"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def descriptions(section: type[BaseModel]) -> dict[str, str]:
    """The docstrings of a model's own attributes and of those that it inherits.

    pydantic's `use_attribute_docstrings` reads them at every start, which takes longer than all its
    other work; only the schema needs them.
    """
    found: dict[str, str] = {}
    for model in reversed(
        [one for one in section.__mro__ if one.__module__.startswith("rdimport")]
    ):
        body = ast.parse(dedent(inspect.getsource(model))).body[0]
        for key, text in pairwise(body.body if isinstance(body, ast.ClassDef) else ()):
            match key, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(docstring))),
                ):
                    found[name] = inspect.cleandoc(docstring)
    return found


def _sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """All models of the language, of which `model` is one."""
    from rdimport.mapping.vocabulary import Section  # noqa: PLC0415

    waiting: list[type[BaseModel]] = [Section]
    while waiting:
        section = waiting.pop()
        waiting += section.__subclasses__()
        yield section


def _either(described: dict[str, Any], *forms: dict[str, Any]) -> dict[str, Any]:
    """Several alternatives with one description."""
    kept: dict[str, Any] = {key: described[key] for key in _OUTER[:2] if key in described}
    return {**kept, "anyOf": list(forms)}


def _relaxed(schema: Any) -> Any:
    """Allow any scalar for text, and a single value for a list.

    Titles and the alternative null are removed, as editors do not need them.
    """
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string" and not {"enum", "const"} & set(schema):
        kept = (*_OUTER, "pattern")
        return {key: schema[key] for key in kept if schema.get(key) is not None} | _TEXT
    relaxed = {
        key: value if key in _VALUES else _relaxed(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and value is not None
    }
    forms = _flat(relaxed.pop("anyOf", []))
    relaxed |= {"anyOf": forms} if len(forms) > 1 else (forms[0] if forms else {})
    items = relaxed.get("items")
    if relaxed.get("type") == "array" and isinstance(items, dict) and _is_scalar(items):
        outer = {key: relaxed.pop(key) for key in _OUTER if key in relaxed}
        relaxed.pop("minLength", None)
        return {**outer, "anyOf": [items, {**relaxed, "minItems": 1}]}
    return relaxed


_OUTER: Final = ("description", "examples", "default")
_VALUES: Final = ("examples", "default", "enum", "const")


def _is_scalar(items: dict[str, Any]) -> bool:
    """Whether the schema is text or an enumeration."""
    return "type" in items or items.get("$ref", "").endswith("/Clean")


def _flat(forms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nested alternatives as one list."""
    flat: list[dict[str, Any]] = []
    for form in forms:
        flat += form["anyOf"] if set(form) == {"anyOf"} else [form]
    return flat
