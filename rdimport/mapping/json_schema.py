"""The JSON schema of mapping files, with which an editor completes keys and marks errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic import BaseModel

_TEXT: Final = {"type": ["string", "number", "boolean"]}
_SHORT: Final = {
    "Source": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}],
    "FieldSource": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}],
}
"""The short forms, which the model turns into the long ones before it looks at them."""


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a mapping, short forms included."""
    schema = model.model_json_schema()
    for name, forms in _SHORT.items():
        long = schema["$defs"][name]
        schema["$defs"][name] = {"anyOf": [long, *forms]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
