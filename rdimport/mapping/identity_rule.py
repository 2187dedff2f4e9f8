"""How a mapping reads its identity fields. A run keeps it, as a later mapping may read them in
another way and so know the same rows by other values.
"""

from __future__ import annotations

from rdimport.mapping.field_source import FieldSource
from rdimport.mapping.model import DEFAULT_EMPTY, Mapping
from rdimport.mapping.vocabulary import Section, Texts


class IdentityRule(Section):
    """The identity fields, and what of the rest of a mapping decides about their values."""

    fields: dict[str, FieldSource]
    empty: Texts = DEFAULT_EMPTY


def identity_rule(mapping: Mapping) -> str:
    """The rule of a mapping, as JSON."""
    fields = {name: mapping.fields[name] for name in sorted(_names(mapping))}
    return IdentityRule(fields=fields, empty=mapping.empty).model_dump_json(exclude_defaults=True)


def with_rule(mapping: Mapping, rule: str) -> Mapping:
    """The mapping with the rule of another one. Raises ValueError if that has other identity
    fields, or keys of a later release.
    """
    kept = IdentityRule.model_validate_json(rule)
    if kept.fields.keys() != _names(mapping):
        raise ValueError(rule)
    fields = {**mapping.fields, **kept.fields}
    return mapping.model_copy(update={"fields": fields, "empty": kept.empty})


def _names(mapping: Mapping) -> set[str]:
    return set(mapping.identity) & mapping.fields.keys()
