"""Reports all errors in a YAML or TOML file, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from rdimport.core.masking import may_be_key
from rdimport.core.messages import _, untranslated
from rdimport.core.names import did_you_mean
from rdimport.core.visible import cut, shown_lines
from rdimport.core.yaml_document import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import ValidationError

    from rdimport.core.yaml_document import Path, Place

CONTRADICTION: Final = "contradiction"
"""The model's error type for broken `rules`, which the loader reports one by one."""

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
AREA: Final = r"^[1-9][0-9]$"
COUNTRY: Final = r"^[A-Z]{2}$"
FAILURE: Final = "^5[0-9][0-9]$"
_FORMS: Final = {
    NAME: untranslated("a name of letters without accents, digits, dots, dashes and underscores"),
    AREA: untranslated("two digits such as 11"),
    COUNTRY: untranslated("two capital letters such as PT"),
    FAILURE: untranslated("a status from 500 to 599"),
}
"""The texts that a model restricts by a pattern, in words."""

_SENTENCES: Final = {
    "string_type": untranslated("expected text, found {found}"),
    **dict.fromkeys(("string_too_short", "too_short"), untranslated("must not be empty")),
    "string_pattern_mismatch": untranslated("expected {pattern}; found {found}"),
    **dict.fromkeys(
        ("int_parsing", "int_type", "int_from_float", "int_parsing_size"),
        untranslated("expected a whole number, found {found}"),
    ),
    **dict.fromkeys(
        ("float_parsing", "float_type", "finite_number"),
        untranslated("expected a number, found {found}"),
    ),
    "greater_than_equal": untranslated("expected {ge} or more, found {found}"),
    "less_than_equal": untranslated("expected {le} or less, found {found}"),
    **dict.fromkeys(
        ("bool_parsing", "bool_type"), untranslated("expected true or false, found {found}")
    ),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"),
        untranslated("expected keys with values below it, found {found}"),
    ),
    **dict.fromkeys(("tuple_type", "list_type"), untranslated("expected a list, found {found}")),
}


def lines(name: str, problems: Iterable[tuple[Place, Path, str]]) -> str:
    """One line per problem, in the order of the file."""
    found = [
        f"{name}:{place[0]}:{place[1]}: {_dotted(path)}{message}"
        for place, path, message in sorted(set(problems), key=lambda p: (p[0], p[2]))
    ]
    return shown_lines(found)


def from_rules(document: Document, broken: Iterable[tuple[Path, str]]) -> list[Any]:
    """Broken rules with their positions."""
    return [(document.place(path), path, message) for path, message in broken]


def from_model(
    document: Document, model: type[BaseModel], refused: ValidationError
) -> list[tuple[Place, Path, str]]:
    """pydantic's errors with their positions, reworded."""
    return [
        _one(document, model, detail)
        for detail in refused.errors(include_url=False)
        if detail["type"] != CONTRADICTION
    ]


def of_call(model: type[BaseModel], values: object, refused: ValidationError) -> str:
    """One line per error of a model that a program made from values, not from a file."""
    document = Document(data=values)
    for path in _paths(values, ()):
        document.values[path] = (1, 1)
    found = [(path, message) for _place, path, message in from_model(document, model, refused)]
    told = refused.errors(include_url=False)
    found += [((), detail["msg"]) for detail in told if detail["type"] == CONTRADICTION]
    return shown_lines(f"{model.__name__}: {_dotted(path)}{message}" for path, message in found)


def _paths(values: object, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _paths(value, (*path, key))
    elif isinstance(values, list | tuple):
        for at, value in enumerate(values):
            yield from _paths(value, (*path, at))


def _one(document: Document, model: type[BaseModel], detail: Any) -> tuple[Place, Path, str]:
    path: Path = detail["loc"]
    of_key = bool(path) and path[-1] == "[key]"
    path = path[:-1] if of_key else path
    kind = detail["type"]
    if kind == "missing":
        return document.place(path[:-1]), path[:-1], _("`{key}` is missing", key=path[-1])
    if kind == "extra_forbidden":
        known = _model_at(model, path[:-1]).model_fields
        written = _written(document, path[:-1])
        place = document.place((*written, path[-1]), of_key=True)
        return place, written, _unknown(str(path[-1]), known)
    written = _written(document, path)
    return document.place(path, of_key=of_key), written, _sentence(detail)


def _written(document: Document, path: Path) -> Path:
    """The beginning of a path that the file has: pydantic adds the names of its own types."""
    while path and path not in document.values:
        path = path[:-1]
    return path


def _unknown(key: str, known: Iterable[str]) -> str:
    key = cut(key)
    if best := did_you_mean(key, known):
        return _("unknown key `{key}`; did you mean `{best}`?", key=key, best=best)
    return _("unknown key `{key}`; expected one of {known}", key=key, known=", ".join(known))


def _sentence(detail: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in {"enum", "literal_error"}:
        choices = [c.strip("'") for c in context["expected"].replace(" or ", ", ").split(", ")]
        message = _(
            "expected one of {known}; found {found}",
            known=", ".join(c if any(map(str.isalnum, c)) else f"`{c}`" for c in choices),
            found=_found(detail["input"]),
        )
        is_one = not isinstance(detail["input"], dict | list | tuple)
        return message + (suggestion(str(detail["input"]), choices) if is_one else "")
    template = _SENTENCES.get(kind)
    if template is None:
        return str(detail["msg"]).removeprefix("Value error, ")
    if "pattern" in context:
        context = {"pattern": _(_FORMS[context["pattern"]])}
    return _(template, found=_found(detail["input"]), **context)


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or empty."""
    best = did_you_mean(name, known)
    return _("; did you mean `{best}`?", best=best) if best else ""


def _found(value: object) -> str:
    if value is None:
        return _("nothing")
    if isinstance(value, dict):
        return _("keys with values")
    if isinstance(value, list | tuple):
        return _("a list")
    if value == "":
        return _("an empty text")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if may_be_key(text):
        return _("what may be a key")
    return f"`{cut(text)}`"


def _dotted(path: Path) -> str:
    return ".".join(cut(str(step)) for step in path) + ": " if path else ""


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    """The part of the model at a path; dict keys and list positions are skipped."""
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
