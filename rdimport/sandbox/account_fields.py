"""The custom fields of a sandbox account: none, any, or those listed in a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from rdimport.core.errors import MappingError, UsageError
from rdimport.core.messages import _
from rdimport.destination.rdstation.custom_fields import CustomField, CustomFields
from rdimport.destination.rdstation.fields import CUSTOM_FIELD


@dataclass(frozen=True, slots=True)
class AccountFields:
    """The custom fields of an account. With `takes_any`, every field exists."""

    known: CustomFields = field(default_factory=lambda: CustomFields({}))
    takes_any: bool = False

    def get(self, name: str) -> CustomField | None:
        """The custom field with that API identifier; None if RD would ignore it."""
        known = self.known.fields.get(name)
        if known is None and self.takes_any and CUSTOM_FIELD.match(name):
            return CustomField(name)
        return known

    @classmethod
    def load(cls, choice: str) -> AccountFields:
        """Load `none`, `any`, or the file at a path. Raises UsageError if it cannot be read."""
        if choice in ("none", "any"):
            return cls(takes_any=choice == "any")
        try:
            return cls(CustomFields.load(choice))
        except MappingError as error:
            remedy = _("{remedy} Or write none, or any.", remedy=error.remedy)
            raise UsageError(error.message, remedy) from error
