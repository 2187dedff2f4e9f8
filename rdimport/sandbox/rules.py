"""RD's rules for a conversion: what it refuses, and what it ignores.

Pure: no socket, clock or storage. Where RD's documentation is unclear, `Rules` decides; its
defaults are the stricter interpretation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from rdimport.core.visible import is_utf8
from rdimport.destination.rdstation.custom_fields import CustomField
from rdimport.destination.rdstation.fields import (
    FIELDS,
    LEGAL_CATEGORIES,
    LEGAL_STATUSES,
    LEGAL_TYPES,
    MAX_LENGTH,
    Kind,
)
from rdimport.sandbox.account_fields import AccountFields

_NO_RULES: Final[Mapping[str, object]] = {}

_EMAIL: Final = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]\Z"
)
"""The dot-atom form of RFC 5321 over ASCII with a domain of at least two labels."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")

_TRAFFIC_COOKIE: Final = "encoded_"
"""Prefix of the value of RD's `__trf.src` cookie, which already contains the other three fields."""

_TRAFFIC: Final = ("traffic_medium", "traffic_campaign", "traffic_value")


class Refusal(NamedTuple):
    """One error found by RD; `path` is a JSON path (`$.payload.tags`)."""

    error_type: str
    path: str
    message: str
    rules: Mapping[str, object] = _NO_RULES


class Reading(NamedTuple):
    """The result of reading a request's body.

    `email` is in lower case, and empty if it cannot be read; `kept` has the fields that RD stores,
    `dropped` the names of those that it ignores.
    """

    refusals: list[Refusal]
    email: str = ""
    kept: Mapping[str, object] = _NO_RULES
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """Choices where the documentation is unclear. `max_length` is in characters, 0: no limit."""

    catalogue: AccountFields = field(default_factory=AccountFields)
    max_length: int = MAX_LENGTH
    refuse_blanks: bool = True


class NotJSONError(ValueError):
    """The body is not a JSON document that RD can read."""


def decode(body: bytes) -> object:
    """Parse a body. Raises NotJSONError if it is not UTF-8 or JSON, has a NaN, or is too deep."""
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise NotJSONError(str(error)) from error


def _no_constant(name: str) -> NoReturn:
    raise NotJSONError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


def read(document: object, rules: Rules) -> Reading:
    """Check a parsed body against RD's rules."""
    if not isinstance(document, dict):
        return Reading([_wrong_type("$", "OBJECT")])
    refusals: list[Refusal] = []
    _one_of(document.get("event_type"), ("CONVERSION",), "$.event_type", refusals)
    _one_of(document.get("event_family"), ("CDP",), "$.event_family", refusals)
    payload = document.get("payload")
    if not isinstance(payload, dict):
        refusals.append(_wrong_type("$.payload", "OBJECT"))
        return Reading(refusals)
    return _payload(payload, rules, refusals)


def _payload(payload: dict[str, object], rules: Rules, refusals: list[Refusal]) -> Reading:
    kept: dict[str, object] = {}
    dropped: list[str] = []
    custom = rules.catalogue.get
    for name, value in payload.items():
        check = _CHECKS.get(name)
        if check is None:
            own = custom(name)
            if own is None:
                dropped.append(name)
                continue
            problems = len(refusals)
            _custom(value, own, f"$.payload.{name}", rules, refusals)
        else:
            problems = len(refusals)
            check(value, f"$.payload.{name}", rules, refusals)
        if problems == len(refusals) and (rules.refuse_blanks or not _is_blank(value)):
            kept[name] = value
    for name in _REQUIRED:
        if name not in kept and _is_blank(payload.get(name)):
            _required(name, payload, rules, refusals)
    _traffic(payload, refusals)
    email = payload.get("email")
    known = email.lower() if isinstance(email, str) and _EMAIL.match(email) else ""
    return Reading(refusals, known, kept, tuple(dropped))


def _required(name: str, payload: dict[str, object], rules: Rules, refusals: list[Refusal]) -> None:
    """Check that a required field is there and not blank, even where blanks are ignored."""
    path = f"$.payload.{name}"
    if name not in payload or (not rules.refuse_blanks and payload[name] is None):
        refusals.append(_null(path))
    elif not rules.refuse_blanks:
        refusals.append(_blank(path))


def _traffic(payload: dict[str, object], refusals: list[Refusal]) -> None:
    source = payload.get("traffic_source")
    if isinstance(source, str) and source.startswith(_TRAFFIC_COOKIE):
        refusals.extend(
            Refusal(
                "CONFLICTING_FIELD",
                f"$.payload.{name}",
                "The field must be absent when traffic_source holds the __trf.src cookie.",
                {"conflicts_with": "$.payload.traffic_source"},
            )
            for name in _TRAFFIC
            if name in payload
        )


# One check for each kind of field: (value, path, rules, found) -> appends what it finds.


def _text(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> None:
    # Most values are plain: they are worth a short way.
    if isinstance(value, str) and value.isascii() and not value.isspace():
        length = len(value)
        if length and (length <= rules.max_length or not rules.max_length):
            return
    if _absent(value, path, rules, refusals):
        return
    if not isinstance(value, str):
        refusals.append(_wrong_type(path, "STRING"))
    elif rules.max_length and len(value) > rules.max_length:
        refusals.append(
            Refusal(
                "TOO_LONG",
                path,
                f"The value is too long: {rules.max_length} characters at most.",
                {"max_length": rules.max_length},
            )
        )
    elif not value.isascii() and not is_utf8(value):  # JSON may contain half a surrogate pair
        refusals.append(Refusal("INVALID", path, "The value is not valid Unicode text."))


def _absent(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> bool:
    """Whether there is no value; it is then refused, or ignored, depending on the rules."""
    if value is None:
        if rules.refuse_blanks:
            refusals.append(_null(path))
        return True
    if _is_blank(value):
        if rules.refuse_blanks:
            refusals.append(_blank(path))
        return True
    return False


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _valid_text(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> str:
    """The text; empty if there is none, or RD refuses it."""
    before = len(refusals)
    _text(value, path, rules, refusals)
    return value if before == len(refusals) and isinstance(value, str) and value.strip() else ""


def _email(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> None:
    text = _valid_text(value, path, rules, refusals)
    if text and not _EMAIL.match(text):
        refusals.append(Refusal("INVALID_EMAIL_FORMAT", path, "The value is not a valid e-mail."))


def _tracking(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> None:
    text = _valid_text(value, path, rules, refusals)
    if text and not _UUID.match(text):
        refusals.append(
            Refusal("INVALID_FORMAT", path, "The value is not a UUID.", {"format": "uuid"})
        )


def _boolean(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> None:
    if not _absent(value, path, rules, refusals) and not isinstance(value, bool):
        refusals.append(Refusal("MUST_BE_BOOLEAN", path, "The value must be true or false."))


def _tags(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> None:
    values = _strings(value, path, rules, refusals)
    if any(tag != tag.lower() for tag in values):
        refusals.append(
            Refusal("VALUES_MUST_BE_LOWERCASE", path, "The values must be in lower case.")
        )
    if len(set(values)) != len(values):
        refusals.append(Refusal("VALUES_MUST_BE_UNIQUE", path, "The values must be unique."))


def _strings(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> list[str]:
    """The strings of an array; empty if one of them is invalid."""
    if value is None:
        _absent(value, path, rules, refusals)
        return []
    if not isinstance(value, list):
        refusals.append(_wrong_type(path, "STRING[]"))
        return []
    if not value and rules.refuse_blanks:
        refusals.append(_blank(path))
    before = len(refusals)
    for index, item in enumerate(value):
        _text(item, f"{path}[{index}]", rules, refusals)
    return value if before == len(refusals) else []


def _legal_bases(value: object, path: str, rules: Rules, refusals: list[Refusal]) -> None:
    if _absent(value, path, rules, refusals):
        return
    if not isinstance(value, list):
        refusals.append(_wrong_type(path, "OBJECT[]"))
        return
    if not value and rules.refuse_blanks:
        refusals.append(_blank(path))
    for index, base in enumerate(value):
        where = f"{path}[{index}]"
        if not isinstance(base, dict):
            refusals.append(_wrong_type(where, "OBJECT"))
            continue
        _one_of(base.get("category"), LEGAL_CATEGORIES, f"{where}.category", refusals)
        _one_of(base.get("type"), LEGAL_TYPES, f"{where}.type", refusals)
        _one_of(base.get("status"), LEGAL_STATUSES, f"{where}.status", refusals)


def _one_of(value: object, options: tuple[str, ...], path: str, refusals: list[Refusal]) -> None:
    if value is None:
        refusals.append(_null(path))
    elif value not in options:
        refusals.append(
            Refusal(
                "INVALID_OPTION",
                path,
                "The value is not a valid option.",
                {"valid_options": list(options)},
            )
        )


def _custom(
    value: object, own: CustomField, path: str, rules: Rules, refusals: list[Refusal]
) -> None:
    data_type = own.data_type or _natural_type(value)
    if data_type == "STRING":
        text = _valid_text(value, path, rules, refusals)
        if text and own.options:
            _one_of(text, own.options, path, refusals)
    elif data_type == "STRING[]":
        items = _strings(value, path, rules, refusals)
        if own.options:
            for index, item in enumerate(items):
                _one_of(item, own.options, f"{path}[{index}]", refusals)
    elif data_type == "BOOLEAN":
        _boolean(value, path, rules, refusals)
    elif not _absent(value, path, rules, refusals) and (
        isinstance(value, bool) or not isinstance(value, int)
    ):
        refusals.append(_wrong_type(path, "INTEGER"))


def _natural_type(value: object) -> str:
    """The data type that fits a value, for an account in which every field exists."""
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER"
    return "STRING[]" if isinstance(value, list) else "STRING"


def _wrong_type(path: str, expected: str) -> Refusal:
    return Refusal(
        "INVALID_DATA_TYPE", path, f"The value must be of type {expected}.", {"data_type": expected}
    )


def _null(path: str) -> Refusal:
    return Refusal("CANNOT_BE_NULL", path, "The value cannot be null.")


def _blank(path: str) -> Refusal:
    return Refusal("CANNOT_BE_BLANK", path, "The value cannot be blank.")


_Check = Callable[[object, str, Rules, list[Refusal]], None]

_BY_KIND: Final[Mapping[Kind, _Check]] = {
    Kind.STRING: _text,
    Kind.BOOLEAN: _boolean,
    Kind.STRINGS: _tags,
    Kind.LEGAL_BASES: _legal_bases,
}

_CHECKS: Final[Mapping[str, _Check]] = {
    **{name: _BY_KIND[known.kind] for name, known in FIELDS.items()},
    "email": _email,
    "client_tracking_id": _tracking,
}

_REQUIRED: Final = tuple(name for name, known in FIELDS.items() if known.required)
