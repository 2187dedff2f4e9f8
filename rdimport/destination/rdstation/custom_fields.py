"""An account's custom fields, as listed by RD or written down by a user.

RD silently drops a `cf_` value whose field the account lacks, so such a list is worth having. Three
forms are accepted: RD's response to `GET /platform/contacts/fields` (standard fields are ignored),
a list of names or of `{name, type, options}`, and a mapping such as `{"cf_interesse": "STRING"}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from rdimport.core.errors import MappingError
from rdimport.core.messages import _, untranslated
from rdimport.core.small_file import decoded, read_small
from rdimport.core.yaml_document import DocumentError, parse
from rdimport.destination.rdstation.fields import CUSTOM_FIELD

DATA_TYPES: Final = ("STRING", "INTEGER", "BOOLEAN", "STRING[]")
"""RD's `data_type` of a custom field (documentation of `GET /platform/contacts/fields`)."""

_OUR_NAMES: Final = {
    "text": "STRING",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
    "list": "STRING[]",
}
"""RD's data types by the name that a mapping file uses."""

_REMEDY: Final = untranslated(
    "Save RD's answer to GET /platform/contacts/fields, or write a YAML or JSON list of cf_ names."
)


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field: API identifier, data type (empty if unknown) and the options it allows."""

    name: str
    data_type: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomFields:
    """All custom fields of an account, by name. `source` is the file they were read from."""

    fields: dict[str, CustomField]
    source: str = ""

    @classmethod
    def of(cls, fields: Iterable[CustomField], source: str = "") -> Self:
        """A list of exactly these fields."""
        return cls({field.name: field for field in fields}, source)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file. Raises MappingError if it contains no list of custom fields."""
        try:
            text = decoded(read_small(Path(path)))
            listed = parse(text).data  # JSON is a subset of YAML
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise MappingError(
                _("{path}: cannot be read: {error}", path=path, error=why), _(_REMEDY)
            ) from None
        except DocumentError as error:
            line, column = error.place
            raise MappingError(f"{path}:{line}:{column}: {error.message}", _(_REMEDY)) from None
        try:
            return cls.of(_fields(listed), str(path))
        except ValueError as error:
            raise MappingError(f"{path}: {error}", _(_REMEDY)) from None


def _fields(listed: object) -> list[CustomField]:
    if isinstance(listed, dict) and "fields" in listed:
        listed = listed["fields"]
    if isinstance(listed, dict):
        listed = [{"name": name, "type": data_type} for name, data_type in listed.items()]
    if not isinstance(listed, list):
        raise ValueError(_("contains no list of fields"))  # noqa: TRY004  a wrong file, no wrong call
    return [_field(item) for item in listed if not _is_standard(item)]


def _is_standard(item: object) -> bool:
    """Whether an entry of RD's response is a standard field (name, email, ...)."""
    return isinstance(item, dict) and not str(item.get("api_identifier", "cf_")).startswith("cf_")


def _field(item: object) -> CustomField:
    entry = item if isinstance(item, dict) else {"name": item}
    name = entry.get("api_identifier", entry.get("name"))
    if not (isinstance(name, str) and CUSTOM_FIELD.match(name)):
        raise ValueError(
            _(
                "“{name}” is not an API identifier of a custom field: it begins with cf_, "
                "followed by lowercase letters, digits and _",
                name=name,
            )
        )
    given = str(entry.get("data_type", entry.get("type")) or "")
    data_type = _OUR_NAMES.get(given, given.upper())
    if data_type and data_type not in DATA_TYPES:
        raise ValueError(
            _(
                "the data type of {name} is “{given}”; RD has {known}",
                name=name,
                given=given,
                known=", ".join(DATA_TYPES),
            )
        )
    return CustomField(name, data_type, _options(entry))


def _options(entry: dict[str, object]) -> tuple[str, ...]:
    """The allowed values of a choice field, as RD lists them: text or `{"value": text}`."""
    rules = entry.get("validation_rules")
    listed = rules.get("valid_options") if isinstance(rules, dict) else None
    listed = listed or entry.get("valid_options") or entry.get("options")
    if not isinstance(listed, list):
        return ()
    values = [option.get("value") if isinstance(option, dict) else option for option in listed]
    return tuple(value for value in values if isinstance(value, str))
