"""The custom fields of a sandbox account: what RD keeps as the account's list of fields.

RD drops a `cf_` field that the account does not have, in silence. So a catalogue decides what a
conversion loses: none, any, or the fields of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rdimport.core.errors import UsageError
from rdimport.destination.rdstation.fields import CUSTOM_FIELD

DATA_TYPES: Final = ("STRING", "INTEGER", "BOOLEAN", "STRING[]")
"""RD's `data_type` of a custom field (page of `GET /platform/contacts/fields`)."""


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field: API identifier, data type (empty: any), and the options if it has some."""

    name: str
    data_type: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The custom fields that an account has; with `takes_any` it has whatever is asked for."""

    fields: Mapping[str, CustomField]
    takes_any: bool = False

    def get(self, name: str) -> CustomField | None:
        """The custom field of that API identifier; None when RD would drop it in silence."""
        known = self.fields.get(name)
        if known is None and self.takes_any and CUSTOM_FIELD.match(name):
            return CustomField(name)
        return known

    @classmethod
    def of(cls, fields: Iterable[CustomField]) -> Catalogue:
        """A catalogue of these fields and no others."""
        return cls({field.name: field for field in fields})

    @classmethod
    def load(cls, choice: str) -> Catalogue:
        """`none`, `any`, or the path of a JSON file. Raises UsageError for any other file.

        The file is RD's own answer to `GET /platform/contacts/fields`
        (`{"fields": [{"api_identifier": …, "data_type": …}]}`), or short
        `{"cf_interesse": "STRING"}`.
        """
        if choice == "none":
            return cls({})
        if choice == "any":
            return cls({}, takes_any=True)
        try:
            document = json.loads(Path(choice).read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise UsageError(
                f"The catalogue of custom fields {choice} cannot be read: {error.strerror}.",
                "Name a JSON file, or write none or any.",
            ) from error
        except ValueError as error:
            raise UsageError(
                f"The catalogue of custom fields {choice} is not JSON: {error}."
            ) from error
        return cls.of(_fields_of(document, choice))


def _fields_of(document: object, path: str) -> list[CustomField]:
    if isinstance(document, dict) and isinstance(document.get("fields"), list):
        document = document["fields"]
    if isinstance(document, dict):
        return [_field(name, data_type, (), path) for name, data_type in document.items()]
    if isinstance(document, list) and all(isinstance(entry, dict) for entry in document):
        # RD's own answer lists the standard fields (name, email …) beside the custom ones.
        return [
            _field(entry["api_identifier"], entry.get("data_type"), _options(entry), path)
            for entry in document
            if str(entry.get("api_identifier", "")).startswith("cf_")
        ]
    raise UsageError(
        f"The catalogue of custom fields {path} holds no list of fields.",
        'Write {"cf_interesse": "STRING", …}, or save the answer of GET /platform/contacts/fields.',
    )


def _field(name: object, data_type: object, options: tuple[str, ...], path: str) -> CustomField:
    if not (isinstance(name, str) and CUSTOM_FIELD.match(name)):
        raise UsageError(
            f"{path}: {name!r} is no API identifier of a custom field.",
            "It begins with cf_ and goes on with lower-case letters, digits and _.",
        )
    if data_type not in DATA_TYPES:
        raise UsageError(
            f"{path}: the data type of {name} is {data_type!r}.",
            f"RD knows {', '.join(DATA_TYPES)}.",
        )
    return CustomField(name, str(data_type), options)


def _options(entry: Mapping[str, object]) -> tuple[str, ...]:
    """The values that a field of choice takes, as RD lists them (text, or `{"value": text}`)."""
    rules = entry.get("validation_rules")
    listed = rules.get("valid_options") if isinstance(rules, dict) else entry.get("valid_options")
    if not isinstance(listed, list):
        return ()
    values = [option.get("value") if isinstance(option, dict) else option for option in listed]
    return tuple(value for value in values if isinstance(value, str))
