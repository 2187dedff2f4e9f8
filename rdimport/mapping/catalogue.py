"""The account's own list of custom fields: RD drops a value in silence whose field it lacks.

Two forms are read: the JSON that RD answers to `GET /platform/contacts/fields` (keys
`api_identifier`, `data_type`, `valid_options`), and a YAML list of names or of keys `name`, `type`
and `options`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdimport.core.errors import MappingError
from rdimport.core.names import did_you_mean
from rdimport.mapping.vocabulary import Type
from rdimport.mapping.yaml_document import DocumentError
from rdimport.mapping.yaml_document import parse as parse_yaml

if TYPE_CHECKING:
    from rdimport.mapping.model import Mapping

_TYPES: Final = {
    "STRING": Type.TEXT,
    "INTEGER": Type.INTEGER,
    "BOOLEAN": Type.BOOLEAN,
    "STRING[]": Type.LIST,
}
"""RD's data types."""


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field of an account; `type` and `options` are None where they are not known."""

    name: str
    type: Type | None = None
    options: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The custom fields that an account has."""

    name: str
    fields: dict[str, CustomField]

    @classmethod
    def load(cls, path: str | Path) -> Catalogue:
        """Read a catalogue. Raises MappingError for a file that is none."""
        try:
            text = Path(path).read_bytes().decode("utf-8-sig")
            document = parse_yaml(text)  # JSON is YAML
        except (OSError, UnicodeDecodeError) as error:
            raise MappingError(f"{path}: cannot be read: {error}", _REMEDY) from None
        except DocumentError as error:
            line, column = error.place
            raise MappingError(f"{path}:{line}:{column}: {error.message}", _REMEDY) from None
        listed = document.data
        if isinstance(listed, dict):
            listed = listed.get("fields")
        if not isinstance(listed, list):
            raise MappingError(f"{path}: holds no list of fields", _REMEDY)
        fields = [_field(item) for item in listed]
        known = {field.name: field for field in fields if field and field.name.startswith("cf_")}
        return cls(str(path), known)

    def verify(self, mapping: Mapping) -> None:
        """Raise MappingError for every custom field that the account lacks or has otherwise."""
        lines = []
        for name, source in mapping.fields.items():
            known = self.fields.get(name)
            if name.startswith("cf_") and known is None:
                best = did_you_mean(name, self.fields)
                hint = f"; did you mean `{best}`?" if best else ""
                lines.append(f"the account has no field `{name}` ({self.name}){hint}")
            elif known and known.type and known.type is not (source.type or Type.TEXT):
                lines.append(f"`{name}` is of type {known.type} in RD: write `type: {known.type}`")
        if lines:
            raise MappingError(
                "\n".join(lines),
                "RD would drop the values in silence: create the field in RD, or correct its name.",
            )

    def options(self, mapping: Mapping) -> dict[str, tuple[str, ...]]:
        """The values that the account allows, by the mapping's custom fields."""
        known = {name: self.fields[name] for name in mapping.fields if name in self.fields}
        return {name: field.options for name, field in known.items() if field.options}


_REMEDY: Final = "Give the JSON of RD's field listing, or a YAML list of cf_ names."


def _field(item: Any) -> CustomField | None:
    if isinstance(item, str):
        return CustomField(item)
    if not isinstance(item, dict):
        return None
    name = item.get("api_identifier", item.get("name"))
    if not isinstance(name, str):
        return None
    given = str(item.get("data_type", item.get("type", "")))
    known = _TYPES.get(given.upper()) or (Type(given) if given in list(Type) else None)
    options = item.get("valid_options", item.get("options")) or ()
    values = [str(o.get("value", "")) if isinstance(o, dict) else str(o) for o in options]
    return CustomField(name, known, tuple(values) or None)
