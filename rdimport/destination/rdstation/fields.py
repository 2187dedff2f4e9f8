"""The fields of RD Station Marketing's conversion payload.

Source: the page `evento-de-conversao-via-api-key` of RD Station's developer documentation.
Validation and the sandbox both use this table, so they cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The JSON type of a field."""

    STRING = "string"
    BOOLEAN = "boolean"
    STRINGS = "strings"
    LEGAL_BASES = "legal_bases"
    SCALAR = "scalar"
    """A custom field, whose type only the account knows: string, integer, boolean or list."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the payload: its JSON type, and whether RD requires it."""

    name: str
    kind: Kind = Kind.STRING
    required: bool = False


MAX_LENGTH: Final = 255
"""Characters of a text value. RD documents no limit; this is a conservative assumption."""

MAX_BODY: Final = 200_000
"""Bytes of a request body: 0.2 MB, which RD documents for the sibling endpoints."""

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
"""All standard fields, in the order in which a payload contains them."""

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
    """The field called `name`, including custom fields; None for one that RD would drop."""
    if CUSTOM_FIELD.match(name):
        return Field(name, Kind.SCALAR)
    return FIELDS.get(name)


PLANS: Final = {"light": "120/min", "basic": "120/min", "pro": "120/min", "advanced": "500/min"}
"""Requests per minute of an account, by RD's plan (page `limite-de-requisicoes-da-api`)."""
