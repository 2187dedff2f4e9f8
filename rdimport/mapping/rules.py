"""What one key cannot tell: rules between the parts of a mapping.

They read the raw values, so that they find their errors in the same pass in which the model finds
the errors of single keys. A part of the wrong shape is the model's business and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rdimport.destination.fields import Kind, field
from rdimport.names import did_you_mean

Path = tuple[str | int, ...]
Contradiction = tuple[Path, str]

VERSION: Final = "1"


def contradictions(data: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Every rule that the mapping breaks: the path of the value, and what was expected."""
    fields = data.get("fields")
    names = tuple(fields) if isinstance(fields, Mapping) else None
    yield from _version(data)
    if names is not None:
        yield from _email(names)
        yield from _known(("identity",), data.get("identity"), names)
    for name, source in fields.items() if isinstance(fields, Mapping) else ():
        if isinstance(source, Mapping) and isinstance(name, str):
            yield from _form(name, source)
    yield from _same_basis(data.get("legal_bases"))


def _version(data: Mapping[str, Any]) -> Iterator[Contradiction]:
    version = str(data.get("version", VERSION))
    if version.isdecimal() and version != VERSION:
        yield (
            ("version",),
            (
                f"this rdimport reads mappings of version {VERSION}, not {version}: "
                "update rdimport, or write the mapping again with `rdimport init`"
            ),
        )


def _email(names: tuple[str, ...]) -> Iterator[Contradiction]:
    if "email" not in names:
        yield ("fields",), "`email` is missing: RD finds and creates contacts by it"


def _known(path: Path, given: object, names: tuple[str, ...]) -> Iterator[Contradiction]:
    """Names that must be among the mapping's fields."""
    items = given if isinstance(given, list | tuple) else [given]
    for name in items:
        if isinstance(name, str) and name not in names:
            best = did_you_mean(name, names)
            hint = f"; did you mean `{best}`?" if best else f"; it has {', '.join(names)}"
            yield path, f"`{name}` is not one of the fields of this mapping{hint}"


def _form(name: str, source: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Whether the keys of a field fit the JSON type that RD takes for it."""
    target = field(name)
    if target is None:
        return
    path: Path = ("fields", name)
    if source.get("type") is not None and target.kind is not Kind.SCALAR:
        yield (*path, "type"), "only custom fields (cf_…) have a type to choose; leave it out"
    is_list = target.kind is Kind.STRINGS or source.get("type") == "list"
    for key in ("split", "add"):
        if source.get(key) is not None and not is_list:
            remedy = "add `type: list`" if target.kind is Kind.SCALAR else "leave it out"
            yield (*path, key), f"only a list has items, and `{name}` takes one value: {remedy}"


def _same_basis(bases: object) -> Iterator[Contradiction]:
    seen: set[str] = set()
    for index, basis in enumerate(bases if isinstance(bases, list | tuple) else ()):
        kind = basis.get("type") if isinstance(basis, Mapping) else None
        if isinstance(kind, str):
            if kind in seen:
                yield ("legal_bases", index), f"the legal basis `{kind}` is given twice"
            seen.add(kind)
