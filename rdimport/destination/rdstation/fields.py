"""The fields of RD Station Marketing's conversion payload, as its documentation describes them.

Source: the page `evento-de-conversao-via-api-key` of RD Station's developer documentation. The
validation and the sandbox both read this table, so that they cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The JSON type that RD takes for a field."""

    STRING = "string"
    BOOLEAN = "boolean"
    STRINGS = "strings"
    LEGAL_BASES = "legal_bases"
    SCALAR = "scalar"
    """A custom field: only the account knows what it takes (string, integer, boolean, list)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the payload: its JSON type, and whether RD demands it."""

    name: str
    kind: Kind = Kind.STRING
    required: bool = False


MAX_LENGTH: Final = 255
"""Characters of a text value. Not documented by RD: a cautious assumption."""

MAX_BODY: Final = 200_000
"""Bytes of a request's body: 0.2 MB, which RD documents for the sibling routes."""

CUSTOM_FIELD: Final = re.compile(r"cf_[a-z0-9_]+\Z")
"""The API identifier of a custom field."""

_TEXTS = (
    "name job_title state city country personal_phone mobile_phone twitter facebook linkedin "
    "website company_name company_site company_address client_tracking_id "
    "traffic_source traffic_medium traffic_campaign traffic_value"
).split()

FIELDS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field("conversion_identifier", required=True),
        Field("email", required=True),
        *(Field(name) for name in _TEXTS),
        Field("tags", Kind.STRINGS),
        Field("available_for_mailing", Kind.BOOLEAN),
        Field("legal_bases", Kind.LEGAL_BASES),
    )
}
"""All fields but the account's custom ones (`cf_…`), in the order in which a payload holds them."""

LEGAL_CATEGORIES: Final = ("communications",)
LEGAL_TYPES: Final = (
    "consent",
    "legitimate_interest",
    "pre_existent_contract",
    "judicial_process",
    "vital_interest",
    "public_interest",
)
LEGAL_STATUSES: Final = ("granted", "declined")


def field(name: str) -> Field | None:
    """The field of that name, custom ones included; None when RD would drop it in silence."""
    if CUSTOM_FIELD.match(name):
        return Field(name, Kind.SCALAR)
    return FIELDS.get(name)


PLANS: Final = {"light": "120/min", "basic": "120/min", "pro": "120/min", "advanced": "500/min"}
"""POST requests of an account by RD's plan (page `limite-de-requisicoes-da-api`)."""
