"""Checks a mapping against the custom fields of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdimport.core.document_errors import suggestion
from rdimport.core.errors import MappingError
from rdimport.core.messages import _
from rdimport.core.visible import shown_lines
from rdimport.mapping.vocabulary import Type

if TYPE_CHECKING:
    from rdimport.destination.rdstation.custom_fields import CustomFields
    from rdimport.mapping.model import Mapping

_TYPES: Final = {
    "STRING": Type.TEXT,
    "INTEGER": Type.INTEGER,
    "BOOLEAN": Type.BOOLEAN,
    "STRING[]": Type.LIST,
}
"""RD's data types, by the names used in a mapping."""


def verify(mapping: Mapping, account: CustomFields) -> None:
    """Raise MappingError for each custom field that the account lacks or has with another type."""
    lines = []
    for name, source in mapping.fields.items():
        if not name.startswith("cf_"):
            continue
        known = account.fields.get(name)
        if known is None:
            missing = _(
                "the account has no field `{name}` ({source})", name=name, source=account.source
            )
            lines.append(missing + suggestion(name, account.fields))
            continue
        wanted = _TYPES.get(known.data_type)
        if wanted and wanted is not (source.type or Type.TEXT):
            lines.append(
                _(
                    "`{name}` is of type {wanted} in RD: write `type: {wanted}`",
                    name=name,
                    wanted=wanted,
                )
            )
    if lines:
        raise MappingError(
            shown_lines(lines),
            _("RD would silently drop the values: create the field in RD, or correct its name."),
        )


def allowed_values(mapping: Mapping, account: CustomFields | None) -> dict[str, tuple[str, ...]]:
    """The values that the account allows, by custom field; {} without a list of fields."""
    if account is None:
        return {}
    known = {name: account.fields[name] for name in mapping.fields if name in account.fields}
    return {name: field.options for name, field in known.items() if field.options}
