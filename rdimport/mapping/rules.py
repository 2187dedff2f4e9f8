"""Rules that involve several keys of a mapping.

They work on the raw values, so that their errors are reported together with those of single keys.
Malformed parts are skipped here and reported by the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rdimport.core.document_errors import suggestion
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.visible import cut
from rdimport.destination.rdstation.fields import Kind, field
from rdimport.mapping.vocabulary import Clean, Type, default_cleaners, type_of

Path = tuple[str | int, ...]
Contradiction = tuple[Path, str]

VERSION: Final = 1

_NEEDS_CLEANER: Final = {
    "several": (Clean.EMAIL, Clean.PHONE),
    "correct_typos": (Clean.EMAIL,),
    "default_area": (Clean.PHONE,),
    "default_country": (Clean.PHONE,),
    "decimal": (Clean.NUMBER,),
    "date_format": (Clean.DATE,),
}
"""Keys of a field that have no effect without one of these cleaners."""

_NEVER_DROPPED: Final = frozenset({"email", "available_for_mailing"})
"""Fields without which a row would have no recipient, or one who declined."""

_FOR_LISTS: Final = frozenset({"required", "one_of", "min_length", "max_length"})
"""The checks that apply to lists."""


def contradictions(data: Mapping[str, Any]) -> Iterator[Contradiction]:
    """All rules that the mapping breaks: the path of the value, and the expectation."""
    fields = _section(data.get("fields"))
    yield from _version(data)
    if isinstance(data.get("fields"), Mapping):
        names = tuple(map(str, fields))
        if "email" not in names:
            yield ("fields",), _("`email` is missing: RD finds and creates contacts by it")
        yield from _known(("identity",), data.get("identity"), names)
        yield from _known(("checks",), _section(data.get("checks")), names)
        yield from _known(("invalid",), _section(data.get("invalid")), names)
    for name, source in fields.items():
        yield from _form(name, _section(source))
        yield from _options(name, _section(source))
    for path, source in _sources(data):
        yield from _doubled_values((*path, "values"), _section(source.get("values")))
    for name, check in _section(data.get("checks")).items():
        yield from _check(name, _section(check), _section(fields.get(name)))
    yield from _same_basis(data.get("legal_bases"))
    yield from _needed(data)


def _needed(data: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Fields whose invalid cells cannot be dropped."""
    given, fields = data.get("identity", ("email",)), _section(data.get("fields"))
    identity = given if isinstance(given, list | tuple) else (given,)
    for name in identity:
        if isinstance(name, str) and _section(fields.get(name)).get("about") is not None:
            yield (
                ("identity",),
                _("`{name}` says where a row comes from, not whose it is", name=name),
            )
    for name, what in _section(data.get("invalid")).items():
        required = _section(_section(data.get("checks")).get(name)).get("required")
        needed = name in _NEVER_DROPPED or name in identity or str(required).lower() == "true"
        if what == "drop" and needed:
            yield (
                ("invalid", name),
                _("every row needs `{name}`: a row without it is not sent", name=name),
            )


def _section(value: object) -> Mapping[str, Any]:
    """The keys and values of a section; empty if it is not a section."""
    return value if isinstance(value, Mapping) else {}


def _sources(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield ("conversion_identifier",), _section(data.get("conversion_identifier"))
    for name, source in _section(data.get("fields")).items():
        yield ("fields", name), _section(source)
    bases = data.get("legal_bases")
    for index, basis in enumerate(bases if isinstance(bases, list | tuple) else ()):
        yield ("legal_bases", index, "status"), _section(_section(basis).get("status"))


def _version(data: Mapping[str, Any]) -> Iterator[Contradiction]:
    try:
        version = int(str(data.get("version", VERSION)))
    except ValueError:
        return
    if version > 0 and version != VERSION:
        yield (
            ("version",),
            _(
                "this rdimport reads mappings of version {ours}, not {version}: update "
                "rdimport, or create the mapping again with `rdimport init`",
                ours=VERSION,
                version=version,
            ),
        )


def _known(path: Path, given: object, names: tuple[str, ...]) -> Iterator[Contradiction]:
    """Names that must be among the mapping's fields."""
    keyed = isinstance(given, Mapping)
    for name in given if isinstance(given, list | tuple | Mapping) else [given]:
        if isinstance(name, str) and name not in names:
            hint = suggestion(name, names) or _("; it has {names}", names=", ".join(names))
            place = (*path, name) if keyed else path
            message = _("`{name}` is not one of the fields of this mapping", name=cut(name))
            yield place, message + hint


def _form(name: str, source: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Whether the keys of a field fit the JSON type of RD's field."""
    target = field(name)
    if target is None:
        return
    path: Path = ("fields", name)
    if source.get("type") is not None and target.kind is not Kind.SCALAR:
        yield (*path, "type"), _("only custom fields (cf_…) have a configurable type; omit it")
    if _type(name, source) is not Type.LIST:
        for key in ("split", "add"):
            if source.get(key) is not None:
                yield (*path, key), _no_list(name, own=target.kind is Kind.SCALAR)
    if source.get("cut") is not None and _type(name, source) is not Type.TEXT:
        yield (*path, "cut"), _("only text can be cut")


def _no_list(name: str, *, own: bool) -> str:
    """What to do about items in a field of one value; for `own` (custom) fields, a type can be
    chosen.
    """
    if own:
        return _("only a list has items, and `{name}` takes one value: add `type: list`", name=name)
    return _("only a list has items, and `{name}` takes one value: omit it", name=name)


def _type(name: str, source: Mapping[str, Any]) -> Type:
    given = source.get("type")
    return type_of(name, Type(given) if given in list(Type) else None)


def _cleaners(name: str, source: Mapping[str, Any]) -> tuple[str, ...]:
    given = source.get("clean")
    if given is None:
        return default_cleaners(name, _type(name, source))
    return tuple(map(str, given)) if isinstance(given, list | tuple) else (str(given),)


def _options(name: str, source: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Keys without effect because the field does not use their cleaner."""
    for key, cleaners in _NEEDS_CLEANER.items():
        if source.get(key) is not None and not set(cleaners) & set(_cleaners(name, source)):
            message = _(
                "needs one of the cleaners {cleaners}, and `{name}` has none of them",
                cleaners=", ".join(cleaners),
                name=name,
            )
            yield ("fields", name, key), message


def _doubled_values(path: Path, values: Mapping[str, Any]) -> Iterator[Contradiction]:
    seen: dict[str, str] = {}
    for key in map(str, values):
        other = seen.setdefault(fold(key), key)
        if other != key:
            yield (
                (*path, key),
                _(
                    "is the same as `{other}`: case, accents and spaces do not matter",
                    other=cut(other),
                ),
            )


def _check(
    name: str, check: Mapping[str, Any], source: Mapping[str, Any]
) -> Iterator[Contradiction]:
    """Whether the check applies to the field."""
    for key in check:
        if _type(name, source) is Type.LIST and key not in _FOR_LISTS:
            known = ", ".join(sorted(_FOR_LISTS))
            yield ("checks", name, key), _("a list accepts {known} only", known=known)
        elif key in {"role", "throwaway"} and Clean.EMAIL not in _cleaners(name, source):
            yield ("checks", name, key), _("only e-mail fields have it")


def _same_basis(bases: object) -> Iterator[Contradiction]:
    seen: set[str] = set()
    for index, basis in enumerate(bases if isinstance(bases, list | tuple) else ()):
        kind = _section(basis).get("type")
        if isinstance(kind, str):
            if kind in seen:
                yield (
                    ("legal_bases", index),
                    _("the legal basis `{kind}` is given twice", kind=kind),
                )
            seen.add(kind)
