"""Everything that is wrong with a YAML or TOML file as lines for the person who wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from rdimport.core.masking import may_be_key
from rdimport.core.names import did_you_mean
from rdimport.core.visible import shown_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import ValidationError

    from rdimport.core.yaml_document import Document, Path, Place

CONTRADICTION: Final = "contradiction"
"""The type of the model's own error for broken `rules`, which the loader reports one by one."""

_SENTENCES: Final = {
    "string_type": "expected text, found {found}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "expected the form {pattern}, found {found}",
    "int_parsing": "expected a whole number, found {found}",
    "int_type": "expected a whole number, found {found}",
    "int_from_float": "expected a whole number, found {found}",
    "float_parsing": "expected a number, found {found}",
    "float_type": "expected a number, found {found}",
    "greater_than_equal": "expected {ge} or more, found {found}",
    "less_than_equal": "expected {le} or less, found {found}",
    "bool_parsing": "expected true or false, found {found}",
    "bool_type": "expected true or false, found {found}",
    "dict_type": "expected keys with values below it, found {found}",
    "model_type": "expected keys with values below it, found {found}",
    "model_attributes_type": "expected keys with values below it, found {found}",
    "tuple_type": "expected a list, found {found}",
    "list_type": "expected a list, found {found}",
}


def lines(name: str, problems: Iterable[tuple[Place, Path, str]]) -> str:
    """A line for every problem, in the order of the file."""
    found = [
        f"{name}:{place[0]}:{place[1]}: {_dotted(path)}{message}"
        for place, path, message in sorted(set(problems), key=lambda p: (p[0], p[2]))
    ]
    return shown_lines(found)


def from_rules(document: Document, broken: Iterable[tuple[Path, str]]) -> list[Any]:
    """Broken rules with their places."""
    return [(document.place(path), path, message) for path, message in broken]


def from_model(
    document: Document, model: type[BaseModel], refused: ValidationError
) -> list[tuple[Place, Path, str]]:
    """pydantic's errors with their places, in our words."""
    return [
        _one(document, model, detail)
        for detail in refused.errors(include_url=False)
        if detail["type"] != CONTRADICTION
    ]


def _one(document: Document, model: type[BaseModel], detail: Any) -> tuple[Place, Path, str]:
    path: Path = detail["loc"]
    of_key = bool(path) and path[-1] == "[key]"
    path = path[:-1] if of_key else path
    kind = detail["type"]
    if kind == "missing":
        return document.place(path[:-1]), path[:-1], f"`{path[-1]}` is missing"
    if kind == "extra_forbidden":
        known = _model_at(model, path[:-1]).model_fields
        return document.place(path, of_key=True), path[:-1], _unknown(str(path[-1]), known)
    written = path
    while written and written not in document.values:
        written = written[:-1]
    return document.place(path, of_key=of_key), written, _sentence(detail)


def _unknown(key: str, known: Iterable[str]) -> str:
    best = did_you_mean(key, known)
    hint = f"did you mean `{best}`?" if best else f"expected one of {', '.join(known)}"
    return f"unknown key `{key}`; {hint}"


def _sentence(detail: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in {"enum", "literal_error"}:
        choices = [c.strip("'") for c in context["expected"].replace(" or ", ", ").split(", ")]
        best = did_you_mean(str(detail["input"]), choices)
        hint = f"; did you mean `{best}`?" if best else ""
        return f"expected one of {', '.join(choices)}; found {_found(detail['input'])}{hint}"
    template = _SENTENCES.get(kind)
    if template is None:
        return str(detail["msg"]).removeprefix("Value error, ")
    return template.format(found=_found(detail["input"]), **context)


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list | tuple):
        return "a list"
    return "what may be a key" if may_be_key(str(value)) else f"`{value}`"


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path) + ": " if path else ""


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """The part of the model that a path leads to; keys of a dict and list positions are passed."""
    for step in path:
        known = model.model_fields.get(step) if isinstance(step, str) else None
        if known is not None:
            model = next(_models_in(known.annotation), model)
    return model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
